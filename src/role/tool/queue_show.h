/* SPDX-License-Identifier: ISC
 *
 * A queue listing as people and scripts know it: the table of mailq, and one
 * JSON object a line (postqueue(1)).  Pure.
 */
#ifndef ROLE_TOOL_QUEUE_SHOW_H
#define ROLE_TOOL_QUEUE_SHOW_H

#include "role/queue_row.h"

struct queue_show {
    bool json, long_ids;
    uint64_t n, bytes;      /* rows so far, and their sizes */
};

/* Appends a row.  The table's head comes with the first. */
void queue_show_row(struct queue_show *s, const struct queue_row *r,
                    int zone_s, struct arena *scratch, struct buf *to);

/* Appends what follows the last row: totals, or that there is none. */
void queue_show_end(const struct queue_show *s, struct buf *to);

/* An address as listings show it: quoted where it must be, the null sender
 * as MAILER-DAEMON. */
str queue_show_address(str internal, struct arena *a);

/* Appends a JSON string with its quotes. */
void json_put(struct buf *to, str s);

#endif
