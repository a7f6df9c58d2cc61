/* SPDX-License-Identifier: ISC
 *
 * Argon2 (RFC 9106), version 1.3 and, for old hashes, 1.0.  Lanes are filled
 * one after the other: logins run beside each other anyway.
 *
 * Names of variables that are one letter are those of the RFC.
 */
#include "auth/argon2.h"

#include "auth/blake2b.h"
#include "net/digest.h"

#include <string.h>

enum { WORDS = 128, BLOCK = 8 * WORDS, SLICES = 4, TYPE_I = 1, TYPE_ID = 2,
       VERSION_OLD = 0x10, VERSION = 0x13, TAG_LEAST = 4, SALT_LEAST = 8 };

struct block {
    uint64_t w[WORDS];
};

struct argon2 {
    uint32_t type, version, m, t, p;
    str salt, tag;
    struct block *memory;
    uint32_t columns, segment;      /* of a lane */
};

/* Where in the filling we are. */
struct place {
    uint32_t pass, slice, lane, index;
};

static uint64_t rotr(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    return a + b + 2 * (a & UINT32_MAX) * (b & UINT32_MAX);
}

static void quarter(uint64_t *v, int a, int b, int c, int d)
{
    v[a] = mix(v[a], v[b]);
    v[d] = rotr(v[d] ^ v[a], 32);
    v[c] = mix(v[c], v[d]);
    v[b] = rotr(v[b] ^ v[c], 24);
    v[a] = mix(v[a], v[b]);
    v[d] = rotr(v[d] ^ v[a], 16);
    v[c] = mix(v[c], v[d]);
    v[b] = rotr(v[b] ^ v[c], 63);
}

/* The permutation P over eight pairs of words, the pairs `step' apart. */
static void permute(uint64_t *w, int step)
{
    uint64_t v[16];

    for (int i = 0; i < 8; i++) {
        v[2 * i] = w[i * step];
        v[2 * i + 1] = w[i * step + 1];
    }
    for (int i = 0; i < 4; i++)
        quarter(v, i, i + 4, i + 8, i + 12);
    for (int i = 0; i < 4; i++)
        quarter(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    for (int i = 0; i < 8; i++) {
        w[i * step] = v[2 * i];
        w[i * step + 1] = v[2 * i + 1];
    }
}

/* The compression function G, its result added to or put over *to. */
static void compress(const struct block *x, const struct block *y, bool add,
                     struct block *to)
{
    struct block r, q;

    for (int i = 0; i < WORDS; i++)
        q.w[i] = r.w[i] = x->w[i] ^ y->w[i];
    for (int i = 0; i < 8; i++)
        permute(q.w + 16 * i, 2);
    for (int i = 0; i < 8; i++)
        permute(q.w + 2 * i, 16);
    for (int i = 0; i < WORDS; i++)
        to->w[i] = q.w[i] ^ r.w[i] ^ (add ? to->w[i] : 0);
}

/* H': a hash of any size. */
static void hash_long(str in, char *out, size_t size)
{
    struct blake2b b;
    char v[BLAKE2B_MAX], le[4];

    for (int i = 0; i < 4; i++)
        le[i] = (char)(size >> (8 * i));
    blake2b_init(&b, size < BLAKE2B_MAX ? size : BLAKE2B_MAX);
    blake2b_add(&b, str_of(le, 4));
    blake2b_add(&b, in);
    blake2b_end(&b, v);
    while (size > BLAKE2B_MAX) {
        memcpy(out, v, BLAKE2B_MAX / 2);
        out += BLAKE2B_MAX / 2;
        size -= BLAKE2B_MAX / 2;
        blake2b_init(&b, size < BLAKE2B_MAX ? size : BLAKE2B_MAX);
        blake2b_add(&b, str_of(v, BLAKE2B_MAX));
        blake2b_end(&b, v);
    }
    memcpy(out, v, size);
}

static void put_le32(struct blake2b *b, uint64_t n)
{
    char le[4];

    for (int i = 0; i < 4; i++)
        le[i] = (char)(n >> (8 * i));
    blake2b_add(b, str_of(le, 4));
}

static void block_of(const char *bytes, struct block *out)
{
    for (int i = 0; i < WORDS; i++) {
        out->w[i] = 0;
        for (int k = 7; k >= 0; k--)
            out->w[i] = out->w[i] << 8 | (unsigned char)bytes[8 * i + k];
    }
}

static void bytes_of(const struct block *b, char *out)
{
    for (int i = 0; i < BLOCK; i++)
        out[i] = (char)(b->w[i / 8] >> (8 * (i % 8)));
}

/* The first two columns, from everything that goes in. */
static void begin(struct argon2 *g, str given)
{
    char seed[BLAKE2B_MAX + 8], bytes[BLOCK];
    struct blake2b b;

    blake2b_init(&b, BLAKE2B_MAX);
    put_le32(&b, g->p);
    put_le32(&b, g->tag.n);
    put_le32(&b, g->m);
    put_le32(&b, g->t);
    put_le32(&b, g->version);
    put_le32(&b, g->type);
    put_le32(&b, given.n);
    blake2b_add(&b, given);
    put_le32(&b, g->salt.n);
    blake2b_add(&b, g->salt);
    put_le32(&b, 0);    /* no key */
    put_le32(&b, 0);    /* no other data */
    blake2b_end(&b, seed);
    memset(seed + BLAKE2B_MAX, 0, 8);
    for (uint32_t lane = 0; lane < g->p; lane++) {
        seed[BLAKE2B_MAX + 4] = (char)lane;
        for (uint32_t i = 0; i < 2; i++) {
            seed[BLAKE2B_MAX] = (char)i;
            hash_long(str_of(seed, sizeof(seed)), bytes, BLOCK);
            block_of(bytes, &g->memory[lane * g->columns + i]);
        }
    }
}

/* The next 128 addresses, where they do not depend on the password. */
static void addresses(const struct argon2 *g, const struct place *at,
                      struct block *out)
{
    static const struct block zero;
    struct block in = { { at->pass, at->lane, at->slice,
                          (uint64_t)g->columns * g->p, g->t, g->type,
                          at->index / WORDS + 1 } };
    struct block half;

    compress(&zero, &in, false, &half);
    compress(&zero, &half, false, out);
}

/* The block that j refers to. */
static const struct block *referred(const struct argon2 *g,
                                    const struct place *at, uint64_t j)
{
    bool first = at->pass == 0;
    uint32_t lane = first && at->slice == 0 ? at->lane
                                            : (uint32_t)((j >> 32) % g->p);
    bool same = lane == at->lane;
    uint32_t done = first ? at->slice * g->segment : g->columns - g->segment;
    uint32_t area = same ? done + at->index - 1 : done - (at->index == 0);
    uint32_t from = first || at->slice == SLICES - 1
                        ? 0 : (at->slice + 1) * g->segment;
    uint64_t x = (j & UINT32_MAX) * (j & UINT32_MAX) >> 32;
    uint64_t column = area - 1 - ((uint64_t)area * x >> 32);

    return &g->memory[lane * g->columns + (from + column) % g->columns];
}

static void fill_segment(struct argon2 *g, struct place at)
{
    struct block *lane = g->memory + (size_t)at.lane * g->columns;
    bool fixed = g->type == TYPE_I
                 || (at.pass == 0 && at.slice < SLICES / 2);
    uint32_t least = at.pass == 0 && at.slice == 0 ? 2 : 0;
    struct block some;

    for (at.index = least; at.index < g->segment; at.index++) {
        uint32_t column = at.slice * g->segment + at.index;
        const struct block *before =
            &lane[column ? column - 1 : g->columns - 1];
        if (fixed && (at.index == least || at.index % WORDS == 0))
            addresses(g, &at, &some);
        compress(before, referred(g, &at, fixed ? some.w[at.index % WORDS]
                                                : before->w[0]),
                 at.pass > 0 && g->version != VERSION_OLD, &lane[column]);
    }
}

static void fill(struct argon2 *g)
{
    for (uint32_t pass = 0; pass < g->t; pass++)
        for (uint32_t slice = 0; slice < SLICES; slice++)
            for (uint32_t lane = 0; lane < g->p; lane++)
                fill_segment(g, (struct place){ pass, slice, lane, 0 });
}

static bool is_tag(struct argon2 *g)
{
    struct block last = g->memory[g->columns - 1];
    char bytes[BLOCK], tag[ARGON2_BYTES_MAX];

    for (uint32_t lane = 1; lane < g->p; lane++)
        for (int i = 0; i < WORDS; i++)
            last.w[i] ^= g->memory[(lane + 1) * g->columns - 1].w[i];
    bytes_of(&last, bytes);
    hash_long(str_of(bytes, BLOCK), tag, g->tag.n);
    return secret_eq(str_of(tag, g->tag.n), g->tag);
}

/* --- the encoded form ---------------------------------------------------- */

static bool number(str *in, str name, char end, uint64_t max, uint32_t *out)
{
    uint64_t n;
    str word;

    if (!str_starts(*in, name))
        return false;
    *in = str_skip(*in, name.n);
    if (!str_cut(in, end, &word) || !str_uint(word, max, &n) || n == 0)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* Base64 without the signs at its end. */
static bool unbase(struct arena *a, str text, str *out)
{
    struct buf b;
    str padded = arena_fmt(a, "%.*s%s", STR(text),
                           text.n % 4 == 2 ? "==" : text.n % 4 == 3 ? "="
                                                                    : "");

    buf_init(&b, a, ARGON2_BYTES_MAX);
    if (!base64_decode(&b, padded) || b.over)
        return false;
    *out = buf_str(&b);
    return true;
}

static bool parse(struct arena *a, str in, struct argon2 *g)
{
    str salt;

    if (str_starts(in, S("$argon2id$")))
        g->type = TYPE_ID;
    else if (str_starts(in, S("$argon2i$")))
        g->type = TYPE_I;
    else
        return false;
    in = str_skip(in, g->type == TYPE_ID ? 10 : 9);
    g->version = VERSION_OLD;
    if (str_starts(in, S("v="))
        && (!number(&in, S("v="), '$', VERSION, &g->version)
            || (g->version != VERSION && g->version != VERSION_OLD)))
        return false;
    return number(&in, S("m="), ',', ARGON2_MEMORY_MAX, &g->m)
           && number(&in, S("t="), ',', ARGON2_PASSES_MAX, &g->t)
           && number(&in, S("p="), '$', ARGON2_LANES_MAX, &g->p)
           && str_cut(&in, '$', &salt) && unbase(a, salt, &g->salt)
           && unbase(a, in, &g->tag) && g->salt.n >= SALT_LEAST
           && g->tag.n >= TAG_LEAST && g->m >= 8 * g->p;
}

bool argon2_valid(str encoded)
{
    struct argon2 g = { 0 };
    struct arena a;
    bool good;

    arena_init(&a, 0);
    good = parse(&a, encoded, &g);
    arena_reset(&a);
    return good;
}

err argon2_check(str encoded, str given)
{
    struct argon2 g = { 0 };
    struct arena a;
    err e = ERR_SYNTAX;

    arena_init(&a, 0);
    if (parse(&a, encoded, &g)) {
        g.segment = g.m / (SLICES * g.p);
        g.columns = g.segment * SLICES;
        g.memory = heap_alloc((size_t)g.columns * g.p * sizeof(*g.memory));
        begin(&g, given);
        fill(&g);
        e = is_tag(&g) ? OK : ERR_DENIED;
        heap_free(g.memory);
    }
    arena_reset(&a);
    return e;
}
