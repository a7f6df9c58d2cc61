/* SPDX-License-Identifier: ISC
 *
 * What is inside a struct auth.
 */
#ifndef AUTH_AUTH_LOCAL_H
#define AUTH_AUTH_LOCAL_H

#include "auth/penalty.h"
#include "auth/source.h"

struct auth {
    struct calls *calls;    /* not NULL: ask there, and nothing below is set */
    vec_of(struct auth_source) sources;
    str realm;
    str format;             /* of names: "%Lu"; empty: as given */
    int64_t failure_ms;
    bool has_ids;           /* of users whose source knows none */
    uint32_t uid, gid;
    uint32_t uid_min;       /* of users who may log in, where the source
                               knows the id */
    struct penalty penalties[PENALTY_PLACES];
    struct penalty_good good;
    struct auth_owner owner; /* all NULL: none */
};

/* The client's half of a call (auth/wire.c). */
err auth_ask(struct task *t, struct auth *au, bool find,
             const struct auth_question *q, when until, struct arena *a,
             struct auth_user *out);

#endif
