/* SPDX-License-Identifier: ISC
 *
 * The client's side of SMTP and LMTP: one connection, transactions one after
 * the other.  A transaction has two halves, so that the next one's envelope
 * can leave in the same write as the end of this one's text (RFC 2920):
 *
 *     smtp_send_envelope(a)
 *     loop:  smtp_read_envelope(a)      MAIL, RCPT, DATA were answered
 *            smtp_send_text(a)          text and dot, not yet flushed
 *            smtp_send_envelope(b)      if there is another
 *            smtp_read_end(a)           the answer to the dot
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "mail/envelope.h"
#include "mail/reply.h"
#include "net/conn.h"
#include "net/tls.h"

struct smtp_timeouts {
    int64_t greeting_s, helo_s, starttls_s, mail_s, rcpt_s, data_init_s,
        data_text_s, data_done_s, rset_s, quit_s;
};

/* How we behave. */
struct smtp_manners {
    bool pipeline;          /* where the server can (RFC 2920) */
    bool ehlo_always;       /* else only where the greeting says ESMTP */
    bool ehlo_never;
    bool quote;             /* addresses, as RFC 5321 has it */
    const str *ignored;     /* keywords of EHLO that are not there for us */
    size_t n_ignored;
    size_t line_max;        /* longer lines are broken; 0: never, else at
                               least 12 */
};

struct smtp_peer {
    struct conn *conn;
    struct arena *memory;
    struct smtp_timeouts timeouts;
    bool lmtp;
    struct smtp_manners manners;

    str helo;               /* what we call ourselves */
    bool says_esmtp;        /* the greeting does */
    bool in_tls;            /* the handshake is under way, or failed */
    bool esmtp, pipelining, size, eightbit, dsn, utf8, starttls, chunking;
    uint64_t size_max;
    str auth_mechs;
    uint32_t n_used;        /* transactions begun */
    bool dirty;             /* a transaction is half open: RSET first */
    bool broken;            /* no more transactions */
    const char *stage;      /* what was going on: "initial server greeting" */
};

/* What a server said, and to what: for "(in reply to RCPT TO command)". */
struct smtp_answer {
    struct reply reply;     /* code 0: nothing was said */
    const char *command;
};

/* Reads the greeting.  A reply of 4xx or 5xx is OK here: the caller judges. */
err smtp_read_greeting(struct task *t, struct smtp_peer *p,
                       struct arena *a, struct smtp_answer *out);

/* EHLO (LHLO), or HELO when that is refused. */
err smtp_say_helo(struct task *t, struct smtp_peer *p, struct arena *a,
                  struct smtp_answer *out);

/* STARTTLS and the handshake; EHLO must be said again.  A refusal is an
 * answer, not an error. */
err smtp_start_tls(struct task *t, struct smtp_peer *p,
                   struct tls_context *ctx, str server_name, struct arena *a,
                   struct smtp_answer *out);

/* AUTH PLAIN, LOGIN: what the server offers of them, if it does. */
bool smtp_knows_auth(const struct smtp_peer *p);
err smtp_say_auth(struct task *t, struct smtp_peer *p, str user, str password,
                  struct arena *a, struct smtp_answer *out);

/* One message to some of its recipients. */
struct smtp_text {
    void *self;
    /* The next piece of the text, CR LF line ends; ERR_END after the last. */
    err (*next)(struct task *t, void *self, str *piece);
};
struct smtp_transaction {
    str sender;             /* external form, "" for the null address */
    const struct envelope *envelope;
    const struct recipient *const *rcpts;
    size_t n_rcpts;
    uint64_t size;
    struct smtp_text text;
    struct arena *arena;    /* answers live here */

    struct smtp_answer mail, data, end;
    struct smtp_answer *rcpt;   /* n_rcpts of them */
    struct smtp_answer *ends;   /* LMTP: n_rcpts of them */
    size_t n_accepted;
    bool go;                /* the text is wanted (354) */
};

/* Queues MAIL and, where the server pipelines, RCPT and DATA. */
void smtp_send_envelope(struct smtp_peer *p, struct smtp_transaction *x);
err smtp_read_envelope(struct task *t, struct smtp_peer *p,
                       struct smtp_transaction *x);
err smtp_send_text(struct task *t, struct smtp_peer *p,
                   struct smtp_transaction *x);
err smtp_read_end(struct task *t, struct smtp_peer *p,
                  struct smtp_transaction *x);

/* Whether an idle connection is still good: RSET is answered. */
err smtp_probe(struct task *t, struct smtp_peer *p);
void smtp_quit(struct task *t, struct smtp_peer *p, bool wait);

#endif
