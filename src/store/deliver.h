/* SPDX-License-Identifier: ISC
 *
 * Mail arriving: into a Maildir, or at the end of an mbox file.  The caller
 * is the user whose mailbox it is.
 *
 * I1  finish returns OK only when the message is on stable storage under its
 *     final name; until then nobody sees any of it.
 * I2  After cancel, or an error of any step, the mailbox is as it was.
 */
#ifndef STORE_DELIVER_H
#define STORE_DELIVER_H

#include "rt/rt.h"

/* Group sync: deliveries that end at the same time share one sync of their
 * file system.  One for each file system and process; NULL everywhere means
 * that each delivery syncs for itself. */
struct sync_group;
struct sync_group *sync_group_new(struct arena *a, struct dir *on);

/* A quota that who knows the user says there is none of. */
#define QUOTA_NONE UINT64_MAX

struct delivery_options {
    str host;                   /* in Maildir names */
    uint32_t file_mode, dir_mode; /* 0: 0600, 0700 */
    uint64_t quota_bytes, quota_messages; /* 0: what stands in the Maildir;
                                   or QUOTA_NONE */
    uint64_t size_max;          /* mbox: the file may not grow past it;
                                   Maildir: no message may; 0: none */
    struct sync_group *group;
    str sender;                 /* mbox: in the From_ line */
    when until;                 /* mbox: how long to wait for locks */
    bool dotlock, fcntl_lock;   /* mbox: which locks */
};

struct delivery;

/* path: the Maildir's, made (with what is above it) if missing; at may be
 * NULL.  ERR_LIMIT with why(): over quota. */
err maildir_deliver(struct task *t, struct arena *a, struct dir *at,
                    str path, const struct delivery_options *o,
                    struct delivery **out);

/* Whether a message of that size may come into the Maildir at path; one that
 * is not there yet is empty.  ERR_LIMIT with why(): it may not. */
err maildir_room(struct task *t, struct arena *a, str path,
                 const struct delivery_options *o, uint64_t size);

/* path: the mbox file, made if missing (its directory is not). */
err mbox_deliver(struct task *t, struct arena *a, struct dir *at, str path,
                 const struct delivery_options *o, struct delivery **out);

/* A piece of the message, with LF at its lines' ends; may be cut anywhere. */
err delivery_write(struct task *t, struct delivery *d, str piece);

/* After either of them d is spent. */
err delivery_finish(struct task *t, struct delivery *d);
void delivery_cancel(struct task *t, struct delivery *d); /* NULL is fine */

/* What the log line says: "delivered to maildir", "delivered to mailbox". */
str delivery_how(const struct delivery *d);

#endif
