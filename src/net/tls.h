/* SPDX-License-Identifier: ISC
 *
 * TLS contexts: what a listener or a client of ours brings to handshakes.
 * Made from bytes, not from paths: a sandboxed role is handed the keys.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "rt/rt.h"

struct tls_context;

struct tls_options {
    str chain_pem;      /* certificate, chain, and the key unless key_pem */
    str key_pem;
    str ca_pem;         /* trusted authorities; empty: none */
    bool ca_system;     /* also the system's authorities */
    bool ask_cert;      /* server: ask for a client certificate */
    bool require_cert;
    str protocols;      /* "!SSLv2, !SSLv3", ">=TLSv1.2", as Postfix has it */
    str ciphers;        /* an OpenSSL list for TLS 1.2 and older; empty: default */
    bool no_tickets;
};

/* Allocated in a and freed with it.  ERR_SYNTAX with why() for unusable keys
 * or words. */
err tls_server_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out);
err tls_client_new(struct task *t, struct arena *a,
                   const struct tls_options *o, struct tls_context **out);

/* Makes the library read its own configuration now: later there may be no file
 * to be read. */
void tls_prepare(void);

/* A private key (EC P-256) and a self-signed certificate for host, as PEM. */
err tls_self_signed(struct task *t, struct arena *a, str host, int days,
                    str *key_pem, str *cert_pem);

#endif
