/* SPDX-License-Identifier: ISC
 *
 * A TLS session.  OpenSSL reads and writes through a BIO of ours, so that it
 * meets the same edge-triggered sockets as everybody else.
 */
#include "net/session.h"

#include "net/context.h"

#include <openssl/bio.h>
#include <openssl/err.h>

struct tls_session {
    SSL *ssl;
    const struct tls_context *context;
    struct sock *sock;
    str key;            /* a client's: by which it resumes */
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

/* All that the library complains of, oldest first, a line each. */
static err ssl_why(struct task *t, err e)
{
    const char *file, *data;
    unsigned long code;
    struct buf b;
    int line, flags;

    if (e == ERR_END) {
        ERR_clear_error();
        return why(t, e, "lost connection");
    }
    buf_init(&b, NULL, 2048);
    while ((code = ERR_get_error_all(&file, &line, NULL, &data, &flags))) {
        char text[256];
        ERR_error_string_n(code, text, sizeof(text));
        buf_fmt(&b, "%s%s:%s:%d:%s:", b.n ? "\n" : "", text, file, line,
                data && (flags & ERR_TXT_STRING) ? data : "");
    }
    e = why(t, e, "%.*s", STR(buf_str(&b)));
    buf_free(&b);
    return e;
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

/* A client greets by name, and takes up the session it had with a server of
 * that name at that address. */
static void set_server(struct tls_session *s, struct tls_context *c,
                       struct arena *a, str name)
{
    struct endpoint peer;

    if (!str_empty(name))
        SSL_set_tlsext_host_name(s->ssl, arena_cstr(a, name));
    if (sock_peer(s->sock, &peer))
        return;
    s->key = arena_fmt(a, "%.*s %u %.*s", STR(endpoint_address(&peer, a)),
                       peer.port, STR(name));
    tls_resume(c, s->ssl, &s->key);
}

err tls_session_open(struct task *t, struct arena *a, struct tls_context *ctx,
                     struct sock *sock, bool server, str server_name,
                     when until, struct tls_session **out)
{
    struct tls_session *s = arena_new(a, struct tls_session);
    BIO *bio;
    err e;

    s->context = ctx;
    s->sock = sock;
    s->ssl = SSL_new(ctx->ssl_ctx);
    must(s->ssl != NULL);
    bio = bio_new(s);
    SSL_set_bio(s->ssl, bio, bio);
    if (server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        set_server(s, ctx, a, server_name);
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

void tls_session_facts(struct tls_session *s, struct arena *a,
                       struct tls_facts *out)
{
    tls_facts_of(s->ssl, s->context, a, out);
}
