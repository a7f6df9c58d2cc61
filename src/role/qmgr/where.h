/* SPDX-License-Identifier: ISC
 *
 * Where a recipient goes, as the queue manager asks it.
 */
#ifndef ROLE_QMGR_WHERE_H
#define ROLE_QMGR_WHERE_H

#include "role/qmgr/queue.h"

/* Opens tables and routes of e's configuration, in e's memory. */
err places_open(struct task *t, struct queue *q, struct edition *e,
                struct places **out);

struct where {
    str transport, nexthop;
    struct address recipient; /* as it was resolved: routes of ours undone */
};

/* In a.  An error is temporary: a table or the directory failed. */
err where_to(struct task *t, struct queue *q, const struct message *m,
             uint32_t index, struct arena *a, struct where *out);


#endif
