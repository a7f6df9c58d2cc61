/* SPDX-License-Identifier: ISC
 *
 * Doors: accepting on a role's listeners, as master.cf's lines in force have
 * it, over reloads.
 *
 * D1  A listener is waited on only while its line has room; no clock wakes
 *     who waits for room.
 * D2  A guest holds the edition that was in force when it came, and counts in
 *     its line, by whatever edition that was.
 * D3  Where several processes accept, none takes all of what comes at once.
 */
#ifndef ROLE_DOORS_H
#define ROLE_DOORS_H

#include "role/role.h"

struct doors;
struct door_line;

/* A connection that came in. */
struct door_guest {
    void *self;             /* the role's */
    struct doors *doors;
    struct door_line *line; /* where it counts */
    struct edition *edition;
    uint32_t service;       /* index in its edition */
    struct sock *sock;      /* whoever serves it closes it */
    struct endpoint peer;
};

/* Each guest is served by a task of its own in g, which ends with
 * door_leave.  limited: the process limit of a line is one of its guests. */
struct doors *doors_new(struct role *r, struct task_group *g, bool limited,
                      err (*serve)(struct task *t, void *guest), void *self);

/* The lines and listeners of role->now are those that count from here on.
 * The role's body calls it when that has changed. */
void doors_take(struct task *t, struct doors *d);

/* The guest no longer counts in its line. */
void door_uncount(struct door_guest *g);
/* It ends. */
void door_leave(struct door_guest *g);

/* No more of it; the guests' tasks must have ended. */
void doors_close(struct task *t, struct doors *d);

#endif
