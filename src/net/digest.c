/* SPDX-License-Identifier: ISC
 *
 * Digests.
 */
/* MD5 in the middle of its work is not to be had otherwise. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "net/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <string.h>

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

struct digest digest_pbkdf2(enum digest_kind kind, str secret, str salt,
                            uint32_t rounds, size_t size)
{
    struct digest d = { .n = size };

    must(size <= sizeof(d.bytes) && rounds > 0 && rounds <= INT_MAX);
    must(secret.n <= INT_MAX && salt.n <= INT_MAX);
    must(PKCS5_PBKDF2_HMAC(secret.p ? secret.p : "", (int)secret.n,
                           (const unsigned char *)salt.p, (int)salt.n,
                           (int)rounds, md_of(kind), (int)size, d.bytes));
    return d;
}

static void put_state(struct digest *d, const unsigned char *key, int pad)
{
    unsigned char block[MD5_CBLOCK];
    MD5_CTX ctx;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (unsigned char)(key[i] ^ pad);
    must(MD5_Init(&ctx));
    must(MD5_Update(&ctx, block, sizeof(block)));
    const MD5_LONG words[] = { ctx.A, ctx.B, ctx.C, ctx.D };
    for (int i = 0; i < MD5_DIGEST_LENGTH; i++)
        d->bytes[d->n++] = (unsigned char)(words[i / 4] >> (8 * (i % 4)));
}

struct digest digest_cram_md5(str secret)
{
    unsigned char key[MD5_CBLOCK] = { 0 };
    struct digest d = { .n = 0 }, of_long;

    if (secret.n > sizeof(key)) {
        of_long = digest_of(DIGEST_MD5, &secret, 1);
        secret = digest_str(&of_long);
    }
    if (secret.n)
        memcpy(key, secret.p, secret.n);
    put_state(&d, key, 0x5c);
    put_state(&d, key, 0x36);
    return d;
}

bool secret_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
