/* SPDX-License-Identifier: ISC
 *
 * Digests.
 */
#include "net/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *md_of(enum digest_kind kind)
{
    switch (kind) {
    case DIGEST_MD5:
        return EVP_md5();
    case DIGEST_SHA1:
        return EVP_sha1();
    case DIGEST_SHA256:
        return EVP_sha256();
    case DIGEST_SHA512:
        return EVP_sha512();
    case N_DIGESTS:
        break;
    }
    must_not_reach();
}

size_t digest_size(enum digest_kind kind)
{
    return (size_t)EVP_MD_get_size(md_of(kind));
}

struct digest digest_of(enum digest_kind kind, const str *parts, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct digest d = { .n = 0 };
    unsigned size = 0;
    bool good = ctx && EVP_DigestInit_ex(ctx, md_of(kind), NULL);

    for (size_t i = 0; i < n && good; i++)
        good = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
    good = good && EVP_DigestFinal_ex(ctx, d.bytes, &size);
    must(good);
    EVP_MD_CTX_free(ctx);
    d.n = size;
    return d;
}

struct digest digest_hmac(enum digest_kind kind, str key, str text)
{
    struct digest d = { .n = 0 };
    unsigned size = 0;

    must(key.n <= INT_MAX);
    must(HMAC(md_of(kind), key.p ? key.p : "", (int)key.n,
              (const unsigned char *)text.p, text.n, d.bytes, &size));
    d.n = size;
    return d;
}

bool secret_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
