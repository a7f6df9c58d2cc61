/* SPDX-License-Identifier: ISC
 *
 * Changing the queue: by asking the queue manager or, when the system is
 * down, by opening the spool as its owner.  The system cannot start
 * meanwhile.
 *
 * Q1  A stopped system's spool is opened with the user id that owns it: what
 *     is made there must belong to the queue manager.
 */
#ifndef ROLE_TOOL_QUEUE_EDIT_H
#define ROLE_TOOL_QUEUE_EDIT_H

#include "conf/conf.h"
#include "mail/envelope.h"
#include "mail/queue_id.h"
#include "rt/rt.h"

struct queue_edit;

/* Ends with queue_edit_close, whatever happened. */
err queue_edit_open(struct task *t, const struct conf *c, struct arena *a,
                    struct queue_edit **out);

/* What is queued now; all in a. */
struct queue_item {
    str id, queue;      /* "active", "deferred", "hold", "incoming" */
};
struct queue_items {
    vec_of(struct queue_item) list;
};
err queue_edit_list(struct task *t, struct queue_edit *e, struct arena *a,
                    struct queue_items *out);

/* 'd' delete, 'h' hold, 'H' release, 'r' requeue one message, or "ALL".  *n:
 * how many were changed. */
err queue_edit_change(struct task *t, struct queue_edit *e, char verb,
                      str id, uint32_t *n);

/* A message with the recipients that are still to get it. */
struct queue_content {
    struct envelope envelope;   /* in the arena */
    struct buf text;            /* on the heap; the caller frees it */
    bool found, active;         /* active: it is being delivered */
};
err queue_edit_read(struct task *t, struct queue_edit *e, str id,
                    struct arena *a, struct queue_content *out);

/* Whether the system is up. */
bool queue_edit_running(const struct queue_edit *e);

/* For adding mail to a stopped system, which may never have run: the log is
 * made if it is missing.  Ends with queue_edit_close, if *out is set. */
err queue_edit_open_new(struct task *t, const struct conf *c, struct arena *a,
                        struct queue_edit **out);
struct queue_new {
    const struct envelope *envelope;
    str text;           /* CR LF line ends */
    bool hold;
    int64_t next_us;    /* deferred until then; 0: it is new */
};
/* OK: it is on the disk, as *id.  ERR_SYNTAX: the log cannot hold it. */
err queue_edit_add(struct task *t, struct queue_edit *e,
                   const struct queue_new *m, struct queue_id *id);

/* What was changed is on disk when this returns OK. */
err queue_edit_close(struct task *t, struct queue_edit *e);

#endif
