/* SPDX-License-Identifier: ISC
 *
 * A TLS session.  OpenSSL reads and writes through a BIO of ours, so that it
 * meets the same edge-triggered sockets as everybody else.
 */
#include "net/session.h"

#include "net/context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

struct tls_session {
    SSL *ssl;
    struct sock *sock;
    bool broken;
};

static int bio_read(BIO *bio, char *p, size_t max, size_t *n)
{
    struct tls_session *s = BIO_get_data(bio);
    err e = sock_read_some(s->sock, p, max, n);

    BIO_clear_retry_flags(bio);
    if (e || *n > 0)
        return e ? 0 : 1;
    BIO_set_retry_read(bio);
    return 0;
}

static int bio_write(BIO *bio, const char *p, size_t size, size_t *n)
{
    struct tls_session *s = BIO_get_data(bio);
    err e = sock_write_some(s->sock, str_of(p, size), n);

    BIO_clear_retry_flags(bio);
    if (e || *n > 0)
        return e ? 0 : 1;
    BIO_set_retry_write(bio);
    return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)bio;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

static BIO *bio_new(struct tls_session *s)
{
    /* one method table for the process, made at first use and kept */
    static BIO_METHOD *method; /* tidy: constant after its first use */
    BIO *bio;

    if (!method) {
        method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sock");
        BIO_meth_set_read_ex(method, bio_read);
        BIO_meth_set_write_ex(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    bio = BIO_new(method);
    must(bio != NULL);
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}

/* What the last call's failure means: OK to go on after waiting. */
static err meaning(struct tls_session *s, int result, bool *want_read,
                   bool *want_write)
{
    *want_read = *want_write = false;
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *want_read = true;
        return OK;
    case SSL_ERROR_WANT_WRITE:
        *want_write = true;
        return OK;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_END;
    case SSL_ERROR_SYSCALL:
        s->broken = true;
        return ERR_END;
    default:
        s->broken = true;
        return ERR_PEER;
    }
}

static err ssl_why(struct task *t, err e)
{
    unsigned long code = ERR_get_error();
    char text[256] = "connection closed";

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return why(t, e, "%s", text);
}

static err handshake(struct task *t, struct tls_session *s, when until)
{
    for (;;) {
        bool want_read, want_write;
        int result;
        err e;

        ERR_clear_error();
        result = SSL_do_handshake(s->ssl);
        if (result == 1)
            return OK;
        e = meaning(s, result, &want_read, &want_write);
        if (e)
            return ssl_why(t, e);
        TRY(want_write ? sock_wait_writable(t, s->sock, until)
                       : sock_wait_readable(t, s->sock, until));
    }
}

static void set_server_name(SSL *ssl, struct arena *a, str name)
{
    if (!str_empty(name))
        SSL_set_tlsext_host_name(ssl, arena_cstr(a, name));
}

err tls_session_open(struct task *t, struct arena *a, struct tls_context *ctx,
                     struct sock *sock, bool server, str server_name,
                     when until, struct tls_session **out)
{
    struct tls_session *s = arena_new(a, struct tls_session);
    BIO *bio;
    err e;

    s->sock = sock;
    s->ssl = SSL_new(ctx->ssl_ctx);
    must(s->ssl != NULL);
    bio = bio_new(s);
    SSL_set_bio(s->ssl, bio, bio);
    if (server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        set_server_name(s->ssl, a, server_name);
    }
    e = handshake(t, s, until);
    if (e) {
        SSL_free(s->ssl);
        ERR_clear_error();
        return e;
    }
    *out = s;
    return OK;
}

void tls_session_close(struct tls_session *s)
{
    if (!s->broken)
        SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    ERR_clear_error();
}

err tls_session_read(struct tls_session *s, void *p, size_t max, size_t *n,
                     bool *want_write)
{
    bool want_read;
    err e;

    *n = 0;
    ERR_clear_error();
    if (SSL_read_ex(s->ssl, p, max, n) == 1)
        return OK;
    *n = 0;
    e = meaning(s, 0, &want_read, want_write);
    ERR_clear_error();
    return e;
}

err tls_session_write(struct tls_session *s, str bytes, size_t *n,
                      bool *want_read)
{
    bool want_write;
    err e;

    *n = 0;
    ERR_clear_error();
    if (SSL_write_ex(s->ssl, bytes.p, bytes.n, n) == 1)
        return OK;
    *n = 0;
    e = meaning(s, 0, want_read, &want_write);
    ERR_clear_error();
    return e;
}

static str name_text(struct arena *a, const X509_NAME *name, int nid)
{
    char text[256];
    int n = X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, nid, text,
                                      sizeof(text));

    return n > 0 ? arena_str(a, str_of(text, (size_t)n)) : S("");
}

static str fingerprint(struct arena *a, X509 *cert)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buf b;

    if (!X509_digest(cert, EVP_sha256(), md, &size))
        return S("");
    buf_init(&b, a, 3 * EVP_MAX_MD_SIZE);
    for (unsigned i = 0; i < size; i++)
        buf_fmt(&b, i ? ":%02X" : "%02X", md[i]);
    return buf_str(&b);
}

/* dNSNames without anything that is none. */
static str host_names(struct arena *a, X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
                                          NULL);
    struct buf b;

    buf_init(&b, a, 32 * 1024);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        str name;
        if (g->type != GEN_DNS)
            continue;
        name = str_of((const char *)ASN1_STRING_get0_data(g->d.dNSName),
                      (size_t)ASN1_STRING_length(g->d.dNSName));
        if (str_any(name, str_of(" \t\r\n\0", 5)) != STR_NONE)
            continue;
        buf_add(&b, b.n ? S(" ") : S(""));
        buf_add(&b, name);
    }
    GENERAL_NAMES_free(all);
    return buf_str(&b);
}

static void peer_facts(SSL *ssl, struct arena *a, struct tls_facts *out)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);

    if (!cert)
        return;
    out->peer_name = name_text(a, X509_get_subject_name(cert),
                               NID_commonName);
    out->issuer_name = name_text(a, X509_get_issuer_name(cert),
                                 NID_commonName);
    out->peer_fingerprint = fingerprint(a, cert);
    out->peer_hosts = host_names(a, cert);
    if (str_empty(out->peer_hosts)
        && str_chr(out->peer_name, ' ') == STR_NONE)
        out->peer_hosts = out->peer_name;
    out->peer_verified = SSL_get_verify_result(ssl) == X509_V_OK;
    X509_free(cert);
}

static void key_facts(SSL *ssl, struct arena *a, struct tls_facts *out)
{
    EVP_PKEY *key = NULL;
    X509 *own = SSL_get_certificate(ssl);
    int nid = 0;

    if (SSL_get_peer_tmp_key(ssl, &key) == 1) {
        char name[64] = "";
        if (EVP_PKEY_is_a(key, "EC"))
            EVP_PKEY_get_group_name(key, name, sizeof(name), NULL);
        out->exchange = arena_str(
            a, str_from(*name ? name : EVP_PKEY_get0_type_name(key)));
        EVP_PKEY_free(key);
    }
    if (SSL_is_server(ssl) && own) {
        const EVP_PKEY *mine = X509_get0_pubkey(own);
        const char *type = mine ? EVP_PKEY_get0_type_name(mine) : NULL;
        out->signature = arena_fmt(a, "%s (%d bits)", type ? type : "unknown",
                                   mine ? EVP_PKEY_get_bits(mine) : 0);
        SSL_get_signature_nid(ssl, &nid);
    } else {
        SSL_get_peer_signature_nid(ssl, &nid);
    }
    if (nid)
        out->digest = arena_str(a, str_from(OBJ_nid2sn(nid)));
}

void tls_session_facts(struct tls_session *s, struct arena *a,
                       struct tls_facts *out)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);

    *out = (struct tls_facts){ .on = true };
    out->protocol = arena_str(a, str_from(SSL_get_version(s->ssl)));
    out->cipher = arena_str(a, str_from(SSL_CIPHER_get_name(cipher)));
    out->bits_used = SSL_CIPHER_get_bits(cipher, &out->bits_total);
    out->resumed = SSL_session_reused(s->ssl) == 1;
    peer_facts(s->ssl, a, out);
    key_facts(s->ssl, a, out);
    ERR_clear_error();
}
