/* SPDX-License-Identifier: ISC
 *
 * The door to LMDB: NAME.lmdb, one file without LMDB's own locks.  As the
 * manual of lmdb_table(5) has it, every transaction stands under a lock of
 * the whole file instead (fcntl), so that other programs that follow it may
 * share the file with us.
 *
 * I1  A transaction begins and ends within one function that does not wait;
 *     the lock is taken before and let go after it.
 */
#ifndef TABLE_LMDB_H
#define TABLE_LMDB_H

#include "table/kind.h"

struct lmdb;

/* Opens (write: makes, with mode) path; closed with the arena.  map_size is
 * the least size of the map. */
err lmdb_open(struct task *t, struct arena *a, str path, bool write,
              uint32_t mode, size_t map_size, struct lmdb **out);

/* The lock; write: exclusive. */
err lmdb_lock(struct task *t, struct lmdb *db);
void lmdb_unlock(struct lmdb *db);

/* Under the lock.  OK, ERR_ABSENT, or an error with its reason. */
err lmdb_get(struct lmdb *db, str key, struct arena *a, str *value,
             const char **reason);

/* The first entry after a key (first: the very first one). */
err lmdb_next(struct lmdb *db, bool first, str after, struct arena *a,
              str *key, str *value, const char **reason);

/* One change: value.p NULL deletes. */
struct lmdb_change {
    str key, value;
};

/* All changes in one transaction, after emptying the database if clear.  A
 * database that is full grows. */
err lmdb_write(struct lmdb *db, bool clear, const struct lmdb_change *p,
               size_t n, const char **reason);

#endif
