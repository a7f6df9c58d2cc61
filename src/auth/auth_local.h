/* SPDX-License-Identifier: ISC
 *
 * What is inside a struct auth.
 */
#ifndef AUTH_AUTH_LOCAL_H
#define AUTH_AUTH_LOCAL_H

#include "auth/source.h"

/* A table of fixed size: clients share a place if their hashes meet. */
enum { PENALTY_PLACES = 1024 };

struct penalty {
    when last;          /* the last failure; 0: none */
    uint32_t failures;
};

struct auth {
    struct calls *calls;    /* not NULL: ask there, and nothing below is set */
    vec_of(struct auth_source) sources;
    str realm;
    int64_t failure_ms;
    bool has_ids;           /* of users whose source knows none */
    uint32_t uid, gid;
    struct penalty penalties[PENALTY_PLACES];
    struct auth_owner owner; /* all NULL: none */
};

/* The client's half of a call (auth/wire.c). */
err auth_ask(struct task *t, struct auth *au, bool find,
             const struct auth_question *q, when until, struct arena *a,
             struct auth_user *out);

#endif
