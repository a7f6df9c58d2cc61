/* SPDX-License-Identifier: ISC
 *
 * base64, hexadecimal, UTF-8.
 */
#include "base/text.h"

static const char base64_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i += 3) {
        size_t n = s.n - i < 3 ? s.n - i : 3;
        uint32_t w = (uint32_t)(unsigned char)s.p[i] << 16;
        char out[4] = { 0, 0, '=', '=' };

        if (n > 1)
            w |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
        if (n > 2)
            w |= (unsigned char)s.p[i + 2];
        out[0] = base64_chars[w >> 18];
        out[1] = base64_chars[w >> 12 & 63];
        if (n > 1)
            out[2] = base64_chars[w >> 6 & 63];
        if (n > 2)
            out[3] = base64_chars[w & 63];
        buf_add(to, (str){ out, 4 });
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *to, str s)
{
    if (s.n % 4)
        return false;
    for (size_t i = 0; i < s.n; i += 4) {
        size_t n = 4;
        uint32_t w = 0;

        if (i + 4 == s.n)
            while (n > 2 && s.p[i + n - 1] == '=')
                n--;
        for (size_t j = 0; j < n; j++) {
            int v = base64_value(s.p[i + j]);
            if (v < 0)
                return false;
            w |= (uint32_t)v << (18 - 6 * j);
        }
        char out[3] = { (char)(w >> 16), (char)(w >> 8), (char)w };
        buf_add(to, (str){ out, n - 1 });
    }
    return true;
}

void hex_encode(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_byte(to, "0123456789abcdef"[c >> 4]);
        buf_byte(to, "0123456789abcdef"[c & 15]);
    }
}

bool utf8_next(str *s, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char c;
    size_t n;
    uint32_t w;

    if (s->n == 0)
        return false;
    c = (unsigned char)s->p[0];
    n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3
      : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || n > s->n)
        goto ill;
    w = n == 1 ? c : c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        unsigned char next = (unsigned char)s->p[i];
        if ((next & 0xc0) != 0x80)
            goto ill;
        w = w << 6 | (next & 0x3f);
    }
    if (w < least[n] || w > 0x10ffff || (w >= 0xd800 && w < 0xe000))
        goto ill;
    *s = str_skip(*s, n);
    *code = w;
    return true;
ill:
    *s = str_skip(*s, 1);
    return false;
}

bool utf8_valid(str s)
{
    uint32_t code;

    while (s.n)
        if (!utf8_next(&s, &code))
            return false;
    return true;
}

void utf8_put(struct buf *to, uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        code = 0xfffd;
    if (code < 0x80) {
        buf_byte(to, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_byte(to, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_byte(to, (char)(0xe0 | code >> 12));
        } else {
            buf_byte(to, (char)(0xf0 | code >> 18));
            buf_byte(to, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_byte(to, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_byte(to, (char)(0x80 | (code & 0x3f)));
}

bool str_is_ascii(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}
