/* SPDX-License-Identifier: ISC
 *
 * Inside net only: a TLS session over a sock.  Door to OpenSSL together with
 * tls.c.  OpenSSL's error queue belongs to the thread, so it is emptied
 * before and read right after each call, never across a wait.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include "net/conn.h"
#include "net/tls.h"

struct tls_session;

err tls_session_open(struct task *t, struct arena *a, struct tls_context *ctx,
                     struct sock *s, bool server, str server_name, when until,
                     struct tls_session **out);
void tls_session_close(struct tls_session *s); /* says goodbye if it can */

/* As sock_read_some and sock_write_some. *want_write: wait for that. */
err tls_session_read(struct tls_session *s, void *p, size_t max, size_t *n,
                     bool *want_write);
err tls_session_write(struct tls_session *s, str bytes, size_t *n,
                      bool *want_read);
void tls_session_facts(struct tls_session *s, struct arena *a,
                       struct tls_facts *out);

#endif
