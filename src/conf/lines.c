/* SPDX-License-Identifier: ISC
 *
 * Logical lines.
 */
#include "conf/lines.h"

#define SPACES S(" \t\r\n\v\f")
#define LINE_MAX_SIZE ((size_t)1 << 20)

bool line_physical(str *rest, str *line)
{
    size_t end = str_chr(*rest, '\n');

    if (rest->n == 0)
        return false;
    *line = str_head(*rest, end == STR_NONE ? rest->n : end + 1);
    *rest = str_skip(*rest, line->n);
    return true;
}

enum line_kind line_kind_of(str physical)
{
    size_t first = str_span(physical, SPACES);

    if (first == STR_NONE || physical.p[first] == '#')
        return LINE_NOTHING;
    return first == 0 ? LINE_STARTS : LINE_GOES_ON;
}

static str without_newline(str line)
{
    return str_ends(line, S("\n")) ? str_head(line, line.n - 1) : line;
}

static str without_blanks_behind(str s)
{
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool conf_lines_next(struct conf_lines *l, struct arena *a,
                     struct conf_line *out)
{
    str line = S(""), next, rest;
    enum line_kind kind = LINE_NOTHING;
    struct buf joined;

    while (kind == LINE_NOTHING) {
        if (!line_physical(&l->rest, &line))
            return false;
        l->line++;
        kind = line_kind_of(line);
    }
    out->line = l->line - 1;
    out->stray = kind == LINE_GOES_ON;
    out->text = without_newline(line);
    buf_init(&joined, a, LINE_MAX_SIZE);
    for (rest = l->rest; line_physical(&rest, &next); l->rest = rest) {
        kind = line_kind_of(next);
        if (kind == LINE_STARTS)
            break;
        l->line++;
        if (kind == LINE_NOTHING)
            continue;
        if (joined.n == 0)
            buf_add(&joined, out->text);
        buf_add(&joined, without_newline(next));
    }
    if (joined.n)
        out->text = buf_str(&joined);
    out->text = without_blanks_behind(out->text);
    return true;
}

bool line_name_value(str line, str *name, str *value, str *complaint)
{
    str rest = str_skip(line, str_span(line, SPACES));
    size_t end = str_any(rest, S("= \t\r\n\v\f"));

    *name = str_head(rest, end);
    rest = str_skip(rest, name->n);
    rest = str_skip(rest, str_span(rest, SPACES));
    if (name->n == 0) {
        *complaint = S("missing attribute name");
        return false;
    }
    if (rest.n == 0 || rest.p[0] != '=') {
        *complaint = S("missing '=' after attribute name");
        return false;
    }
    rest = str_skip(rest, 1);
    rest = str_skip(rest, str_span(rest, SPACES));
    *value = without_blanks_behind(rest);
    return true;
}
