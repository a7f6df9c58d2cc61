/* SPDX-License-Identifier: ISC
 *
 * Templates and settings files.
 */
#include "table/template.h"

struct template_parts template_parts(str s)
{
    size_t at = str_rchr(s, '@');

    if (at == STR_NONE)
        return (struct template_parts){ s, s, { 0 } };
    return (struct template_parts){ s, str_head(s, at),
                                    str_of(s.p + at + 1, s.n - at - 1) };
}

static bool is_part(char c)
{
    return (c >= '1' && c <= '9') || str_chr(S("sudSUD%"), c) != STR_NONE;
}

bool template_valid(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%')
            continue;
        if (++i == text.n || !is_part(text.p[i]))
            return false;
    }
    return true;
}

/* Label number n of a domain, counted from its end; false if there is none. */
static bool label(str domain, int n, str *out)
{
    size_t end = domain.n;

    while (n > 0) {
        size_t dot = str_rchr(str_head(domain, end), '.');
        size_t start = dot == STR_NONE ? 0 : dot + 1;
        if (--n == 0) {
            *out = str_of(domain.p + start, end - start);
            return true;
        }
        if (dot == STR_NONE)
            return false;
        end = dot;
    }
    return false;
}

/* The part that letter stands for. */
static bool part(char letter, const struct template_parts *key,
                 const struct template_parts *value, str *out)
{
    const struct template_parts *from = value;

    if (letter >= '1' && letter <= '9')
        return key->domain.p && label(key->domain, letter - '0', out)
            && !str_empty(*out);
    if (!from || (letter >= 'A' && letter <= 'Z'))
        from = key;
    switch (lower(letter)) {
    case 's': *out = from->whole; break;
    case 'u': *out = from->user; break;
    default: *out = from->domain; break;
    }
    return !str_empty(*out);
}

bool template_fill(str text, const struct template_parts *key,
                   const struct template_parts *value, struct buf *to)
{
    str filled;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%' || i + 1 == text.n) {
            buf_byte(to, text.p[i]);
            continue;
        }
        if (text.p[++i] == '%') {
            buf_byte(to, '%');
            continue;
        }
        if (!part(text.p[i], key, value, &filled))
            return false;
        buf_add(to, filled);
    }
    return true;
}

/* Whether text holds a part that is not %%. */
static bool has_part(str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '%' && text.p[++i] != '%')
            return true;
    return false;
}

/* The inside of a literal with its doubled quotes made single. */
static str unquote(struct arena *a, str inside, char quote)
{
    struct buf out;

    buf_init(&out, a, inside.n + 1);
    for (size_t i = 0; i < inside.n; i++) {
        buf_byte(&out, inside.p[i]);
        if (inside.p[i] == quote)
            i++;
    }
    return buf_str(&out);
}

/* The size of the literal that text begins with; 0 if it does not end. */
static size_t literal(str text, char quote)
{
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] != quote)
            continue;
        if (i + 1 == text.n || text.p[i + 1] != quote)
            return i + 1;
        i++;
    }
    return 0;
}

struct query_build {
    struct arena *arena;
    struct buf sql;
    vec_of(str) binds;
};

static void bind(struct query_build *q, str text)
{
    vec_push(q->arena, &q->binds, text);
    buf_fmt(&q->sql, "?%zu", q->binds.n);
}

/* Takes what stands at the beginning of text; returns its size. */
static size_t query_piece(struct query_build *q, str text)
{
    char c = text.p[0];
    size_t n = c == '\'' || c == '"' ? literal(text, c) : 0;

    if (n) {
        str inside = str_skip(str_head(text, n - 1), 1);
        if (has_part(inside))
            bind(q, unquote(q->arena, inside, c));
        else /* the whole of it, %% made single */
            for (size_t i = 0; i < n; i++) {
                buf_byte(&q->sql, text.p[i]);
                i += text.p[i] == '%';
            }
        return n;
    }
    if (c != '%' || text.n < 2) {
        buf_byte(&q->sql, c);
        return 1;
    }
    if (text.p[1] == '%')
        buf_byte(&q->sql, '%');
    else
        bind(q, str_head(text, 2));
    return 2;
}

void template_query(struct arena *a, str text, struct template_query *out)
{
    struct query_build q = { .arena = a };

    buf_init(&q.sql, a, text.n * 8 + 64);
    while (!str_empty(text))
        text = str_skip(text, query_piece(&q, text));
    *out = (struct template_query){ buf_str(&q.sql), q.binds.p, q.binds.n };
}

err settings_parse(struct arena *a, str text, str origin,
                   struct table_notes *notes, struct settings *out)
{
    struct lines lines = { .text = text, .origin = origin, .arena = a,
                           .notes = notes };
    str logical;
    int line;

    *out = (struct settings){ map_new(a, false), origin };
    while (lines_next(&lines, &logical, &line)) {
        size_t equals = str_chr(logical, '=');
        if (equals == STR_NONE) {
            table_note(notes, "%.*s, line %d: missing '=' after attribute "
                       "name: \"%.*s\"", STR(origin), line, STR(logical));
            return ERR_SYNTAX;
        }
        str *value = arena_new(a, str);
        str name = arena_str(a, str_trim(str_head(logical, equals)));
        if (str_empty(name)) {
            table_note(notes, "%.*s, line %d: missing attribute name: "
                       "\"%.*s\"", STR(origin), line, STR(logical));
            return ERR_SYNTAX;
        }
        *value = arena_str(a, str_trim(str_skip(logical, equals + 1)));
        map_put(out->by_name, name, value);
    }
    return OK;
}
