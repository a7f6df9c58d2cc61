/* SPDX-License-Identifier: ISC
 *
 * Packing.
 */
#include "base/pack.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "records are little-endian in memory");

#define PACK_NUMBER(name, type)                                               \
    void pack_##name(struct buf *b, type n)                                   \
    {                                                                         \
        char bytes[sizeof(n)];                                                \
        __builtin_memcpy(bytes, &n, sizeof(n));                               \
        buf_add(b, (str){ bytes, sizeof(n) });                                \
    }                                                                         \
    type unpack_##name(struct unpack *u)                                      \
    {                                                                         \
        type n = 0;                                                           \
        if ((size_t)(u->end - u->p) < sizeof(n)) {                            \
            u->bad = true;                                                    \
            u->p = u->end;                                                    \
            return 0;                                                         \
        }                                                                     \
        __builtin_memcpy(&n, u->p, sizeof(n));                                \
        u->p += sizeof(n);                                                    \
        return n;                                                             \
    }

PACK_NUMBER(u8, uint8_t)
PACK_NUMBER(u16, uint16_t)
PACK_NUMBER(u32, uint32_t)
PACK_NUMBER(u64, uint64_t)
PACK_NUMBER(i64, int64_t)

void pack_str(struct buf *b, str s)
{
    if (s.n > UINT32_MAX) {
        b->over = true;
        return;
    }
    pack_u32(b, (uint32_t)s.n);
    buf_add(b, s);
}

void pack_u32_at(struct buf *b, size_t at, uint32_t n)
{
    if (!b->over)
        put_u32(b->p + at, n);
}

struct unpack unpack_of(str s)
{
    return (struct unpack){ s.p, s.p ? s.p + s.n : NULL, false };
}

str unpack_str(struct unpack *u, size_t max)
{
    uint32_t n = unpack_u32(u);
    str s;

    if (n > max || (size_t)(u->end - u->p) < n) {
        u->bad = true;
        u->p = u->end;
        return S("");
    }
    s = (str){ u->p, n };
    u->p += n;
    return s;
}

uint32_t unpack_count(struct unpack *u, size_t size_min)
{
    uint32_t n = unpack_u32(u);

    if ((uint64_t)n * size_min > (size_t)(u->end - u->p)) {
        u->bad = true;
        u->p = u->end;
        return 0;
    }
    return n;
}

bool unpack_end(const struct unpack *u)
{
    return !u->bad && u->p == u->end;
}
