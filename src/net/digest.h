/* SPDX-License-Identifier: ISC
 *
 * Digests and their keyed form.  Pure; OpenSSL does the arithmetic.
 */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include "base/base.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512,
                   N_DIGESTS };

enum { DIGEST_SIZE_MAX = 64 };

struct digest {
    unsigned char bytes[DIGEST_SIZE_MAX];
    size_t n;
};

static inline str digest_str(const struct digest *d)
{
    return str_of(d->bytes, d->n);
}

size_t digest_size(enum digest_kind kind);

/* The digest of the parts joined. */
struct digest digest_of(enum digest_kind kind, const str *parts, size_t n);

/* HMAC (RFC 2104). */
struct digest digest_hmac(enum digest_kind kind, str key, str text);

/* PBKDF2 over HMAC (RFC 8018): size bytes, at most DIGEST_SIZE_MAX. */
struct digest digest_pbkdf2(enum digest_kind kind, str secret, str salt,
                            uint32_t rounds, size_t size);

/* How far HMAC-MD5 is when its key went in, outer part before inner, 16 bytes
 * each: what servers keep instead of the secret of CRAM-MD5. */
struct digest digest_cram_md5(str secret);

/* Equality in a time that depends on the lengths only. */
bool secret_eq(str a, str b);

#endif
