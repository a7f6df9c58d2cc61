/* SPDX-License-Identifier: ISC
 *
 * Damage to the spool's files while nobody uses them, and whom it hit.
 */
#ifndef TEST_WORLD_ROT_H
#define TEST_WORLD_ROT_H

#include "test/world/world.h"

struct rot {
    struct map hit;         /* numbers of messages -> themselves */
    struct arena memory;    /* theirs */
    unsigned n;             /* times */
};

/* Damages one file of the spool in dir.  Never what was written last: that
 * could be a torn end as well. */
void rot_once(struct task *t, struct rot *rot, struct dir *dir,
              uint32_t segment_size);

/* Whether anything of the message was hit, now or before. */
bool rot_hit(const struct rot *rot, uint64_t id);

#endif
