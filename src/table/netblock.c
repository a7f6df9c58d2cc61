/* SPDX-License-Identifier: ISC
 *
 * Addresses and networks.
 */
#include "table/netblock.h"

#include <arpa/inet.h>

bool netblock_single(str text, struct netblock *out)
{
    char c[64];

    if (text.n == 0 || text.n >= sizeof(c) || str_chr(text, 0) != STR_NONE)
        return false;
    memcpy(c, text.p, text.n);
    c[text.n] = 0;
    *out = (struct netblock){ 0 };
    if (inet_pton(AF_INET, c, out->ip) == 1)
        out->size = 4;
    else if (inet_pton(AF_INET6, c, out->ip) == 1)
        out->size = 16;
    out->bits = (uint8_t)(out->size * 8);
    return out->size > 0;
}

/* Clears the bits after the prefix; whether there were any. */
static bool mask(struct netblock *b)
{
    bool had = false;

    for (int bit = b->bits; bit < b->size * 8; bit++) {
        unsigned char one = (unsigned char)(0x80 >> (bit % 8));
        had |= (b->ip[bit / 8] & one) != 0;
        b->ip[bit / 8] &= (unsigned char)~one;
    }
    return had;
}

/* Takes [ ] off; *text is "ADDRESS" or "ADDRESS/BITS" afterwards.  The whole
 * of it, or the address alone, may be inside. */
static const char *unbracket(struct arena *a, str *text)
{
    size_t close;

    if (str_empty(*text) || text->p[0] != '[')
        return NULL;
    close = str_chr(*text, ']');
    if (close == STR_NONE)
        return arena_fmt(a, "missing ']' character after \"%.*s\"",
                         STR(*text)).p;
    str inside = str_skip(str_head(*text, close), 1);
    str rest = str_skip(*text, close + 1);
    if (str_empty(rest)) {
        *text = inside;
        return NULL;
    }
    if (rest.p[0] != '/' || str_chr(inside, '/') != STR_NONE)
        return arena_fmt(a, "garbage after \"%.*s\"",
                         STR(str_head(*text, close + 1))).p;
    *text = arena_cat(a, inside, rest);
    return NULL;
}

const char *netblock_parse(struct arena *a, str text, struct netblock *out)
{
    struct netblock block;
    const char *trouble = unbracket(a, &text);
    uint64_t bits;

    if (trouble)
        return trouble;
    size_t slash = str_chr(text, '/');
    str address = str_head(text, slash == STR_NONE ? text.n : slash);
    if (slash != STR_NONE
        && !str_uint(str_skip(text, slash + 1), UINT32_MAX, &bits))
        return arena_fmt(a, "bad mask value in \"%.*s\"", STR(text)).p;
    if (!netblock_single(address, &block))
        return arena_fmt(a, "bad address pattern: \"%.*s\"", STR(text)).p;
    if (slash == STR_NONE) {
        *out = block;
        return NULL;
    }
    if (bits > block.bits)
        return arena_fmt(a, "bad mask length in \"%.*s\"", STR(text)).p;
    block.bits = (uint8_t)bits;
    if (mask(&block))
        return arena_fmt(a, "non-null host address bits in \"%.*s\", perhaps "
                         "you should use \"%.*s/%u\" instead", STR(text),
                         STR(netblock_text(&block, a)), block.bits).p;
    *out = block;
    return NULL;
}

bool netblock_holds(const struct netblock *block,
                    const struct netblock *address)
{
    int whole = block->bits / 8, part = block->bits % 8;

    if (block->size != address->size
        || memcmp(block->ip, address->ip, (size_t)whole) != 0)
        return false;
    return part == 0
        || ((block->ip[whole] ^ address->ip[whole]) >> (8 - part)) == 0;
}

str netblock_text(const struct netblock *block, struct arena *a)
{
    char c[INET6_ADDRSTRLEN];

    inet_ntop(block->size == 4 ? AF_INET : AF_INET6, block->ip, c, sizeof(c));
    return arena_str(a, str_from(c));
}
