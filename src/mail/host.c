/* SPDX-License-Identifier: ISC
 *
 * Host names and literal addresses.
 */
#include "mail/host.h"

enum { LABEL_MAX = 63, NAME_MAX_ = 255 };

static bool label_valid(str label, bool utf8)
{
    if (label.n == 0 || (label.n > LABEL_MAX && str_is_ascii(label)))
        return false;
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!is_alnum(c) && c != '-' && c != '_' &&
            !(utf8 && (unsigned char)c >= 128))
            return false;
    }
    return true;
}

bool host_valid(str name, bool utf8)
{
    str rest = name, label;

    if (name.n == 0 || name.n > NAME_MAX_)
        return false;
    if (str_span(name, S("0123456789.")) == STR_NONE)
        return false;
    while (str_cut(&rest, '.', &label))
        if (!label_valid(label, utf8))
            return false;
    return !utf8 || utf8_valid(name);
}

bool host_fully_qualified(str name, bool utf8)
{
    if (str_ends(name, S(".")))
        name = str_head(name, name.n - 1);
    return host_valid(name, utf8) && str_chr(name, '.') != STR_NONE;
}

bool host_ip4_valid(str s)
{
    str rest = s, part;
    int n = 0;

    while (str_cut(&rest, '.', &part)) {
        uint64_t value;
        if (part.n > 3 || !str_uint(part, 255, &value))
            return false;
        n++;
    }
    return n == 4;
}

static bool is_hex_group(str s)
{
    uint64_t value;

    return s.n >= 1 && s.n <= 4 && str_hex(s, 0xffff, &value);
}

/* Counts the groups of a half of an address; -1 if there is a bad one.  A
 * dotted quad at the end of the whole address counts as two. */
static int count_groups(str half, bool last)
{
    str group;
    int n = 0;

    if (half.n == 0)
        return 0;
    while (str_cut(&half, ':', &group)) {
        if (last && !half.p && host_ip4_valid(group))
            n += 2;
        else if (is_hex_group(group))
            n++;
        else
            return -1;
    }
    return n;
}

bool host_ip6_valid(str s)
{
    size_t gap = str_find(s, S("::"));
    int left, right;

    if (s.n < 2 || s.n > 45)
        return false;
    if (gap == STR_NONE)
        return count_groups(s, true) == 8;
    left = count_groups(str_head(s, gap), false);
    right = count_groups(str_skip(s, gap + 2), true);
    return left >= 0 && right >= 0 && left + right <= 7;
}

bool host_address_valid(str s)
{
    return host_ip4_valid(s) || host_ip6_valid(s);
}

bool host_literal(str s, str *address)
{
    str inside;
    bool good;

    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    inside = (str){ s.p + 1, s.n - 2 };
    if (str_istarts(inside, S("IPv6:"))) {
        inside = str_skip(inside, 5);
        good = host_ip6_valid(inside);
    } else {
        good = host_ip4_valid(inside);
    }
    if (good && address)
        *address = inside;
    return good;
}
