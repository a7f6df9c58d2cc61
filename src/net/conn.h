/* SPDX-License-Identifier: ISC
 *
 * A connection you read lines from, with or without TLS.
 *
 * Output is coalesced: what is put leaves when the buffer passes its mark,
 * at conn_flush, and before a read has to sleep (so that pipelined commands
 * are answered in one write).  An idle connection holds no buffers.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "rt/rt.h"

struct conn;
struct tls_context;

/* Takes the socket over; the connection is closed with the arena a, or
 * earlier by conn_close. */
struct conn *conn_new(struct arena *a, struct sock *s);
void conn_close(struct conn *c);

enum line_end { LINE_CRLF, LINE_LF, LINE_CUT };

/* One line without its end, valid until the next read on c.  A longer line
 * comes in pieces of max bytes, LINE_CUT each but the last.  ERR_END at the
 * end of the stream (a last line without end is lost). max <= 32 KiB. */
err conn_line(struct task *t, struct conn *c, size_t max, when until,
              str *line, enum line_end *end);

/* Whatever is there, at least one byte and at most max, valid until the next
 * read; for literals and bodies. */
err conn_piece(struct task *t, struct conn *c, size_t max, when until,
               str *piece);

/* Input that somebody else has read already comes first. */
void conn_feed(struct conn *c, str bytes);

/* From now on one task may read while another writes: reading no longer
 * flushes. */
void conn_split(struct conn *c);

/* What is buffered and unread, at most 32 KiB; it is taken. */
str conn_take(struct conn *c, struct arena *a);

/* The socket itself, when there is no TLS and nothing is buffered; the
 * connection is closed without it. */
struct sock *conn_release(struct conn *c);

/* Gives the last n bytes of the last piece back, to be read again. */
void conn_unread(struct conn *c, size_t n);

/* Whether input is buffered that was not yet read. */
bool conn_pending(const struct conn *c);

/* Takes in what has arrived, without waiting; conn_pending() says whether
 * there is any.  ERR_END: nothing, and the other side left. */
err conn_look(struct conn *c);

/* Waits until there is input or the end, flushing first; for IDLE. */
err conn_wait(struct task *t, struct conn *c, when until);

/* Adds to the output.  Never waits: after a lot of it, conn_drain does when
 * the mark is passed.  conn_flush writes all. */
void conn_put(struct conn *c, str bytes);
void conn_fmt(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
err conn_drain(struct task *t, struct conn *c, when until);
err conn_flush(struct task *t, struct conn *c, when until);

/* Unread input is thrown away; how many bytes there were. */
size_t conn_discard(struct conn *c);

/* Server or client side of a TLS handshake; the output is flushed first.
 * Input that was pipelined before it is an error of the peer's unless it was
 * discarded (STARTTLS injection). server_name: SNI for a client, may be
 * empty.  ERR_END: the peer left; ERR_PEER: it failed, task_why() has the
 * library's complaints, a line each. */
err conn_tls_accept(struct task *t, struct conn *c, struct tls_context *ctx,
                    when until);
err conn_tls_connect(struct task *t, struct conn *c, struct tls_context *ctx,
                     str server_name, when until);

/* What was agreed, for log lines and Received: headers. */
struct tls_facts {
    bool on;
    str protocol, cipher;      /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
    int bits_used, bits_total;
    str exchange;              /* "X25519"; this and the next since TLS 1.3 */
    str signature, digest;     /* the server's: "RSA-PSS (2048 bits)" ... */
    str client_signature, client_digest;
    bool peer_asked;           /* for a certificate */
    str peer_name, issuer_name;      /* of the peer's certificate */
    str peer_hosts;                  /* host names it is for, with blanks
                                        between: dNSNames, else its name */
    str peer_fingerprint;            /* "AB:CD...", of the certificate */
    str peer_key_fingerprint;        /* and of its public key */
    bool peer_verified;              /* a trusted authority signed it */
    bool resumed;
};
const struct tls_facts *conn_tls(const struct conn *c);

/* "key-exchange X25519 server-signature ...", fold before each line of it;
 * nothing before TLS 1.3. */
void tls_facts_put(const struct tls_facts *f, const char *fold,
                   struct buf *to);

struct sock *conn_sock(struct conn *c);

/* How many bytes came and went, without TLS' own. */
struct conn_counts {
    uint64_t in, out;
};
struct conn_counts conn_counts(const struct conn *c);

#endif
