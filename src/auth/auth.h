/* SPDX-License-Identifier: ISC
 *
 * Who is it?  Users and their passwords, from the sources that auth_sources
 * lists: sqlite:PATH (the directory), passwd-file:PATH (passwd(5) lines with
 * Dovecot's extra fields), shadow (the system's users).
 *
 * In authd a struct auth holds the sources themselves; elsewhere it asks
 * authd over a port.  Callers cannot tell them apart.
 *
 * A name without a domain is also looked up as name@realm where users have
 * domains, and name@realm as name where they have none.
 *
 * I1  Unknown users and wrong passwords give the same answer, after the same
 *     work, and at the same time: refusals come auth_failure_delay after the
 *     question, or when the work is done if that takes longer.
 * I2  A client that guesses again and again waits longer for each refusal
 *     (auth/penalty.h).  Who is right waits a second at most, whatever others
 *     behind the same address did.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "conf/conf.h"
#include "rt/rt.h"

enum { AUTH_NAME_MAX = 255, AUTH_SECRET_MAX = 1024, AUTH_TEXT_MAX = 4096 };

struct auth;

/* What is known about a user. */
struct auth_user {
    str name;       /* the account's full name: "user@domain" or "user" */
    str home;       /* may be empty */
    str mailbox;    /* location, "maildir:~/Maildir"; may be empty */
    bool has_ids;
    uint32_t uid, gid;
    uint64_t quota; /* bytes, 0: none */
    str pass;       /* of auth_check by a door: see auth/pass.h; else empty */
};

struct auth_settings {
    str sources;        /* the value of auth_sources */
    str realm;          /* completes names, or empty */
    int64_t failure_ms; /* how long a refusal takes at least */
    str format;         /* of names as they are looked up; empty: as given */
    str owner, group;   /* whose rights go with users whose source knows none:
                           names or numbers, or empty */
    uint32_t uid_min;   /* users whose source gives them a lower user id do
                           not log in */
};

/* What auth_sources, auth_default_domain (else smtpd_sasl_local_domain),
 * auth_failure_delay, auth_username_format, auth_first_valid_uid,
 * mailstore_uid and mailstore_gid say. */
struct auth_settings auth_settings_of(const struct conf *c);

/* Opens the sources.  ERR_SYNTAX with why() for a source that does not exist
 * or is not built in, and for an owner that is not there.  Missing files fail
 * when they are asked. */
err auth_open(struct task *t, struct arena *a,
              const struct auth_settings *settings, struct auth **out);

/* What an opened auth lives in, if that may go while it is asked: it is held
 * for each question that auth_serve takes. */
struct auth_owner {
    void *self;
    void (*hold)(void *self);
    void (*leave)(void *self);
};
void auth_own(struct auth *au, const struct auth_owner *owner);

/* A later one takes over what clients did before: who has to wait still
 * does. */
void auth_follow(struct auth *au, const struct auth *before);

/* A question about a user. */
struct auth_question {
    str service;    /* "smtp", "imap", "pop" */
    str client;     /* address of the client: who waits for whose failures */
    str user;
    str secret;     /* auth_check only */
};

/* Whether the password is the user's.  OK; ERR_DENIED: it is not, or there is
 * no such user; anything else: try again later.  Waits for the failure delay;
 * until bounds the wait for authd. */
err auth_check(struct task *t, struct auth *au, const struct auth_question *q,
               when until, struct arena *a, struct auth_user *out);

/* The user without a password: for delivery and for other ways of proof.
 * ERR_ABSENT: no such user. */
err auth_find(struct task *t, struct auth *au, const struct auth_question *q,
              when until, struct arena *a, struct auth_user *out);

/* An auth that asks another role. */
struct auth *auth_remote(struct arena *a, struct calls *calls);

/* Answers the questions that come in on a port until it ends, each with what
 * *au is when it comes.  What a client sends is checked; a broken frame ends
 * the port (ERR_PEER).  pass_key: what passes for who logs in there are made
 * with (auth/pass.h); empty: they get none. */
err auth_serve(struct task *t, struct auth *const *au, str pass_key,
               struct port *p);

#endif
