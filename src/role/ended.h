/* SPDX-License-Identifier: ISC
 *
 * Names of users whose sessions end, on their way from the commands to master
 * (role/master/ended.c) and on to who serves sessions; there, what came
 * lately.
 */
#ifndef ROLE_ENDED_H
#define ROLE_ENDED_H

#include "rt/rt.h"

/* Adds a name to the file. */
err ended_add(struct task *t, str queue_dir, str user);

/* Takes all of them out of it; in a. */
err ended_take(struct task *t, str queue_dir, struct arena *a, str *out);

/* The last names that a role heard of.  A session that began before its user
 * ended is over. */
enum { ENDED_MAX = 4096 };
struct ended {
    struct {
        uint64_t user;      /* keyed hash */
        when at;
    } last[ENDED_MAX];
    uint64_t n;             /* how many came in all */
    when forgotten;         /* when the latest came that gave way */
};
void ended_note(struct ended *e, when now, str user);
bool ended_is(const struct ended *e, str user, when since);

#endif
