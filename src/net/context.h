/* SPDX-License-Identifier: ISC
 *
 * Inside net's TLS files only: the library's context, and what is said of it
 * in words.
 */
#ifndef NET_CONTEXT_H
#define NET_CONTEXT_H

#include "net/conn.h"
#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_sessions;

struct tls_context {
    SSL_CTX *ssl_ctx;
    bool server;
    const EVP_MD *digest;           /* of fingerprints */
    const EVP_CIPHER *ticket_cipher;
    const struct tls_tickets *tickets;
    struct tls_sessions *sessions;  /* client: to resume; or NULL */
};

/* The library's oldest complaint is told, all are forgotten. */
err tls_failed(struct task *t, err e, const char *what);

/* pem.c: material into a context. */
err tls_use_pair(struct task *t, SSL_CTX *ctx, const struct tls_pair *pair);
err tls_use_authorities(struct task *t, SSL_CTX *ctx, str pem);
err tls_use_dh(struct task *t, SSL_CTX *ctx, str pem);

/* words.c: parameters into a context. */
err tls_use_protocols(struct task *t, SSL_CTX *ctx, str words);
err tls_use_options(struct task *t, SSL_CTX *ctx, str words);
err tls_use_workarounds(struct task *t, SSL_CTX *ctx, str off);
err tls_use_groups(struct task *t, SSL_CTX *ctx, str words);

/* ticket.c: the server's tickets. */
err tls_use_tickets(struct task *t, struct tls_context *c,
                    const struct tls_options *o);

/* resume.c: the client's sessions. */
void tls_use_sessions(struct tls_context *c, struct arena *a,
                      int64_t session_s);
/* Sessions of ssl, which lives no longer than key, are found by key. */
void tls_resume(struct tls_context *c, SSL *ssl, const str *key);

/* facts.c */
void tls_facts_of(SSL *ssl, const struct tls_context *c, struct arena *a,
                  struct tls_facts *out);

#endif
