/* SPDX-License-Identifier: ISC
 *
 * Tables of a role that opens no path: asked from the lookup role, over the
 * ports that master hands over.
 */
#ifndef ROLE_TABLES_H
#define ROLE_TABLES_H

#include "role/role.h"
#include "table/table.h"

struct calls;

/* All zero before the first port has come. */
struct role_tables {
    struct calls *calls;            /* to the lookup role, NULL: not yet */
    struct table_opener opener;
};

/* Takes ports to the lookup role that have come; each takes the place of the
 * one before.  Their answers are read by tasks in g.  True if there was
 * one. */
bool role_tables_take(struct role *r, struct task_group *g,
                      struct role_tables *rt);

/* Whether tables can be opened.  A role without a master opens files
 * itself. */
bool role_tables_ready(struct role *r, struct role_tables *rt);

/* Waits until they can, taking what comes. */
err role_tables_wait(struct task *t, struct role *r, struct task_group *g,
                     struct role_tables *rt);

#endif
