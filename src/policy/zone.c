/* SPDX-License-Identifier: ISC
 *
 * Patterns of addresses that DNS lists answer with: "127.0.0.2",
 * "127.0.[0..1].[2;4..8]".
 */
#include "policy/zone.h"

static void set_range(uint64_t bits[4], uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++)
        bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* "2" or "4..8". */
static bool read_range(struct scan *sc, uint64_t bits[4])
{
    uint64_t from, to;

    if (!scan_uint(sc, 255, &from))
        return false;
    to = from;
    if (scan_word(sc, S("..")) && !scan_uint(sc, 255, &to))
        return false;
    if (to < from)
        return false;
    set_range(bits, from, to);
    return true;
}

static bool read_number(struct scan *sc, uint64_t bits[4])
{
    uint64_t n;

    if (!scan_byte(sc, '[')) {
        if (!scan_uint(sc, 255, &n))
            return false;
        set_range(bits, n, n);
        return true;
    }
    do {
        if (!read_range(sc, bits))
            return false;
    } while (scan_byte(sc, ';'));
    return scan_byte(sc, ']');
}

const char *zone_read(str text, struct zone *out)
{
    size_t at = str_chr(text, '=');
    struct scan sc;

    *out = (struct zone){ .domain = str_head(text, at == STR_NONE ? text.n
                                                                  : at) };
    if (str_empty(out->domain))
        return "the domain is missing";
    if (at == STR_NONE)
        return NULL;
    out->filtered = true;
    sc = scan_of(str_skip(text, at + 1));
    for (int i = 0; i < 4; i++)
        if ((i > 0 && !scan_byte(&sc, '.'))
            || !read_number(&sc, out->pattern.bits[i]))
            return "bad address pattern";
    return scan_done(&sc) ? NULL : "bad address pattern";
}

bool zone_matches(const struct zone *z, const unsigned char ip[4])
{
    if (!z->filtered)
        return true;
    for (int i = 0; i < 4; i++)
        if (!(z->pattern.bits[i][ip[i] / 64] >> (ip[i] % 64) & 1))
            return false;
    return true;
}
