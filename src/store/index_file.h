/* SPDX-License-Identifier: ISC
 *
 * The index on disk: `veredus-index` in a mailbox's directory, shared by all
 * processes that read the mailbox.
 *
 * I1  Whoever appends holds the exclusive lock of the file that the name
 *     leads to; whoever reads what is new holds the shared one.
 * I2  Appended records reach the state only by replay: what others will read
 *     is what we know.
 * I3  A rewrite makes a new file and renames it over the old one; a holder of
 *     the old one sees another inode under the name and takes it over.
 * I4  Frames that assign UIDs are synced before anybody outside learns them.
 */
#ifndef STORE_INDEX_FILE_H
#define STORE_INDEX_FILE_H

#include "rt/rt.h"
#include "store/index.h"

#define INDEX_NAME S("veredus-index")

struct index {
    struct index_state s;
    struct dir *dir;        /* the mailbox, owned */
    char *place;            /* its path, for messages; heap */
    struct file *file;
    uint64_t inode;
    str map;                /* the file, at least s.applied bytes */
    struct buf frame;       /* the frame being built, on the heap */
    uint32_t mode;          /* of files it makes */
    bool locked;
    bool assigns;           /* I4: to be synced after the commit */
    bool reset;             /* the mailbox was made anew under us */
    bool stays;             /* it could not be rewritten: not tried again */
};

/* Opens the index in dir, which it takes over in any case.  place: the path
 * of dir, for messages.  ERR_ABSENT: there is none yet (dir is closed);
 * ERR_CORRUPT: it is not one of ours, or damaged (index.h, I1). */
err index_open(struct task *t, struct dir *dir, str place, uint32_t mode,
               struct index *out);
void index_close(struct index *ix);

/* Makes the file unless there is one already. */
err index_create(struct task *t, struct dir *dir, uint32_t mode, str bytes);

/* Takes in what others appended; an index that dozes goes on if there is
 * nothing. */
err index_catch_up(struct task *t, struct index *ix);

/* Bytes of the file are no frame: who locks it next cuts them off. */
static inline bool index_torn(const struct index *ix)
{
    return ix->s.torn > 0;
}

/* The exclusive lock, with the state as of now; a new frame is begun. */
err index_lock(struct task *t, struct index *ix);

/* Appends the frame, if anything is in it, and begins another.  */
err index_commit(struct task *t, struct index *ix);

/* Gives the lock back and syncs what must be (I4). */
err index_unlock(struct task *t, struct index *ix);

/* The modseq for the next change, for one frame. */
uint64_t index_modseq_next(struct task *t, const struct index *ix);

/* Gives the memory of an idle mailbox back, if nothing is unannounced; wake
 * restores exactly the same rows. */
void index_doze(struct index *ix);
err index_wake(struct task *t, struct index *ix);
static inline bool index_dozes(const struct index *ix)
{
    return ix->map.n == 0;
}

#endif
