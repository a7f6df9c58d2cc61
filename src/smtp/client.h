/* SPDX-License-Identifier: ISC
 *
 * The client's side of SMTP and LMTP: one connection, transactions one after
 * the other:
 *
 *     smtp_send_envelope(x)
 *     smtp_read_envelope(x)      MAIL, RCPT, DATA were answered
 *     smtp_send_text(x)          text and dot, not yet flushed
 *     smtp_read_end(x)           the answer to the dot
 *
 * C1  Nothing is sent after the dot before it was answered, and the dot is not
 *     sent while there is input: what then comes first is the answer to it.
 *     A server that is a reply out of step is found out before that, since
 *     only DATA is answered by 3xx.
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

/* What a server said, and to what: for "(in reply to RCPT TO command)". */
struct smtp_answer {
    struct reply reply;     /* code 0: nothing was said */
    const char *command;
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
    struct smtp_answer wrong; /* what it said that no server may say there;
                               command NULL: nothing */
    bool is_noise;          /* that had lines without a code */
    const char *stage;      /* what was going on: "initial server greeting" */
};

/* The functions that read answers: ERR_PEER with p->wrong set when the server
 * breaks the protocol. */

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
    bool is_ended;          /* the dot was sent */
};

/* Queues MAIL and, where the server pipelines, RCPT and DATA. */
void smtp_send_envelope(struct smtp_peer *p, struct smtp_transaction *x);
err smtp_read_envelope(struct task *t, struct smtp_peer *p,
                       struct smtp_transaction *x);
err smtp_send_text(struct task *t, struct smtp_peer *p,
                   struct smtp_transaction *x);
err smtp_read_end(struct task *t, struct smtp_peer *p,
                  struct smtp_transaction *x);

/* Whether the server is silent, and there.  When nothing was asked, what it
 * says is not about what comes next.  Never waits. */
bool smtp_is_quiet(struct smtp_peer *p);

/* Ends a transaction that came to no text: RSET is answered. */
err smtp_probe(struct task *t, struct smtp_peer *p);
void smtp_quit(struct task *t, struct smtp_peer *p, bool wait);

#endif
