/* SPDX-License-Identifier: ISC
 *
 * TLS contexts: options into the library's own.
 */
#include "net/tls.h"

#include "net/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

void tls_prepare(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

err tls_failed(struct task *t, err e, const char *what)
{
    unsigned long code = ERR_get_error();
    char text[256] = "unusable";

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return why(t, e, "%s: %s", what, text);
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

/* Sessions that wait hold no record buffers; no second handshake, and no
 * compression, whatever the other side says. */
static struct tls_context *context_new(struct arena *a, bool server)
{
    struct tls_context *c = arena_new(a, struct tls_context);

    c->server = server;
    c->ssl_ctx = SSL_CTX_new(server ? TLS_server_method()
                                    : TLS_client_method());
    must(c->ssl_ctx != NULL);
    SSL_CTX_set_app_data(c->ssl_ctx, c);
    SSL_CTX_set_mode(c->ssl_ctx, SSL_MODE_RELEASE_BUFFERS
                                     | SSL_MODE_ENABLE_PARTIAL_WRITE
                                     | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_RENEGOTIATION
                                        | SSL_OP_NO_COMPRESSION);
    arena_own(a, context_free, c);
    return c;
}

static err use_digest(struct task *t, struct tls_context *c, str name,
                      struct arena *a)
{
    c->digest = str_empty(name) ? EVP_sha256()
                                : EVP_get_digestbyname(arena_cstr(a, name));
    return c->digest ? OK : why(t, ERR_SYNTAX, "unknown digest: %.*s",
                                STR(name));
}

static err use_options(struct task *t, struct tls_context *c,
                       const struct tls_options *o, struct arena *a)
{
    SSL_CTX *ctx = c->ssl_ctx;

    if (o->lax)
        SSL_CTX_set_security_level(ctx, 0);
    for (size_t i = 0; i < o->n_pairs; i++)
        TRY(tls_use_pair(t, ctx, &o->pairs[i]));
    if (!str_empty(o->ca_pem))
        TRY(tls_use_authorities(t, ctx, o->ca_pem));
    if (o->depth_max > 0)
        SSL_CTX_set_verify_depth(ctx, o->depth_max);
    TRY(tls_use_protocols(t, ctx, o->protocols));
    TRY(tls_use_workarounds(t, ctx, o->workarounds_off));
    TRY(tls_use_options(t, ctx, o->options));
    TRY(tls_use_groups(t, ctx, o->groups));
    if (!str_empty(o->ciphers)
        && !SSL_CTX_set_cipher_list(ctx, arena_cstr(a, o->ciphers)))
        return tls_failed(t, ERR_SYNTAX, "cipher list");
    return use_digest(t, c, o->digest, a);
}

err tls_server_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out)
{
    struct tls_context *c = context_new(a, true);

    TRY(use_options(t, c, o, a));
    TRY(tls_use_dh(t, c->ssl_ctx, o->dh_pem));
    TRY(tls_use_tickets(t, c, o));
    if (o->own_order)
        SSL_CTX_set_options(c->ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (o->ask_cert)
        SSL_CTX_set_verify(c->ssl_ctx,
                           SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
                           accept_any_certificate);
    *out = c;
    return OK;
}

err tls_client_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out)
{
    struct tls_context *c = context_new(a, false);

    TRY(use_options(t, c, o, a));
    SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, accept_any_certificate);
    tls_use_sessions(c, a, o->session_s);
    *out = c;
    return OK;
}
