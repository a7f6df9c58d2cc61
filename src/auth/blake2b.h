/* SPDX-License-Identifier: ISC
 *
 * BLAKE2b without a key, for hashes of any size up to 64 bytes (RFC 7693):
 * OpenSSL before 3.2 has the largest size only.
 */
#ifndef AUTH_BLAKE2B_H
#define AUTH_BLAKE2B_H

#include "base/base.h"

enum { BLAKE2B_MAX = 64, BLAKE2B_BLOCK = 128 };

struct blake2b {
    uint64_t h[8], total;
    unsigned char block[BLAKE2B_BLOCK];
    size_t n, size;
};

/* size: 1 to BLAKE2B_MAX bytes of result. */
void blake2b_init(struct blake2b *b, size_t size);
void blake2b_add(struct blake2b *b, str bytes);
void blake2b_end(struct blake2b *b, char *out);

#endif
