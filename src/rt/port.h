/* SPDX-License-Identifier: ISC
 *
 * Ports: framed, coalescing channels between roles over a stream socket, and
 * calls over them.
 *
 * Frame, little-endian: u32 size of body | u16 type | u16 flags | u64 id |
 * body.  Frames are put into one buffer and leave in one write per loop turn.
 * The side that receives validates everything as if it were the network.
 */
#ifndef RT_PORT_H
#define RT_PORT_H

#include "rt/sock.h"

enum { PORT_BODY_MAX = 1 << 20 };

struct frame {
    uint16_t type, flags;
    uint64_t id;
    str body;   /* received: valid until the next port_recv */
    int fd;     /* -1: none; received: the caller owns it */
};

struct port;

/* Takes the socket over. */
err port_open(struct task *t, struct sock *s, struct port **out);
/* NULL is fine; senders that wait get ERR_END. */
void port_close(struct port *p);

/* Nothing more from this side, beyond what the other takes at once: it hears
 * an end, and may still say something. */
void port_end(struct port *p);

/* Queues a frame; waits while the other side does not keep up.  ERR_END once
 * the port is broken, ERR_LIMIT when its descriptor cannot be copied.  A
 * descriptor in the frame stays the caller's. */
err port_send(struct task *t, struct port *p, const struct frame *f);

/* The same without waiting: the buffer grows past its mark instead.  For
 * answers, of which there are no more than questions.  At the limit of open
 * files the frame goes without its descriptor.  Where the other side reads
 * nothing for long the port breaks: port_recv says ERR_PEER and why. */
void port_answer(struct port *p, const struct frame *f);

/* Waits while the other side does not keep up: who answers questions asks
 * this before it reads the next one.  ERR_END once the port is broken. */
err port_wait(struct task *t, struct port *p);

err port_recv(struct task *t, struct port *p, when until, struct frame *out);

/* Bytes queued and not yet written. */
size_t port_backlog(const struct port *p);

/* Calls: a client task asks and waits for the frame with the same id.
 * calls_serve starts, in g, the task that takes a port to the peer over and
 * hands answers out until the port ends; one that died gets another port the
 * same way.  While there is none, callers wait a while for one, and a question
 * whose port broke is asked again on the next: ask only what may be asked
 * twice. */
struct calls;
struct calls *calls_new(struct arena *a);
void calls_serve(struct task_group *g, struct calls *c, struct port *p);

/* The answer's body is copied into a; a descriptor in it is the caller's.
 * ERR_END: the peer is gone, or died of the question again and again. */
err call(struct task *t, struct calls *c, uint16_t type, str body, when until,
         struct arena *a, struct frame *answer);

#endif
