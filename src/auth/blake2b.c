/* SPDX-License-Identifier: ISC
 *
 * BLAKE2b (RFC 7693).
 */
#include "auth/blake2b.h"

#include <string.h>

static const uint64_t iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
    0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const unsigned char sigma[10][16] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
    { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
    { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
    { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
    { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
    { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
    { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
    { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
    { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotr(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

static void mix(uint64_t *v, int i, uint64_t x, uint64_t y)
{
    int a = i % 4, shift = i / 4;   /* columns, then diagonals */
    int b = 4 + (a + shift) % 4, c = 8 + (a + 2 * shift) % 4;
    int d = 12 + (a + 3 * shift) % 4;

    v[a] += v[b] + x;
    v[d] = rotr(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 63);
}

static void take_block(struct blake2b *b, bool last)
{
    uint64_t v[16], m[16] = { 0 };

    for (int i = 0; i < BLAKE2B_BLOCK; i++)
        m[i / 8] |= (uint64_t)b->block[i] << (8 * (i % 8));
    memcpy(v, b->h, sizeof(b->h));
    memcpy(v + 8, iv, sizeof(iv));
    v[12] ^= b->total;
    v[14] ^= last ? UINT64_MAX : 0;
    for (int round = 0; round < 12; round++)
        for (int i = 0; i < 8; i++)
            mix(v, i, m[sigma[round % 10][2 * i]],
                m[sigma[round % 10][2 * i + 1]]);
    for (int i = 0; i < 8; i++)
        b->h[i] ^= v[i] ^ v[i + 8];
}

void blake2b_init(struct blake2b *b, size_t size)
{
    must(size > 0 && size <= BLAKE2B_MAX);
    *b = (struct blake2b){ .size = size };
    memcpy(b->h, iv, sizeof(iv));
    b->h[0] ^= 0x01010000 ^ size;
}

/* A full block waits: the last one is another. */
void blake2b_add(struct blake2b *b, str bytes)
{
    while (bytes.n > 0) {
        size_t n = BLAKE2B_BLOCK - b->n;
        if (n == 0) {
            b->total += BLAKE2B_BLOCK;
            take_block(b, false);
            b->n = 0;
            continue;
        }
        if (n > bytes.n)
            n = bytes.n;
        memcpy(b->block + b->n, bytes.p, n);
        b->n += n;
        bytes = str_skip(bytes, n);
    }
}

void blake2b_end(struct blake2b *b, char *out)
{
    b->total += b->n;
    memset(b->block + b->n, 0, BLAKE2B_BLOCK - b->n);
    take_block(b, true);
    for (size_t i = 0; i < b->size; i++)
        out[i] = (char)(b->h[i / 8] >> (8 * (i % 8)));
}
