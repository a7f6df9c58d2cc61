/* SPDX-License-Identifier: ISC
 *
 * Mailbox names: modified UTF-7 (RFC 3501 section 5.1.3) to and from the
 * directories of Maildir++.
 *
 * A name has no empty level, no '/', no control or 8-bit byte; where the
 * separator is not '.', no '.' either, since that is what separates levels on
 * disk.  What LIST takes for wildcards may be there already, but is not made
 * (box_name_good).  A directory whose name is no modified UTF-7 has the name
 * that its bytes would have as UTF-8, and is found by it (box_find).
 */
#include "store/box.h"

bool box_is_inbox(str name)
{
    return str_ieq(name, S("INBOX"));
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

/* One "&...-" of UTF-16: whole characters, none of which ASCII could say. */
static bool shifted_valid(str s)
{
    uint32_t bits = 0, high = 0;
    int n_bits = 0;

    for (size_t i = 0; i < s.n; i++) {
        int v = base64_value(s.p[i]);
        uint32_t unit;

        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits < 16)
            continue;
        n_bits -= 16;
        unit = bits >> n_bits & 0xffff;
        if (high && (unit < 0xdc00 || unit > 0xdfff))
            return false;
        if (!high && (unit < 0x80 || (unit >= 0xdc00 && unit <= 0xdfff)))
            return false;
        high = !high && unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
    }
    return !high && n_bits < 6 && (bits & ((1u << n_bits) - 1)) == 0;
}

static bool utf7_valid(str s)
{
    while (s.n) {
        size_t at = str_chr(s, '&'), end;

        if (at == STR_NONE)
            return true;
        s = str_skip(s, at + 1);
        end = str_chr(s, '-');
        if (end == STR_NONE || (end && !shifted_valid(str_head(s, end))))
            return false;
        s = str_skip(s, end + 1);
        /* "&AOQ-&AOQ-" says in two shifts what one can */
        if (end && str_starts(s, S("&")) && !str_starts(s, S("&-")))
            return false;
    }
    return true;
}

bool store_name_valid(const struct store *st, str name)
{
    str rest = name, level;

    if (!name.n || name.n > BOX_NAME_MAX || name.p[0] == '~')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 32 || c > 126)
            return false;
        if ((c == '/' || c == '.') && (char)c != st->separator)
            return false;
    }
    while (str_cut(&rest, st->separator, &level))
        if (!level.n)
            return false;
    return utf7_valid(name);
}

bool box_name_good(const struct store *st, str name)
{
    return store_name_valid(st, name) && str_any(name, S("*%")) == STR_NONE;
}

str box_canonical(const struct store *st, struct arena *a, str name)
{
    str rest;

    if (name.n < 5 || !box_is_inbox(str_head(name, 5)))
        return name;
    rest = str_skip(name, 5);
    if (rest.n && rest.p[0] != st->separator)
        return name;
    return arena_cat(a, S("INBOX"), rest);
}

bool box_path(const struct store *st, struct arena *a, str name, str *path)
{
    struct buf b;

    if (!store_name_valid(st, name))
        return false;
    name = box_canonical(st, a, name);
    if (box_is_inbox(name)) {
        *path = S(".");
        return true;
    }
    buf_init(&b, a, BOX_NAME_MAX + 1);
    buf_byte(&b, '.');
    for (size_t i = 0; i < name.n; i++)
        buf_byte(&b, name.p[i] == st->separator ? '.' : name.p[i]);
    *path = buf_str(&b);
    return true;
}

/* --- names that other programs gave --------------------------------------- */

static void shift_put(struct buf *to, const uint16_t *units, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+,";
    uint32_t bits = 0;
    int n_bits = 0;

    buf_byte(to, '&');
    for (size_t i = 0; i < n; i++) {
        bits = bits << 16 | units[i];
        for (n_bits += 16; n_bits >= 6; n_bits -= 6)
            buf_byte(to, digits[bits >> (n_bits - 6) & 63]);
        bits &= (1u << n_bits) - 1;
    }
    if (n_bits)
        buf_byte(to, digits[bits << (6 - n_bits) & 63]);
    buf_byte(to, '-');
}

/* A directory's name that is no modified UTF-7, as UTF-8 in it: what is not
 * that either is U+FFFD.  An '&' is taken for itself. */
static void foreign_put(struct buf *to, str text)
{
    uint16_t units[BOX_NAME_MAX * 2 + 2];
    size_t n = 0;

    text = str_head(text, BOX_NAME_MAX);
    while (text.n || n) {
        uint32_t code = 0;

        if (text.n && !utf8_next(&text, &code))
            code = 0xfffd;
        if (code >= 0x10000) {
            units[n++] = (uint16_t)(0xd7c0 + (code >> 10));
            units[n++] = (uint16_t)(0xdc00 + (code & 0x3ff));
        } else if (code >= 0x80) {
            units[n++] = (uint16_t)code;
        }
        if (n && (code < 0x80 || !text.n)) {
            shift_put(to, units, n);
            n = 0;
        }
        if (code == '&')
            buf_add(to, S("&-"));
        else if (code && code < 0x80)
            buf_byte(to, (char)code);
    }
}

static bool name_plain(str path)
{
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] > 126)
            return false;
    return utf7_valid(path);
}

bool box_name(const struct store *st, struct arena *a, str path, str *name)
{
    struct buf b;

    if (path.n < 2 || path.p[0] != '.' || path.p[1] == '.')
        return false;
    path = str_skip(path, 1);
    buf_init(&b, a, BOX_NAME_MAX * 6);
    if (name_plain(path))
        buf_add(&b, path);
    else
        foreign_put(&b, path);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '.')
            b.p[i] = st->separator;
    *name = buf_str(&b);
    return store_name_valid(st, *name) && !box_is_inbox(*name);
}

err box_find(struct task *t, const struct store *st, struct arena *a,
             str name, str *path)
{
    struct file_stat fs;
    struct names names;
    str other;

    if (!box_path(st, a, name, path))
        return ERR_ABSENT;
    if (str_chr(name, '&') == STR_NONE
        || file_stat_path(t, st->root, *path, &fs) != ERR_ABSENT)
        return OK;
    TRY(dir_list(t, st->root, a, &names));
    for (size_t i = 0; i < names.n; i++)
        if (box_name(st, a, names.p[i], &other) && str_eq(other, name)) {
            *path = names.p[i];
            return OK;
        }
    return OK;                  /* it is not there, and would be there */
}
