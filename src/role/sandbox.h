/* SPDX-License-Identifier: ISC
 *
 * Giving powers up, for good, before a role looks at anything from outside:
 * no new privileges, Landlock (no path can be opened, or only those below
 * what is listed), seccomp (only the system calls a role needs; the others
 * fail with EPERM).
 */
#ifndef ROLE_SANDBOX_H
#define ROLE_SANDBOX_H

#include "role/role.h"

enum sandbox_power {
    POWER_FILES = 1,    /* opens, makes and renames files: below what master
                           handed over only */
    POWER_READ_ALL = 16, /* opens any path its user id may, for reading */
    POWER_CONNECT = 2,  /* makes sockets and connects them */
    POWER_ALL_FILES = 4, /* opens any path its user id may: no Landlock */
    POWER_PROCESSES = 8, /* starts others, changes user ids: no seccomp */
};

/* What a role may do; its one line of powers. */
int sandbox_powers(enum role_kind k);

/* Keeps what sandbox_powers says: with POWER_FILES the directories that master
 * handed over.  Where the kernel lacks Landlock or seccomp the rest still
 * holds; what was not to be had is said once at start. */
err sandbox_enter(struct task *t, const struct role *r);

#endif
