/* SPDX-License-Identifier: ISC
 *
 * Reading arguments.
 */
#include "imap/args.h"

#include "mail/date.h"

#include <stdlib.h>

bool args_fail(struct args *x, const char *error)
{
    if (!x->error)
        x->error = error;
    return false;
}

int args_peek(const struct args *x)
{
    return x->error ? -1 : scan_peek(&x->in);
}

bool args_maybe(struct args *x, char c)
{
    return !x->error && scan_byte(&x->in, c);
}

bool args_byte(struct args *x, char c)
{
    return args_maybe(x, c) || args_fail(x, "Invalid arguments");
}

static void skip_blanks(struct args *x)
{
    while (scan_byte(&x->in, ' '))
        continue;
}

bool args_space(struct args *x)
{
    if (args_maybe(x, ' ')) {
        skip_blanks(x);
        return true;
    }
    return args_fail(x, scan_done(&x->in) ? "Missing arguments"
                                          : "Invalid arguments");
}

bool args_open(struct args *x)
{
    if (!args_maybe(x, '('))
        return false;
    skip_blanks(x);
    return true;
}

bool args_close(struct args *x)
{
    struct scan before = x->in;

    if (x->error)
        return false;
    skip_blanks(x);
    if (scan_byte(&x->in, ')'))
        return true;
    x->in = before;
    return false;
}

bool args_begin(struct args *x)
{
    return args_open(x) || args_fail(x, "Invalid arguments");
}

bool args_finish(struct args *x)
{
    return args_close(x) || args_fail(x, "Invalid arguments");
}

bool args_more(struct args *x)
{
    struct scan before = x->in;

    if (!args_maybe(x, ' '))
        return false;
    skip_blanks(x);
    if (!scan_done(&x->in) && scan_peek(&x->in) != ')')
        return true;
    x->in = before;
    return false;
}

bool args_end(struct args *x)
{
    if (x->error)
        return false;
    skip_blanks(x);             /* some clients leave blanks there */
    return scan_done(&x->in) || args_fail(x, "Extra arguments");
}

static bool is_atom_char(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 127
           && str_chr(S("(){%*\"\\]"), c) == STR_NONE;
}

static bool is_astring_char(char c)
{
    return is_atom_char(c) || c == ']';
}

static bool is_pattern_char(char c)
{
    return is_astring_char(c) || c == '%' || c == '*';
}

static bool is_word_char(char c)
{
    return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool take(struct args *x, bool (*ok)(char), str *out)
{
    if (x->error)
        return false;
    *out = scan_class(&x->in, ok);
    return out->n || args_fail(x, "Invalid characters in atom");
}

bool args_atom(struct args *x, str *out)
{
    return take(x, is_atom_char, out);
}

bool args_word(struct args *x, str *out)
{
    return take(x, is_word_char, out);
}

static bool quoted(struct args *x, str *out)
{
    struct buf b;
    str rest = scan_rest(&x->in);
    size_t end = str_any(rest, S("\"\\\r\n"));
    int c;

    if (end != STR_NONE && rest.p[end] == '"') {
        *out = str_head(rest, end);     /* nothing is escaped */
        x->in.at += end + 1;
        return true;
    }
    buf_init(&b, x->a, rest.n + 1);
    while ((c = scan_next(&x->in)) >= 0 && c != '"') {
        if (c == '\r' || c == '\n')
            return args_fail(x, "Missing '\"'");
        if (c == '\\') {
            c = scan_next(&x->in);
            if (c != '"' && c != '\\')
                return args_fail(x, "Invalid escape in string");
        }
        buf_byte(&b, (char)c);
    }
    *out = buf_str(&b);
    return c == '"' || args_fail(x, "Missing '\"'");
}

/* The opening brace was taken. */
static bool literal(struct args *x, str *out)
{
    uint64_t n;

    if (!scan_uint(&x->in, UINT32_MAX, &n))
        return args_fail(x, "Invalid literal size");
    if (!scan_byte(&x->in, '+'))
        scan_byte(&x->in, '-');
    if (!scan_word(&x->in, S("}\r\n")) || scan_rest(&x->in).n < n)
        return args_fail(x, "Invalid literal");
    *out = str_head(scan_rest(&x->in), (size_t)n);
    x->in.at += (size_t)n;
    return str_chr(*out, 0) == STR_NONE
           || args_fail(x, "NUL in literal");
}

bool args_string(struct args *x, str *out)
{
    if (args_maybe(x, '"'))
        return quoted(x, out);
    if (args_maybe(x, '{'))
        return literal(x, out);
    return args_fail(x, "Expected a string");
}

static bool is_string_next(const struct args *x)
{
    return args_peek(x) == '"' || args_peek(x) == '{';
}

bool args_astring(struct args *x, str *out)
{
    return is_string_next(x) ? args_string(x, out)
                             : take(x, is_astring_char, out);
}

bool args_pattern(struct args *x, str *out)
{
    return is_string_next(x) ? args_string(x, out)
                             : take(x, is_pattern_char, out);
}

bool args_nstring(struct args *x, str *out)
{
    str word;

    if (is_string_next(x))
        return args_string(x, out);
    if (!args_atom(x, &word))
        return false;
    *out = (str){ NULL, 0 };
    return str_ieq(word, S("NIL")) || args_fail(x, "Expected a string");
}

bool args_number(struct args *x, uint64_t max, uint64_t *out)
{
    return !x->error && (scan_uint(&x->in, max, out)
                         || args_fail(x, "Invalid number"));
}

static bool set_number(struct args *x, uint32_t *out)
{
    uint64_t n;

    if (args_maybe(x, '*')) {
        *out = UINT32_MAX;
        return true;
    }
    if (x->error || !scan_uint(&x->in, UINT32_MAX, &n) || !n)
        return args_fail(x, "Invalid message set");
    /* the largest number stands for '*'; as a number it names nothing, and
     * neither does the one before it */
    *out = n == UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)n;
    return true;
}

bool args_set(struct args *x, struct set *out)
{
    vec_of(struct set_range) list = { 0 };

    *out = (struct set){ NULL, 0, false };
    if (args_maybe(x, '$')) {
        out->saved = true;
        return true;
    }
    do {
        struct set_range r;

        if (!set_number(x, &r.from))
            return false;
        r.to = r.from;
        if (args_maybe(x, ':') && !set_number(x, &r.to))
            return false;
        if (r.from > r.to)
            r = (struct set_range){ r.to, r.from };
        vec_push(x->a, &list, r);
    } while (args_maybe(x, ','));
    out->p = list.p;
    out->n = list.n;
    return !x->error;
}

static int range_order(const void *a, const void *b)
{
    const struct set_range *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

struct set set_resolve(struct arena *a, const struct set *s, uint32_t last)
{
    struct set_range *p = arena_array(a, struct set_range, s->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct set_range r = s->p[i];
        /* "5:*" where 3 is the last one means 3:5 */
        if (r.to == UINT32_MAX) {
            r.to = r.from == UINT32_MAX || r.from < last ? last : r.from;
            r.from = r.from < last ? r.from : last;
        }
        p[i] = r;
    }
    if (s->n)
        qsort(p, s->n, sizeof(*p), range_order);
    for (size_t i = 0; i < s->n; i++) {
        if (n && p[i].from <= p[n - 1].to)
            p[n - 1].to = p[i].to > p[n - 1].to ? p[i].to : p[n - 1].to;
        else
            p[n++] = p[i];
    }
    return (struct set){ p, n, s->saved };
}

bool set_has(const struct set *s, uint32_t n)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->p[middle].to < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && s->p[low].from <= n;
}

static const struct {
    str name;
    uint8_t flag;
} system_flags[] = {
    { S_INIT("Answered"), 2 }, { S_INIT("Flagged"), 4 },
    { S_INIT("Deleted"), 8 }, { S_INIT("Seen"), 1 }, { S_INIT("Draft"), 16 },
};

static bool system_flag(struct args *x, struct flag_list *out)
{
    str name;

    if (!args_atom(x, &name))
        return false;
    for (size_t i = 0; i < 5; i++) {
        if (str_ieq(name, system_flags[i].name)) {
            out->flags |= system_flags[i].flag;
            return true;
        }
    }
    return args_fail(x, "Invalid system flag");     /* \Recent too */
}

bool args_flags(struct args *x, struct flag_list *out)
{
    bool list = args_open(x);
    vec_of(str) keywords = { 0 };

    *out = (struct flag_list){ 0 };
    if (list && args_close(x))
        return true;
    do {
        str word;

        if (args_maybe(x, '\\')) {
            if (!system_flag(x, out))
                return false;
            continue;
        }
        if (!args_atom(x, &word))
            return false;
        if (word.n > 100 || keywords.n >= 64)
            return args_fail(x, "Too many or too long flags");
        vec_push(x->a, &keywords, word);
    } while (args_more(x));
    if (list && !args_finish(x))
        return false;
    out->keywords = keywords.p;
    out->n_keywords = keywords.n;
    return !x->error;
}

/* "d-Mon-yyyy", the day of one or two digits, maybe after a space. */
static bool date_text(struct scan *s, struct date *d)
{
    uint64_t day, year;
    str month;

    scan_blanks(s);
    if (!scan_uint(s, 31, &day) || !day || !scan_byte(s, '-'))
        return false;
    month = scan_class(s, is_alpha);
    if (!scan_byte(s, '-') || !scan_uint(s, 9999, &year))
        return false;
    d->day = (int)day;
    d->month = date_month(month);
    d->year = (int)year;
    return d->month > 0;
}

static bool clock_text(struct scan *s, struct date *d)
{
    uint64_t h, m, sec, zone;
    bool west;

    if (!scan_byte(s, ' ') || !scan_uint(s, 23, &h) || !scan_byte(s, ':')
        || !scan_uint(s, 59, &m) || !scan_byte(s, ':')
        || !scan_uint(s, 60, &sec) || !scan_byte(s, ' '))
        return false;
    west = scan_byte(s, '-');
    if ((!west && !scan_byte(s, '+')) || !scan_uint(s, 2399, &zone)
        || zone % 100 > 59)
        return false;
    d->hour = (int)h;
    d->minute = (int)m;
    d->second = (int)sec;
    d->zone_s = (int)(zone / 100 * 3600 + zone % 100 * 60);
    if (west)
        d->zone_s = -d->zone_s;
    return true;
}

bool args_date_time(struct args *x, int64_t *seconds)
{
    struct date d = { 0 };
    struct scan s;
    str text;

    if (!args_string(x, &text))
        return false;
    s = scan_of(text);
    if (!date_text(&s, &d) || !clock_text(&s, &d) || !scan_done(&s))
        return args_fail(x, "Invalid internal date");
    *seconds = date_seconds(&d);
    return true;
}

bool args_date(struct args *x, int64_t *days)
{
    struct date d = { 0 };
    struct scan s;
    str text;
    int64_t seconds;

    if (!args_astring(x, &text))
        return false;
    s = scan_of(text);
    if (!date_text(&s, &d) || !scan_done(&s))
        return args_fail(x, "Invalid date");
    seconds = date_seconds(&d);
    *days = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
    return true;
}
