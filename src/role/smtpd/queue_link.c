/* SPDX-License-Identifier: ISC
 *
 * The port to the queue manager, as sessions see it.
 */
#include "role/smtpd/smtpd.h"

enum { NUMBERS_LOW = 1024 };

struct range {
    uint64_t next, end;
};

struct queue_link {
    struct port *port;      /* NULL: qmgr is away */
    uint32_t life;          /* counts ports */
    struct range ranges[2];
    bool asked;             /* for more numbers */
    bool paused;
    struct map waiting;     /* number -> struct submission */
    struct bell numbers;
};

struct queue_link *queue_link_new(struct arena *a)
{
    struct queue_link *ql = arena_new(a, struct queue_link);

    map_init(&ql->waiting, false);
    return ql;
}

bool queue_link_open(const struct queue_link *ql)
{
    return ql->port && !ql->paused;
}

static void on_ack(struct queue_link *ql, const struct frame *f)
{
    struct submission *s = map_del(&ql->waiting,
                                   str_of(&f->id, sizeof(f->id)));

    if (!s)
        return;
    s->status = f->body.n == 1 ? (enum face_status)f->body.p[0]
                               : FACE_FAILED;
    s->done = true;
    bell_ring(&s->answered);
}

static void on_numbers(struct queue_link *ql, str body)
{
    struct unpack u = unpack_of(body);
    uint64_t first = unpack_u64(&u);
    uint32_t count = unpack_u32(&u);

    ql->asked = false;
    ql->ranges[ql->ranges[0].next < ql->ranges[0].end] =
        (struct range){ first, first + count };
    bell_ring_all(&ql->numbers);
}

static void fail_waiting(struct queue_link *ql)
{
    str key;
    void *value;

    for (size_t at = 0; map_next(&ql->waiting, &at, &key, &value);) {
        struct submission *s = value;
        s->status = FACE_FAILED;
        s->done = true;
        bell_ring(&s->answered);
    }
    map_free(&ql->waiting);
    bell_ring_all(&ql->numbers);
}

err queue_link_run(struct task *t, struct queue_link *ql, struct port *p)
{
    struct frame f;
    err e;

    if (ql->port)
        fail_waiting(ql); /* the end of the one before is still to be read */
    ql->port = p;
    ql->life++;
    ql->paused = false;
    ql->asked = true; /* qmgr begins with some */
    ql->ranges[0] = ql->ranges[1] = (struct range){ 0, 0 };
    while (!(e = port_recv(t, p, NEVER, &f)) && ql->port == p) {
        if (f.type == FACE_ACK)
            on_ack(ql, &f);
        else if (f.type == FACE_NUMBERS)
            on_numbers(ql, f.body);
        else if (f.type == FACE_PAUSE)
            ql->paused = f.body.n == 1 && f.body.p[0];
        fd_close(f.fd);
    }
    if (!e)
        fd_close(f.fd);
    if (ql->port == p) {
        ql->port = NULL;
        fail_waiting(ql);
    }
    port_close(p);
    return e;
}

/* The port that the ticket's number came through. */
static err port_of(struct task *t, const struct queue_link *ql,
                   struct queue_ticket ticket, struct port **out)
{
    if (!ql->port || ql->life != ticket.life)
        return why(t, ERR_END, "the queue manager is away");
    *out = ql->port;
    return OK;
}

err queue_link_number(struct task *t, struct queue_link *ql, when until,
                      struct queue_ticket *ticket)
{
    for (;;) {
        struct range *r = &ql->ranges[0];

        if (!ql->port)
            return why(t, ERR_END, "the queue manager is away");
        if (r->next == r->end) {
            ql->ranges[0] = ql->ranges[1];
            ql->ranges[1] = (struct range){ 0, 0 };
        }
        if (r->end - r->next < NUMBERS_LOW && !ql->asked
            && ql->ranges[1].next == ql->ranges[1].end) {
            ql->asked = true;
            port_answer(ql->port, &(struct frame){ .type = FACE_MORE,
                                                   .fd = -1 });
        }
        if (r->next < r->end) {
            *ticket = (struct queue_ticket){ r->next++, ql->life };
            return OK;
        }
        TRY(bell_wait(t, &ql->numbers, until));
    }
}

err queue_link_data(struct task *t, struct queue_link *ql,
                    struct queue_ticket ticket, str bytes)
{
    struct port *p = NULL;

    TRY(port_of(t, ql, ticket, &p));
    return port_send(t, p, &(struct frame){ .type = FACE_DATA,
                                            .id = ticket.number,
                                            .body = bytes, .fd = -1 });
}

err queue_link_end(struct task *t, struct queue_link *ql,
                   struct queue_ticket ticket, str envelope,
                   enum face_status *status)
{
    struct submission s = { .number = ticket.number };
    struct port *p = NULL;
    err e;

    TRY(port_of(t, ql, ticket, &p));
    map_put(&ql->waiting, str_of(&s.number, sizeof(s.number)), &s);
    e = port_send(t, p, &(struct frame){ .type = FACE_END,
                                         .id = ticket.number,
                                         .body = envelope, .fd = -1 });
    while (!e && !s.done)
        e = bell_wait(t, &s.answered, NEVER);
    if (!s.done)
        map_del(&ql->waiting, str_of(&s.number, sizeof(s.number)));
    else
        *status = s.status;
    return s.done ? OK : e;
}

void queue_link_abort(struct queue_link *ql, struct queue_ticket ticket)
{
    if (ql->port && ql->life == ticket.life)
        port_answer(ql->port, &(struct frame){ .type = FACE_ABORT,
                                               .id = ticket.number,
                                               .fd = -1 });
}

bool queue_link_flush(struct queue_link *ql, str site)
{
    struct buf b;

    if (!ql->port)
        return false;
    buf_init(&b, NULL, 2048);
    pack_str(&b, str_head(site, 1000));
    port_answer(ql->port, &(struct frame){ .type = FACE_FLUSH,
                                           .body = buf_str(&b), .fd = -1 });
    buf_free(&b);
    return true;
}
