/* SPDX-License-Identifier: ISC
 *
 * Before login: what IMAP and POP3 share.  This part of a session runs in the
 * door, with TLS and without mail; whether a user is who he says it asks a
 * struct door, whose functions are ordinary calls that may wait.
 *
 * imap_greet and pop3_greet return OK when somebody has logged in: .user is
 * set, nothing was said yet about the success (the reader says it, with the
 * mailbox in hand), and input that came after the login is still unread on
 * the connection.  ERR_END: the client left, or was sent away politely.
 */
#ifndef IMAP_LOGIN_H
#define IMAP_LOGIN_H

#include "net/conn.h"
#include "net/tls.h"

struct login;

struct door {
    /* Whether the password is the user's: OK with *name (the account's full
     * name, in l->memory), ERR_DENIED, or anything else: try later. */
    err (*check)(struct task *t, struct login *l, str user, str secret,
                 str *name);
    /* An exchange of SASL, by login_challenge: as check.  ERR_SYNTAX: the
     * client's bytes are not the mechanism's; ERR_ABSENT: no such mechanism.
     * initial: NULL, or the initial response as sent. */
    err (*sasl)(struct task *t, struct login *l, str mech,
                const str *initial, str *name);
    /* Something worth a log line: "failed" with the reason, "TLS handshake
     * failed" ...; may be NULL. */
    void (*note)(struct task *t, struct login *l, const char *event,
                 str text);
    struct tls_context *tls;    /* NULL: no STARTTLS */
    str mechanisms;             /* "PLAIN LOGIN" */
    bool plaintext_allowed;     /* without TLS too */
};

struct login {
    const struct door *door;
    void *self;                 /* the door's own */
    struct conn *conn;
    struct arena *memory;       /* the session's */
    struct arena scratch;       /* one command's */
    str product;                /* in the greeting: "Veredus" */
    str version;
    int64_t idle_s;             /* for all that comes before the login */
    when end;                   /* of that time */
    uint32_t failures_max;
    /* results */
    str user;                   /* the account that logged in */
    str tag;                    /* IMAP: of the command that did it */
    str method;                 /* "LOGIN", "PLAIN" ... */
    uint32_t n_failures, n_bad;
    bool is_pop3;
    bool tls_failed;
};

/* From greeting to login.  wrapped: TLS before the greeting. */
err imap_greet(struct task *t, struct login *l, bool wrapped);
err pop3_greet(struct task *t, struct login *l, bool wrapped);

/* For door.sasl: sends the challenge, already in base64, and reads the
 * client's line into the command's memory.  ERR_DENIED: the client said
 * "*". */
err login_challenge(struct task *t, struct login *l, str challenge,
                    str *answer);

/* Whether passwords may be sent as things are. */
bool login_allowed(const struct login *l);

/* Takes TLS up; ERR_END when the handshake fails. */
err login_tls(struct task *t, struct login *l);

/* The end of the time for logging in; login_begin sets it. */
void login_begin(struct task *t, struct login *l);
when login_until(struct task *t, const struct login *l);
/* Notes that an attempt failed with e, for the reasons that filters of log
 * lines know; true when it was one too many. */
bool login_failed(struct task *t, struct login *l, err e);
void login_note(struct task *t, struct login *l, const char *event,
                str text);

#endif
