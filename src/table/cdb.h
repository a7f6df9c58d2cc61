/* SPDX-License-Identifier: ISC
 *
 * Constant databases: D. J. Bernstein's cdb format, so that other tools read
 * what we write and we read theirs.  Pure: bytes in, slices out.
 *
 *     0     256 x { u32 position, u32 slots }      the hash tables' places
 *     2048  records { u32 key size, u32 value size, key, value } ...
 *     ...   hash tables: slots x { u32 hash, u32 position of record }
 *
 * Little-endian; hash h = 5381, h = (h * 33) ^ byte; table h % 256, first
 * slot (h / 256) % slots, then the next ones; position 0 is an empty slot.
 *
 * I1  Every read is checked against the size: a torn or hostile file gives
 *     ERR_CORRUPT or a wrong answer, never a read outside it.
 * I2  Records are walked in the order in which they were added.
 */
#ifndef TABLE_CDB_H
#define TABLE_CDB_H

#include "base/base.h"

enum { CDB_HEADER_SIZE = 2048 };

/* Whether bytes can be a database at all. */
bool cdb_plausible(str bytes);

/* OK, ERR_ABSENT or ERR_CORRUPT.  *value is borrowed from bytes. */
err cdb_find(str bytes, str key, str *value);

/* The record at *at (start with 0) and on to the next: OK, ERR_END, or
 * ERR_CORRUPT. */
err cdb_walk(str bytes, uint64_t *at, str *key, str *value);

/* Building: all of it in memory, at most 4 GiB (the format's own limit).  The
 * maker and its memory go with the arena. */
struct cdb_maker;
struct cdb_maker *cdb_make(struct arena *a);
void cdb_add(struct cdb_maker *m, str key, str value);

/* The finished file, to be called once; ERR_LIMIT if it is too large. */
err cdb_finish(struct cdb_maker *m, str *bytes);

#endif
