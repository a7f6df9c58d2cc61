/* SPDX-License-Identifier: ISC
 *
 * Known digests.
 */
#include "net/digest.h"

#include "test/unit/check.h"

static str hex(struct arena *a, struct digest d)
{
    struct buf b;

    buf_init(&b, a, 200);
    hex_encode(&b, digest_str(&d));
    return buf_str(&b);
}

TEST(net_digest)
{
    str parts[] = { S("a"), S("bc") };
    struct arena a;

    arena_init(&a, 0);
    check_str(hex(&a, digest_of(DIGEST_MD5, parts, 2)),
              S("900150983cd24fb0d6963f7d28e17f72"));
    check_str(hex(&a, digest_of(DIGEST_SHA1, parts, 2)),
              S("a9993e364706816aba3e25717850c26c9cd0d89d"));
    check_int(digest_of(DIGEST_SHA512, NULL, 0).n, 64);
    check_str(hex(&a, digest_hmac(DIGEST_MD5, S("Jefe"),
                                  S("what do ya want for nothing?"))),
              S("750c783e6ab0b503eaa86e310a5db738"));
    check(secret_eq(S("a"), S("a")) && !secret_eq(S("a"), S("b")));
    check(!secret_eq(S("a"), S("ab")) && secret_eq(S(""), S("")));
    arena_reset(&a);
}
