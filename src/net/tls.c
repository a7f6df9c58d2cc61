/* SPDX-License-Identifier: ISC
 *
 * TLS contexts and self-signed certificates.
 */
#include "net/tls.h"

#include "net/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

void tls_prepare(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

static err failed(struct task *t, err e, const char *what)
{
    unsigned long code = ERR_get_error();
    char text[256] = "unusable";

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return why(t, e, "%s: %s", what, text);
}

static BIO *bio_of(str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);

    must(b != NULL);
    return b;
}

static err use_chain(struct task *t, SSL_CTX *ctx, str pem)
{
    BIO *b = bio_of(pem);
    X509 *cert = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL);
    bool good = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    while (good && (cert = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        good = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
        if (!good)
            X509_free(cert);
    }
    BIO_free(b);
    if (!good)
        return failed(t, ERR_SYNTAX, "certificate chain");
    ERR_clear_error(); /* "no more certificates" is how it ends */
    return OK;
}

static err use_key(struct task *t, SSL_CTX *ctx, str pem)
{
    BIO *b = bio_of(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    bool good = key && SSL_CTX_use_PrivateKey(ctx, key) == 1
                && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    BIO_free(b);
    return good ? OK : failed(t, ERR_SYNTAX, "private key");
}

static err use_authorities(struct task *t, SSL_CTX *ctx, str pem)
{
    BIO *b = bio_of(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509 *cert;
    int n = 0;

    while ((cert = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        X509_STORE_add_cert(store, cert);
        SSL_CTX_add_client_CA(ctx, cert);
        X509_free(cert);
        n++;
    }
    BIO_free(b);
    if (n == 0)
        return failed(t, ERR_SYNTAX, "certificate authorities");
    ERR_clear_error();
    return OK;
}

static int version_of(str word)
{
    static const struct { str name; int version; } versions[] = {
        { S_INIT("SSLv3"), SSL3_VERSION },
        { S_INIT("TLSv1"), TLS1_VERSION },
        { S_INIT("TLSv1.1"), TLS1_1_VERSION },
        { S_INIT("TLSv1.2"), TLS1_2_VERSION },
        { S_INIT("TLSv1.3"), TLS1_3_VERSION },
    };

    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++)
        if (str_ieq(word, versions[i].name))
            return versions[i].version;
    return 0;
}

static uint64_t exclusion_of(int version)
{
    switch (version) {
    case SSL3_VERSION:   return SSL_OP_NO_SSLv3;
    case TLS1_VERSION:   return SSL_OP_NO_TLSv1;
    case TLS1_1_VERSION: return SSL_OP_NO_TLSv1_1;
    case TLS1_2_VERSION: return SSL_OP_NO_TLSv1_2;
    default:             return SSL_OP_NO_TLSv1_3;
    }
}

/* "!SSLv2, !SSLv3", "TLSv1.2 TLSv1.3", ">=TLSv1.2, <=TLSv1.3"
 * (smtpd_tls_protocols). */
static err use_protocols(struct task *t, SSL_CTX *ctx, str words)
{
    static const int all[] = { SSL3_VERSION, TLS1_VERSION, TLS1_1_VERSION,
                               TLS1_2_VERSION, TLS1_3_VERSION };
    uint64_t excluded = 0, included = 0;
    str word;

    while (str_token(&words, S(" \t\r\n,:"), &word)) {
        bool not = word.p[0] == '!';
        bool least = str_starts(word, S(">=")), most = str_starts(word, S("<="));
        str name = str_skip(word, not ? 1 : least || most ? 2 : 0);
        int version = version_of(name);

        if (str_ieq(name, S("SSLv2")) || (least && str_empty(name)))
            continue;
        if (!version)
            return why(t, ERR_SYNTAX, "invalid protocol name: %.*s",
                       STR(word));
        if (least)
            SSL_CTX_set_min_proto_version(ctx, version);
        else if (most)
            SSL_CTX_set_max_proto_version(ctx, version);
        else if (not)
            excluded |= exclusion_of(version);
        else
            included |= exclusion_of(version);
    }
    for (size_t i = 0; included && i < sizeof(all) / sizeof(*all); i++)
        if (!(included & exclusion_of(all[i])))
            excluded |= exclusion_of(all[i]);
    SSL_CTX_set_options(ctx, excluded);
    return OK;
}

static int accept_any_certificate(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1; /* judged after the handshake, by whoever asked */
}

static void context_free(void *arg)
{
    struct tls_context *c = arg;

    SSL_CTX_free(c->ssl_ctx);
}

static struct tls_context *context_new(struct arena *a, bool server)
{
    struct tls_context *c = arena_new(a, struct tls_context);

    c->server = server;
    c->ssl_ctx = SSL_CTX_new(server ? TLS_server_method()
                                    : TLS_client_method());
    must(c->ssl_ctx != NULL);
    SSL_CTX_set_mode(c->ssl_ctx, SSL_MODE_RELEASE_BUFFERS
                                     | SSL_MODE_ENABLE_PARTIAL_WRITE
                                     | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_RENEGOTIATION
                                        | SSL_OP_NO_COMPRESSION);
    arena_own(a, context_free, c);
    return c;
}

static err use_options(struct task *t, SSL_CTX *ctx,
                       const struct tls_options *o, struct arena *a)
{
    if (!str_empty(o->chain_pem)) {
        TRY(use_chain(t, ctx, o->chain_pem));
        TRY(use_key(t, ctx, str_empty(o->key_pem) ? o->chain_pem
                                                  : o->key_pem));
    }
    if (!str_empty(o->ca_pem))
        TRY(use_authorities(t, ctx, o->ca_pem));
    if (o->ca_system)
        SSL_CTX_set_default_verify_paths(ctx);
    TRY(use_protocols(t, ctx, o->protocols));
    if (!str_empty(o->ciphers)
        && !SSL_CTX_set_cipher_list(ctx, arena_cstr(a, o->ciphers)))
        return failed(t, ERR_SYNTAX, "cipher list");
    if (o->no_tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return OK;
}

err tls_server_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out)
{
    struct tls_context *c = context_new(a, true);
    static const unsigned char id[] = "veredus";

    TRY(use_options(t, c->ssl_ctx, o, a));
    SSL_CTX_set_session_id_context(c->ssl_ctx, id, sizeof(id) - 1);
    SSL_CTX_set_options(c->ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (o->ask_cert || o->require_cert)
        SSL_CTX_set_verify(c->ssl_ctx,
                           SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
                               | (o->require_cert
                                      ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           accept_any_certificate);
    *out = c;
    return OK;
}

err tls_client_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out)
{
    struct tls_context *c = context_new(a, false);

    TRY(use_options(t, c->ssl_ctx, o, a));
    SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, accept_any_certificate);
    *out = c;
    return OK;
}

/* --- self-signed certificates -------------------------------------------- */

static bool name_certificate(X509 *cert, struct arena *a, str host)
{
    X509_NAME *name = X509_get_subject_name(cert);
    X509V3_CTX v3;
    X509_EXTENSION *alt;
    bool good;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)host.p, (int)host.n, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    alt = X509V3_EXT_conf_nid(
        NULL, &v3, NID_subject_alt_name,
        arena_cstr(a, arena_fmt(a, "DNS:%.*s", STR(host))));
    good = alt && X509_add_ext(cert, alt, -1);
    X509_EXTENSION_free(alt);
    return good;
}

static str pem_of(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return arena_str(a, str_of(p, n > 0 ? (size_t)n : 0));
}

err tls_self_signed(struct task *t, struct arena *a, str host, int days,
                    str *key_pem, str *cert_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *key_bio = BIO_new(BIO_s_mem()), *cert_bio = BIO_new(BIO_s_mem());
    uint64_t serial;
    bool good;

    rt_random(t, &serial, sizeof(serial));
    must(key && cert && key_bio && cert_bio);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 86400);
    X509_set_pubkey(cert, key);
    good = name_certificate(cert, a, host)
           && X509_sign(cert, key, EVP_sha256())
           && PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL,
                                            NULL)
           && PEM_write_bio_X509(cert_bio, cert);
    if (good) {
        *key_pem = pem_of(a, key_bio);
        *cert_pem = pem_of(a, cert_bio);
    }
    BIO_free(key_bio);
    BIO_free(cert_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good ? OK : failed(t, ERR_IO, "making a certificate");
}
