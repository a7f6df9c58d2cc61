/* SPDX-License-Identifier: ISC
 *
 * Comparing the index with the Maildir: what other programs delivered, moved,
 * flagged or removed becomes records.
 *
 * I1  A directory is listed only when its mtime is not the one we know, or
 *     when that mtime was so young at the last comparison that a later change
 *     may hide behind it.
 * I2  A file counts as removed when two listings in a row do not show it: a
 *     rename can hide a name from one.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/index_file.h"

enum scan_dirs { SCAN_NEW = 1, SCAN_CUR = 2, SCAN_BOTH = 3 };

/* Which directories may hold something new. */
err scan_needed(struct task *t, struct index *ix, int *dirs);

/* Compares; the lock is held and the frame is empty.  Commits.  take: what
 * is in new/ is moved to cur/. */
err scan_run(struct task *t, struct index *ix, int dirs, bool take);

/* Adds a record with the stamps as they are now, after changes of our own
 * under the lock. */
err scan_stamp(struct task *t, struct index *ix);

/* Reads dovecot-uidlist and dovecot-keywords of a mailbox that has no index
 * yet.  *s gets uidvalidity, next UID and keywords; records for the known
 * messages that exist are put into *frame.  uids false: keywords alone. */
err scan_import(struct task *t, struct dir *dir, bool uids,
                struct index_state *s, struct buf *frame);

/* The path of a row's file, "cur/..." or "new/...", in a. */
str scan_path(struct arena *a, str map, const struct row *r);

#endif
