/* SPDX-License-Identifier: ISC
 *
 * The cursor.
 */
#include "base/scan.h"

str scan_rest(const struct scan *s)
{
    return str_skip(s->in, s->at);
}

bool scan_byte(struct scan *s, char c)
{
    if (s->at >= s->in.n || s->in.p[s->at] != c)
        return false;
    s->at++;
    return true;
}

bool scan_word(struct scan *s, str word)
{
    if (!str_starts(scan_rest(s), word))
        return false;
    s->at += word.n;
    return true;
}

bool scan_iword(struct scan *s, str word)
{
    if (!str_istarts(scan_rest(s), word))
        return false;
    s->at += word.n;
    return true;
}

size_t scan_blanks(struct scan *s)
{
    size_t from = s->at;

    while (s->at < s->in.n && is_blank(s->in.p[s->at]))
        s->at++;
    return s->at - from;
}

static str taken(struct scan *s, size_t n)
{
    str part = str_head(scan_rest(s), n);

    s->at += part.n;
    return part;
}

str scan_while(struct scan *s, str set)
{
    return taken(s, str_span(scan_rest(s), set));
}

str scan_until(struct scan *s, str set)
{
    return taken(s, str_any(scan_rest(s), set));
}

str scan_class(struct scan *s, bool (*ok)(char))
{
    size_t n = 0;
    str rest = scan_rest(s);

    while (n < rest.n && ok(rest.p[n]))
        n++;
    return taken(s, n);
}

bool scan_uint(struct scan *s, uint64_t max, uint64_t *n)
{
    uint64_t value = 0;
    size_t at = s->at;

    while (at < s->in.n && is_digit(s->in.p[at])) {
        uint64_t digit = (uint64_t)(s->in.p[at] - '0');
        if (value > max / 10 || value * 10 > max - digit)
            return false;
        value = value * 10 + digit;
        at++;
    }
    if (at == s->at)
        return false;
    s->at = at;
    *n = value;
    return true;
}

bool str_uint(str s, uint64_t max, uint64_t *n)
{
    struct scan sc = scan_of(s);
    uint64_t value;

    if (!scan_uint(&sc, max, &value) || !scan_done(&sc))
        return false;
    *n = value;
    return true;
}

bool str_int(str s, int64_t *n)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t value;

    if (minus || (s.n > 0 && s.p[0] == '+'))
        s = str_skip(s, 1);
    if (!str_uint(s, INT64_MAX, &value))
        return false;
    *n = minus ? -(int64_t)value : (int64_t)value;
    return true;
}

bool str_hex(str s, uint64_t max, uint64_t *n)
{
    uint64_t value = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = lower(s.p[i]);
        uint64_t digit = is_digit(c) ? (uint64_t)(c - '0')
                       : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10) : 16;
        if (digit > 15 || value > (max >> 4))
            return false;
        value = value << 4 | digit;
    }
    if (value > max)
        return false;
    *n = value;
    return true;
}
