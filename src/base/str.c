/* SPDX-License-Identifier: ISC
 *
 * Slices: comparing, finding, cutting.  All total, none allocates.
 */
#include "base/str.h"

#include <string.h>

str str_from(const char *c)
{
    return (str){ c, c ? strlen(c) : 0 };
}

bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(str a, str b)
{
    return a.n == b.n && str_icmp(a, b) == 0;
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;

    if (d)
        return d;
    return a.n < b.n ? -1 : a.n > b.n;
}

int str_icmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        int d = (unsigned char)lower(a.p[i]) - (unsigned char)lower(b.p[i]);
        if (d)
            return d;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && str_eq(str_head(s, prefix.n), prefix);
}

bool str_istarts(str s, str prefix)
{
    return s.n >= prefix.n && str_ieq(str_head(s, prefix.n), prefix);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

bool str_iends(str s, str suffix)
{
    return s.n >= suffix.n && str_ieq(str_skip(s, s.n - suffix.n), suffix);
}

size_t str_chr(str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : STR_NONE;
}

size_t str_rchr(str s, char c)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : STR_NONE;
}

size_t str_find(str s, str needle)
{
    const char *hit;

    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return STR_NONE;
    hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : STR_NONE;
}

size_t str_ifind(str s, str needle)
{
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (str_ieq((str){ s.p + i, needle.n }, needle))
            return i;
    return STR_NONE;
}

size_t str_any(str s, str set)
{
    for (size_t i = 0; i < s.n; i++)
        if (str_chr(set, s.p[i]) != STR_NONE)
            return i;
    return STR_NONE;
}

size_t str_span(str s, str set)
{
    for (size_t i = 0; i < s.n; i++)
        if (str_chr(set, s.p[i]) == STR_NONE)
            return i;
    return STR_NONE;
}

str str_skip(str s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return (str){ s.p ? s.p + n : NULL, s.n - n };
}

str str_head(str s, size_t n)
{
    return (str){ s.p, n < s.n ? n : s.n };
}

str str_rtrim(str s)
{
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

str str_trim(str s)
{
    while (s.n > 0 && is_space(s.p[0]))
        s = str_skip(s, 1);
    return str_rtrim(s);
}

bool str_cut(str *rest, char sep, str *part)
{
    size_t at;

    if (!rest->p)
        return false;
    at = str_chr(*rest, sep);
    if (at == STR_NONE) {
        *part = *rest;
        *rest = (str){ NULL, 0 };
    } else {
        *part = str_head(*rest, at);
        *rest = str_skip(*rest, at + 1);
    }
    return true;
}

bool str_token(str *rest, str seps, str *part)
{
    size_t begin = str_span(*rest, seps);
    size_t end;

    if (begin == STR_NONE) {
        *rest = (str){ NULL, 0 };
        return false;
    }
    *rest = str_skip(*rest, begin);
    end = str_any(*rest, seps);
    *part = str_head(*rest, end == STR_NONE ? rest->n : end);
    *rest = str_skip(*rest, part->n);
    return true;
}
