/* SPDX-License-Identifier: ISC
 *
 * Certificates, keys, authorities and DH parameters, from PEM into a context.
 */
#include "net/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static BIO *bio_of(str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);

    must(b != NULL);
    return b;
}

/* A key and certificates as they are read. */
struct gathered {
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) *chain;
};

static void forget(struct gathered *g)
{
    EVP_PKEY_free(g->key);
    X509_free(g->leaf);
    sk_X509_pop_free(g->chain, X509_free);
    *g = (struct gathered){ 0 };
}

static err hand_over(struct task *t, SSL_CTX *ctx, struct gathered *g)
{
    err e = OK;

    if (!g->leaf)
        e = tls_failed(t, ERR_SYNTAX, "certificate chain");
    else if (!g->key)
        e = tls_failed(t, ERR_SYNTAX, "private key");
    else if (SSL_CTX_use_cert_and_key(ctx, g->leaf, g->key, g->chain, 1) != 1)
        e = tls_failed(t, ERR_SYNTAX, "certificate and private key");
    forget(g);
    return e;
}

static err add_key(struct task *t, SSL_CTX *ctx, struct gathered *g,
                   const unsigned char *p, long n)
{
    if (g->key && g->leaf)
        TRY(hand_over(t, ctx, g));
    EVP_PKEY_free(g->key);
    g->key = d2i_AutoPrivateKey(NULL, &p, n);
    return g->key ? OK : tls_failed(t, ERR_SYNTAX, "private key");
}

static err add_certificate(struct task *t, struct gathered *g,
                           const unsigned char *p, long n)
{
    X509 *cert = d2i_X509_AUX(NULL, &p, n);

    if (!cert)
        return tls_failed(t, ERR_SYNTAX, "certificate chain");
    if (!g->leaf) {
        g->leaf = cert;
        return OK;
    }
    if (!g->chain)
        g->chain = sk_X509_new_null();
    must(g->chain && sk_X509_push(g->chain, cert) > 0);
    return OK;
}

/* Which blocks of a text count. */
enum { KEYS = 1, CERTIFICATES = 2 };

static err gather(struct task *t, SSL_CTX *ctx, str pem, int what,
                  struct gathered *g)
{
    BIO *b = bio_of(pem);
    char *name, *header;
    unsigned char *bytes;
    long n;
    err e = OK;

    while (!e && PEM_read_bio(b, &name, &header, &bytes, &n) == 1) {
        str kind = str_from(name);
        if (str_starts(kind, S("ENCRYPTED ")) || *header)
            e = why(t, ERR_SYNTAX, "private key: it is locked with a "
                    "password");
        else if ((what & KEYS) && str_ends(kind, S("PRIVATE KEY")))
            e = add_key(t, ctx, g, bytes, n);
        else if ((what & CERTIFICATES) && str_ends(kind, S("CERTIFICATE")))
            e = add_certificate(t, g, bytes, n);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(bytes, n > 0 ? (size_t)n : 0);
    }
    BIO_free(b);
    ERR_clear_error(); /* "no more blocks" is how it ends */
    return e;
}

err tls_use_pair(struct task *t, SSL_CTX *ctx, const struct tls_pair *pair)
{
    struct gathered g = { 0 };
    bool apart = !str_empty(pair->key_pem);
    err e = OK;

    if (apart)
        e = gather(t, ctx, pair->key_pem, KEYS, &g);
    if (!e)
        e = gather(t, ctx, pair->chain_pem,
                   apart ? CERTIFICATES : KEYS | CERTIFICATES, &g);
    if (!e)
        e = hand_over(t, ctx, &g);
    forget(&g);
    return e;
}

err tls_use_authorities(struct task *t, SSL_CTX *ctx, str pem)
{
    BIO *b = bio_of(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509 *cert;
    int n = 0;

    while ((cert = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL))) {
        X509_STORE_add_cert(store, cert);
        SSL_CTX_add_client_CA(ctx, cert);
        X509_free(cert);
        n++;
    }
    BIO_free(b);
    if (n == 0)
        return tls_failed(t, ERR_SYNTAX, "certificate authorities");
    ERR_clear_error();
    return OK;
}

err tls_use_dh(struct task *t, SSL_CTX *ctx, str pem)
{
    EVP_PKEY *group;
    BIO *b;

    if (str_empty(pem)) {
        SSL_CTX_set_dh_auto(ctx, 1);
        return OK;
    }
    b = bio_of(pem);
    group = PEM_read_bio_Parameters(b, NULL);
    BIO_free(b);
    if (!group || SSL_CTX_set0_tmp_dh_pkey(ctx, group) != 1) {
        EVP_PKEY_free(group);
        return tls_failed(t, ERR_SYNTAX, "DH parameters");
    }
    return OK;
}
