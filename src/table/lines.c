/* SPDX-License-Identifier: ISC
 *
 * Logical lines.
 */
#include "table/lines.h"

#include "table/kind.h"

void table_note(struct table_notes *notes, const char *fmt, ...)
{
    va_list ap;

    if (!notes)
        return;
    va_start(ap, fmt);
    str text = arena_vfmt(notes->arena, fmt, ap);
    va_end(ap);
    vec_push(notes->arena, &notes->list, text);
}

/* The next physical line without its newline; false at the end. */
static bool physical(struct lines *l, str *line)
{
    str rest = str_skip(l->text, l->at);
    size_t end = str_chr(rest, '\n');

    if (str_empty(rest))
        return false;
    *line = str_head(rest, end == STR_NONE ? rest.n : end);
    l->at += line->n + (end != STR_NONE);
    l->line++;
    return true;
}

static bool is_ignored(str line)
{
    size_t i = 0;

    while (i < line.n && is_space(line.p[i]))
        i++;
    return i == line.n || line.p[i] == '#';
}

static str rtrim_space(str s)
{
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Puts first and the lines that continue it into buf, if there are any. */
static void continuations(struct lines *l, str first, struct buf *buf)
{
    struct lines before;
    str line;

    for (;;) {
        before = *l;
        if (!physical(l, &line))
            return;
        if (is_ignored(line))
            continue;
        if (!is_space(line.p[0]))
            break;
        if (buf->n == 0)
            buf_add(buf, first);
        buf_add(buf, line);
    }
    *l = before;
}

/* The logical line that starts with first. */
static str gather(struct lines *l, str first)
{
    struct buf buf;
    str logical;

    buf_init(&buf, l->arena, TABLE_TEXT_MAX);
    continuations(l, first, &buf);
    logical = buf.n ? buf_str(&buf) : first;
    size_t nul = str_chr(logical, 0);
    if (nul != STR_NONE)
        logical.n = nul;
    return rtrim_space(logical);
}

bool lines_next(struct lines *l, str *logical, int *line)
{
    str first;

    while (physical(l, &first)) {
        if (is_ignored(first))
            continue;
        *line = l->line;
        *logical = gather(l, first);
        if (str_empty(*logical))
            continue; /* it began with a NUL */
        if (!is_space(first.p[0]))
            return true;
        /* Only the first one can be: the others continue something. */
        table_note(l->notes, "%.*s: logical line must not start with "
                   "whitespace: \"%.*s%s\"", STR(l->origin),
                   STR(table_printable(l->arena, str_head(*logical, 30))),
                   logical->n > 30 ? "..." : "");
    }
    return false;
}

bool lines_pair(str logical, str *key, str *value)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < logical.n; i++) {
        char c = logical.p[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (is_space(c) && !quoted)
            break;
    }
    if (quoted)
        return false;
    *key = str_head(logical, i);
    *value = rtrim_space(str_skip(logical, i));
    while (value->n > 0 && is_space(value->p[0]))
        *value = str_skip(*value, 1);
    return true;
}

static bool is_separator(char c)
{
    return c == ',' || is_space(c);
}

bool items_next(str *rest, str *item)
{
    size_t depth = 0, i = 0;

    while (rest->n > 0 && is_separator(rest->p[0]))
        *rest = str_skip(*rest, 1);
    for (; i < rest->n && (depth || !is_separator(rest->p[i])); i++) {
        if (rest->p[i] == '{')
            depth++;
        else if (rest->p[i] == '}' && depth)
            depth--;
    }
    *item = str_head(*rest, i);
    *rest = str_skip(*rest, i);
    return i > 0;
}

const char *braces_strip(str text, str *inner)
{
    size_t depth = 0, i;

    if (str_empty(text) || text.p[0] != '{')
        return "no '{' at start of text";
    for (i = 0; i < text.n; i++) {
        if (text.p[i] == '{')
            depth++;
        else if (text.p[i] == '}' && --depth == 0)
            break;
    }
    if (i == text.n)
        return "missing '}'";
    if (i + 1 < text.n)
        return "syntax error after '}'";
    *inner = str_trim(str_head(str_skip(text, 1), i - 1));
    return NULL;
}
