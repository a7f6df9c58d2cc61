/* SPDX-License-Identifier: ISC
 *
 * Reading a job's text, as delivery roles do it.  The queue manager copies
 * messages to other places while jobs are out, so that a slow delivery holds
 * up no segment: a place that has become another's is asked for again, and so
 * are those that were not in the job's frame (large messages have many).
 */
#ifndef SPOOL_PIECES_H
#define SPOOL_PIECES_H

#include "rt/port.h"
#include "spool/face.h"

/* What a role has of its queue manager. */
struct pieces_from {
    void *self;
    struct port *(*port)(void *self);   /* the one the job came by; NULL: it
                                           is gone */
    struct file *(*file)(void *self, uint32_t segment); /* NULL: not given */
    struct link *asking;                /* list of those who wait */
};

struct pieces {
    struct pieces_from from;
    const struct job *job;
    const uint64_t *id;     /* the job's, as it is at the moment */
    const struct extent *x; /* what is known: from first on, n of them */
    uint32_t first, n;
    struct extent *told;    /* our memory for that, or NULL */
    char *memory;           /* of the piece that was read last */
    struct link link;       /* asking */
    struct bell came;
    bool answered;
};

void pieces_open(struct pieces *p, const struct pieces_from *from,
                 const struct job *job, const uint64_t *id);
void pieces_close(struct pieces *p);

/* Piece i of job->n_extents; it stays until the next one.  ERR_CORRUPT: it
 * cannot be read; ERR_IO: the queue manager is gone, and with it the job. */
err pieces_read(struct task *t, struct pieces *p, uint32_t i, str *out);

/* A FACE_PLACES frame came.  ERR_PEER: it is none. */
err pieces_came(struct task *t, struct link *asking, const struct frame *f);

/* A port is gone: those who wait look after theirs. */
void pieces_wake(struct link *asking);

/* Questions and answers, for the queue manager. */
err places_asked(const struct frame *f, uint32_t *first);
void places_pack(struct buf *b, const struct extent *x, uint32_t total,
                 uint32_t first);

#endif
