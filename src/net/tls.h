/* SPDX-License-Identifier: ISC
 *
 * TLS contexts: what a listener or a client of ours brings to handshakes.
 * Made from bytes, not from paths: a sandboxed role is handed the keys.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "rt/rt.h"

struct tls_context;

/* A certificate with its chain, and its key.  With an empty key_pem the key
 * stands in chain_pem, which may then hold several keys, each before its
 * chain. */
struct tls_pair {
    str chain_pem, key_pem;
};

/* What session tickets are sealed with, the newest first.  A process whose
 * keys are those of another one resumes the other's sessions. */
enum { TLS_TICKET_KEY_SIZE = 80, TLS_TICKET_KEYS_MAX = 2 };
struct tls_tickets {
    size_t n;
    unsigned char keys[TLS_TICKET_KEYS_MAX][TLS_TICKET_KEY_SIZE];
};

struct tls_options {
    const struct tls_pair *pairs; /* several: of several kinds of keys */
    size_t n_pairs;
    str ca_pem;         /* trusted authorities; empty: none */
    str dh_pem;         /* server: DH parameters; empty: of the library */
    bool ask_cert;      /* server: ask for a client certificate; whether it
                           showed a good one is the caller's to judge */
    int depth_max;      /* of chains; 0: the library's */
    str protocols;      /* "!SSLv2, !SSLv3", ">=TLSv1.2", as Postfix has it */
    str ciphers;        /* an OpenSSL list for TLS 1.2 and older; empty: default */
    str groups;         /* for key exchange; those that the library does not
                           know are passed over; empty: default */
    str options;        /* tls_ssl_options: names, or bits in hex */
    str workarounds_off; /* tls_disable_workarounds */
    bool lax;           /* no demands of the library's own beside these */
    bool own_order;     /* server: our order of ciphers counts */
    str digest;         /* of fingerprints; empty: sha256 */

    int64_t session_s;  /* how long sessions may be resumed; 0: not at all */
    bool session_ids;   /* server: also tell those who cannot resume */
    str ticket_cipher;  /* server; empty: no tickets */
    const struct tls_tickets *tickets; /* server: as they are at the moment;
                                          NULL: no tickets */
    str label;          /* server: sessions of others are not resumed */
};

/* Allocated in a and freed with it; what o points to must live as long.
 * ERR_SYNTAX with why() for unusable keys or words. */
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
