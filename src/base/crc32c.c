/* SPDX-License-Identifier: ISC
 *
 * CRC-32C (Castagnoli, RFC 3720 B.4), by the processor's instruction where
 * there is one, else by a table of 256 words made at compile time.
 */
#include "base/pack.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define B1(n) ((n) & 1 ? (n) >> 1 ^ 0x82f63b78u : (n) >> 1)
#define B2(n) B1(B1(n))
#define B4(n) B2(B2(n))
#define B8(n) B4(B4(n))
#define T4(n) B8((n)), B8((n) + 1), B8((n) + 2), B8((n) + 3)
#define T16(n) T4(n), T4((n) + 4), T4((n) + 8), T4((n) + 12)
#define T64(n) T16(n), T16((n) + 16), T16((n) + 32), T16((n) + 48)

static const uint32_t table[256] = { T64(0u), T64(64u), T64(128u),
                                     T64(192u) };

static uint32_t crc_table(uint32_t crc, str s)
{
    for (size_t i = 0; i < s.n; i++)
        crc = table[(crc ^ (unsigned char)s.p[i]) & 0xff] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t crc_instruction(uint32_t crc, str s)
{
    uint64_t wide = crc;

    for (; s.n >= 8; s = str_skip(s, 8))
        wide = _mm_crc32_u64(wide, get_u64(s.p));
    crc = (uint32_t)wide;
    for (; s.n > 0; s = str_skip(s, 1))
        crc = _mm_crc32_u8(crc, (unsigned char)s.p[0]);
    return crc;
}

uint32_t crc32c(uint32_t crc, str s)
{
    return ~(__builtin_cpu_supports("sse4.2") ? crc_instruction(~crc, s)
                                              : crc_table(~crc, s));
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
uint32_t crc32c(uint32_t crc, str s)
{
    crc = ~crc;
    for (; s.n >= 8; s = str_skip(s, 8))
        crc = __crc32cd(crc, get_u64(s.p));
    return ~crc_table(crc, s);
}
#else
uint32_t crc32c(uint32_t crc, str s)
{
    return ~crc_table(~crc, s);
}
#endif
