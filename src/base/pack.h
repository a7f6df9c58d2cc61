/* SPDX-License-Identifier: ISC
 *
 * The one codec for messages between roles, log records and index rows:
 * little-endian numbers, and strings as u32 length and bytes.  Reading is
 * total: past the end or over a bound every read gives zero and sets .bad,
 * which the reader checks once, at the end.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"

void pack_u8(struct buf *b, uint8_t n);
void pack_u16(struct buf *b, uint16_t n);
void pack_u32(struct buf *b, uint32_t n);
void pack_u64(struct buf *b, uint64_t n);
void pack_i64(struct buf *b, int64_t n);
void pack_str(struct buf *b, str s);

/* Overwrites four bytes that were packed earlier at offset at. */
void pack_u32_at(struct buf *b, size_t at, uint32_t n);

struct unpack {
    const char *p, *end;
    bool bad;
};

struct unpack unpack_of(str s);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);

/* Borrowed from the input; empty and .bad if longer than max. */
str unpack_str(struct unpack *u, size_t max);

/* A count of things of at least size_min bytes each: bounded by what is
 * left, so that a loop over it ends. */
uint32_t unpack_count(struct unpack *u, size_t size_min);

/* True when all was read and nothing was bad. */
bool unpack_end(const struct unpack *u);

/* Numbers at fixed places in headers. */
static inline uint32_t get_u32(const char *p)
{
    uint32_t n;
    __builtin_memcpy(&n, p, sizeof(n));
    return n; /* little-endian hosts only: asserted in pack.c */
}

static inline uint64_t get_u64(const char *p)
{
    uint64_t n;
    __builtin_memcpy(&n, p, sizeof(n));
    return n;
}

static inline void put_u32(char *p, uint32_t n)
{
    __builtin_memcpy(p, &n, sizeof(n));
}

static inline void put_u64(char *p, uint64_t n)
{
    __builtin_memcpy(p, &n, sizeof(n));
}

/* CRC-32C (Castagnoli) of s, going on from crc (0 at first). */
uint32_t crc32c(uint32_t crc, str s);

#endif
