/* SPDX-License-Identifier: ISC
 *
 * Asking the running queue manager, over the socket public/qmgr.  A question
 * is one FACE_ADMIN frame: a verb byte and, for most verbs, a string; rows
 * come back as FACE_ROW frames, then FACE_ROWS_END with u32 messages
 * concerned and u8 error.
 *
 *   'l' list   'c' cat ID   'f' flush all   'i' flush ID   's' flush SITE
 *   'd' delete 'h' hold 'H' release 'r' requeue: ID, or "ALL"
 */
#ifndef ROLE_TOOL_QUEUE_TALK_H
#define ROLE_TOOL_QUEUE_TALK_H

#include "conf/conf.h"
#include "role/queue_row.h"
#include "rt/rt.h"

struct queue_talk {
    struct port *port;
    uint64_t asked;
    struct arena *memory;   /* of damage; NULL: it is not wanted */
    str damage;             /* lines about the log, that came with a list */
};

/* Connects.  An error (with why) means that the system is down, but for
 * ERR_DENIED: the caller may not. */
err queue_talk_open(struct task *t, const struct conf *c,
                    struct queue_talk *out);
void queue_talk_close(struct queue_talk *q);

/* Asks and hands each row's body to fn (may be NULL), which may stop it by an
 * error.  *n: how many messages were concerned.  The queue manager's own
 * error is returned: ERR_DENIED when the caller may not. */
typedef err queue_talk_fn(struct task *t, void *self, str row);
err queue_talk_ask(struct task *t, struct queue_talk *q, char verb,
                   str argument, queue_talk_fn *fn, void *self, uint32_t *n);

/* "$queue_directory/NAME", in a. */
str queue_path(const struct conf *c, struct arena *a, str name);

#endif
