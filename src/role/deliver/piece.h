/* SPDX-License-Identifier: ISC
 *
 * Inside a hand: the pieces of work it does at the same time.
 */
#ifndef ROLE_DELIVER_PIECE_H
#define ROLE_DELIVER_PIECE_H

#include "role/deliver/hand.h"
#include "store/deliver.h"

/* Deliveries to one file system share syncs. */
struct shared_sync {
    struct link link;           /* on hand_self->syncs, or off for good */
    struct arena memory;
    uint64_t device;
    size_t n_users;
    struct sync_group *group;
};

/* Who delivers to an mbox now, and who waits for that. */
struct turn {
    struct arena memory;
    struct bell next;
    size_t n_users;
    bool taken;
};

struct hand_self {
    struct arena memory;
    struct port *port;
    struct map pieces;          /* id -> struct piece */
    struct task_group group;
    struct link syncs;          /* struct shared_sync */
    struct map turns;           /* path of an mbox -> struct turn */
};

struct piece {
    struct hand_self *self;
    uint64_t id;
    struct arena memory;
    struct hand_work work;
    struct buf in, out;         /* bytes that came; those being used */
    struct bell changed;
    bool end, dropped, stopped; /* stopped: nobody wants more bytes */
    uint32_t used;              /* not yet asked for again */
};

/* The next bytes of the message, valid until the next call; ERR_END at its
 * end, ERR_PEER when the planner dropped it. */
err piece_next(struct task *t, struct piece *p, str *bytes);

/* The whole of a piece of work. */
void piece_box(struct task *t, struct piece *p, struct hand_done *done);
void piece_command(struct task *t, struct piece *p, struct hand_done *done);

/* A verdict with the reason that rides on the task. */
struct hand_done piece_failed(struct task *t, struct piece *p,
                              enum hand_end end);

/* After the last piece has ended. */
void syncs_close(struct hand_self *self);

/* HAND_READ; files of at most max bytes. */
void hand_file_read(struct task *t, struct arena *a,
                    const struct hand_read *r, size_t max,
                    struct hand_text *out);

#endif
