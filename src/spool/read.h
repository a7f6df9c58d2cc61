/* SPDX-License-Identifier: ISC
 *
 * Reading message bodies from segments: what delivery roles need of the
 * spool.  They hold a segment's descriptor, read-only, and a list of extents.
 */
#ifndef SPOOL_READ_H
#define SPOOL_READ_H

#include "base/base.h"
#include "rt/rt.h"

enum { SPOOL_CHUNK_MAX = 64 * 1024, SPOOL_RECORD_HEAD = 32 };

/* Where a piece of a body lies: a CHUNK record. */
struct extent {
    uint32_t segment;
    uint32_t offset;     /* of the record's head */
    uint32_t size;       /* of the payload */
    uint64_t generation;
};

/* Reads one extent's payload into p, which has room for SPOOL_RECORD_HEAD
 * more bytes than its size; *bytes lies inside p.  ERR_CORRUPT when the
 * record there is not that of this message (the segment was recycled, or the
 * disk lies). */
err spool_read(struct task *t, struct file *segment, const struct extent *x,
               uint64_t id, char *p, str *bytes);

void extent_pack(struct buf *b, const struct extent *x);
void extent_unpack(struct unpack *u, struct extent *x);
enum { EXTENT_PACKED = 20 };

#endif
