/* SPDX-License-Identifier: ISC
 *
 * Visitors of a door who have not said who they are.  Their number is
 * limited; when it is reached the one that has been silent for longest makes
 * room for the next, so that a hundred silent connections keep nobody out.
 */
#ifndef ROLE_WAITING_H
#define ROLE_WAITING_H

#include "rt/rt.h"

struct waiting {
    struct link line;       /* oldest first */
    uint32_t n;
};

struct waiting_visitor {
    struct link link;
    struct waiting *in;     /* NULL: not in a line any more */
    struct sock *sock;      /* lives until waiting_leave */
    bool busy;              /* we are the ones it waits for */
    bool dropped;
};

void waiting_init(struct waiting *w);
void waiting_enter(struct waiting *w, struct waiting_visitor *v,
                   struct sock *sock);

/* It has logged in, or is about to end; harmless when it left already. */
void waiting_leave(struct waiting_visitor *v);

/* Cuts the oldest but `but' off, whose task finds its connection at its end;
 * NULL if all of them wait for us. */
struct waiting_visitor *waiting_drop(struct waiting *w,
                                     const struct waiting_visitor *but);

#endif
