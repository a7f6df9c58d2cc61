/* SPDX-License-Identifier: ISC
 *
 * Destinations and workers.  Destinations that have work and may take it
 * stand in a ring; each turn gives one job of the first and puts it last, and
 * a part that is not used up goes behind its destination's other parts: no
 * message and no destination can keep others waiting.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"

#include <unistd.h>

enum {
    WINDOW = 256,           /* jobs a worker may hold */
    JOBS_PER_CONNECTION = 2, /* so that a connection never runs dry */
};

static bool may_serve(const struct next_hop *d)
{
    const struct transport *tr = d->transport;

    return d->n_parts > 0 && d->n_active < tr->jobs_max * JOBS_PER_CONNECTION
           && (!tr->service_max
               || tr->n_active < tr->service_max * JOBS_PER_CONNECTION);
}

void next_hop_ready(struct queue *q, struct next_hop *d)
{
    if (!may_serve(d) || link_on(&d->ready))
        return;
    list_add_last(&q->ready, &d->ready);
    bell_ring(&q->work);
}

struct next_hop *next_hop_get(struct queue *q, struct transport *tr,
                                    str nexthop)
{
    struct arena *a = q->role->memory;
    char text[1200];
    struct buf b;
    struct next_hop *d;

    buf_init(&b, NULL, sizeof(text));
    buf_fmt(&b, "%.*s\n%.*s", STR(tr->name), STR(str_head(nexthop, 1000)));
    d = map_get(&q->destinations, buf_str(&b));
    if (!d) {
        d = arena_new(a, struct next_hop);
        d->key = arena_str(a, buf_str(&b));
        d->nexthop = str_skip(d->key, tr->name.n + 1);
        d->queue = q;
        d->transport = tr;
        list_init(&d->parts);
        map_put(&q->destinations, d->key, d);
    }
    buf_free(&b);
    return d;
}

void next_hop_add(struct task *t, struct queue *q, struct part *p)
{
    struct next_hop *d = p->to;

    (void)t;
    list_add_last(&d->parts, &p->link);
    d->n_parts++;
    next_hop_ready(q, d);
}

/* --- jobs ----------------------------------------------------------------- */

static err send_segment(struct task *t, struct queue *q, struct worker *w,
                        uint32_t number)
{
    struct file *f;
    struct buf b;
    uint32_t *kept;
    err e;

    TRY(spool_segment_open(t, q->spool, number, &f));
    buf_init(&b, NULL, 16);
    pack_u32(&b, number);
    e = port_send(t, w->port, &(struct frame){ .type = FACE_SEGMENT,
                                               .body = buf_str(&b),
                                               .fd = file_fd(f) });
    buf_free(&b);
    file_close(f);
    TRY(e);
    kept = heap_new(uint32_t);
    *kept = number;
    map_put(&w->segments, str_of(kept, sizeof(*kept)), kept);
    return OK;
}

/* All that the message lies in.  It may be copied elsewhere while a segment
 * is sent: done when a look from the first to the last finds nothing new. */
static err send_segments(struct task *t, struct queue *q, struct worker *w,
                         const struct spool_entry *e)
{
    for (uint32_t i = 0; i < e->n_extents; i++) {
        uint32_t number = e->extents[i].segment;
        if (map_get(&w->segments, str_of(&number, sizeof(number))))
            continue;
        TRY(send_segment(t, q, w, number));
        i = UINT32_MAX; /* from the first again */
    }
    return OK;
}

static void pack_job(struct task *t, const struct queue *q,
                     const struct sent_job *s, struct buf *b)
{
    const struct part *p = s->part;
    const struct message *m = p->message;
    struct job j = {
        .message = m->entry->id,
        .queue_id = queue_id_str(&m->id),
        .transport = p->to->transport->name,
        .nexthop = p->to->nexthop,
        .dispatch_us = rt_wall(t),
        .attempts = m->attempts,
        .envelope = m->envelope,
        .extents = m->entry->extents,
        .n_extents = m->entry->n_extents,
    };
    struct arena a;

    (void)q;
    arena_init(&a, 0);
    j.envelope.recipients.p = arena_array(&a, struct recipient, s->n);
    j.envelope.recipients.n = s->n;
    for (uint32_t i = 0; i < s->n; i++)
        j.envelope.recipients.p[i] =
            m->envelope.recipients.p[p->index[s->from + i]];
    job_pack(&j, b);
    arena_reset(&a);
}

static err send_job(struct task *t, struct queue *q, struct worker *w,
                    struct part *p)
{
    uint32_t left = p->n - p->at, most = p->to->transport->rcpts_max;
    struct sent_job *s = heap_new(struct sent_job);
    struct buf b;
    err e;

    *s = (struct sent_job){ .id = ++q->next_job, .part = p, .worker = w,
                            .from = p->at, .n = left < most ? left : most };
    p->at += s->n;
    p->n_jobs++;
    p->to->n_active++;
    p->to->transport->n_active++;
    list_add_last(&w->jobs, &s->link);
    w->n_jobs++;
    e = send_segments(t, q, w, p->message->entry);
    if (e == ERR_END)
        return OK; /* worker_run has given the job back, s is gone */
    TRY(e);
    buf_init(&b, NULL, PORT_BODY_MAX);
    pack_job(t, q, s, &b);
    if (b.over)
        e = why(t, ERR_LIMIT, "a job is too large");
    if (!e)
        e = port_send(t, w->port, &(struct frame){ .type = FACE_JOB,
                                                   .id = s->id,
                                                   .body = buf_str(&b),
                                                   .fd = -1 });
    buf_free(&b);
    /* a worker that is gone gives its jobs back in worker_run */
    return e == ERR_STOPPED ? e : OK;
}

static struct worker *worker_for(struct queue *q, enum role_kind role)
{
    struct worker *best = NULL;

    list_each(l, &q->workers) {
        struct worker *w = container_of(l, struct worker, link);
        if (w->role == role && w->n_jobs < WINDOW
            && (!best || w->n_jobs < best->n_jobs))
            best = w;
    }
    return best;
}

/* error, retry and discard need nobody else. */
static err serve_here(struct task *t, struct queue *q, struct part *p)
{
    struct transport *tr = p->to->transport;
    bool discard = str_eq(tr->command, S("discard"));
    bool retry = str_eq(tr->command, S("retry"))
                 || str_eq(tr->name, S("retry")); /* a line of error(8) */
    struct result_rcpt r = {
        .outcome = discard ? OUTCOME_SENT
                 : retry ? OUTCOME_DEFERRED : OUTCOME_BOUNCED,
        .text = p->to->nexthop,
        .relay = S("none"),
    };
    str text = p->to->nexthop;
    size_t blank = str_chr(text, ' ');
    str code = str_head(text, blank);

    memcpy(r.dsn, discard ? "2.0.0" : retry ? "4.0.0" : "5.0.0", 6);
    if (code.n >= 5 && code.n < sizeof(r.dsn) && code.p[1] == '.'
        && is_digit(code.p[0])) {
        memcpy(r.dsn, code.p, code.n);
        r.dsn[code.n] = 0;
        r.text = str_trim(str_skip(text, code.n));
    }
    return part_give_up(t, q, p, &r,
                        discard ? "postfix/discard"
                        : retry ? "postfix/retry" : "postfix/error");
}

/* Serves the destination once. */
static err serve(struct task *t, struct queue *q, struct next_hop *d)
{
    struct link *l = d->parts.next;
    struct part *p = container_of(l, struct part, link);
    struct worker *w;

    if (d->dead_until_us > rt_wall(t) && !p->message->forced) {
        struct result_rcpt r = { .outcome = OUTCOME_DEFERRED,
                                 .dsn = "4.4.1", .relay = S("none") };
        struct arena a;
        err e;
        arena_init(&a, 0);
        r.text = arena_fmt(&a, "delivery temporarily suspended: %.*s",
                           STR(d->dead_reason));
        list_del(l);
        d->n_parts--;
        e = part_give_up(t, q, p, &r, "postfix/error");
        arena_reset(&a);
        return e;
    }
    if (d->transport->role == N_ROLES) {
        list_del(l);
        d->n_parts--;
        return serve_here(t, q, p);
    }
    w = worker_for(q, d->transport->role);
    if (!w)
        return ERR_ABSENT;
    list_del(l);
    if (p->n - p->at > d->transport->rcpts_max)
        list_add_last(&d->parts, l); /* behind the others */
    else
        d->n_parts--;
    return send_job(t, q, w, p);
}

err dispatch_run(struct task *t, void *queue)
{
    struct queue *q = queue;

    for (;;) {
        struct link blocked;
        struct link *l;

        list_init(&blocked);
        while ((l = list_pop(&q->ready))) {
            struct next_hop *d = container_of(l, struct next_hop,
                                                 ready);
            err e = may_serve(d) ? serve(t, q, d) : OK;
            if (e == ERR_ABSENT) {
                list_add_last(&blocked, l); /* no worker has room */
                continue;
            }
            TRY(e);
            next_hop_ready(q, d);
        }
        while ((l = list_pop(&blocked)))
            list_add_last(&q->ready, l);
        TRY(bell_wait(t, &q->work, NEVER));
    }
}

/* --- workers -------------------------------------------------------------- */

struct worker *worker_new(struct queue *q, struct role_port *p)
{
    struct worker *w = heap_new(struct worker);

    w->queue = q;
    w->port = p->port;
    w->role = p->peer;
    list_init(&w->jobs);
    map_init(&w->segments, false);
    list_add_last(&q->workers, &w->link);
    bell_ring(&q->work);
    return w;
}

static struct sent_job *job_find(struct worker *w, uint64_t id)
{
    list_each(l, &w->jobs) {
        struct sent_job *s = container_of(l, struct sent_job, link);
        if (s->id == id)
            return s;
    }
    return NULL;
}

static void job_off(struct sent_job *s)
{
    list_del(&s->link);
    s->worker->n_jobs--;
    s->part->n_jobs--;
    s->part->to->n_active--;
    s->part->to->transport->n_active--;
}

static err on_result(struct task *t, struct worker *w, struct frame *f)
{
    struct queue *q = w->queue;
    struct sent_job *s = f->type == FACE_RESULT ? job_find(w, f->id) : NULL;
    struct arena a;
    struct result r;
    struct part *p;
    err e;

    if (!s)
        return ERR_PEER;
    arena_init(&a, 0);
    e = result_unpack(f->body, &a, &r);
    if (e || r.n_rcpts != s->n) {
        arena_reset(&a);
        return ERR_PEER;
    }
    p = s->part;
    job_off(s);
    e = result_take(t, q, s, &r);
    heap_free(s);
    next_hop_ready(q, p->to);
    bell_ring(&q->work);
    if (p->at == p->n && p->n_jobs == 0)
        part_done(t, q, p);
    arena_reset(&a);
    return e;
}

/* Jobs of a worker that died are tried again, at once. */
static void give_back(struct queue *q, struct worker *w)
{
    struct link *l;

    while (!list_empty(&w->jobs)) {
        l = w->jobs.next;
        struct sent_job *s = container_of(l, struct sent_job, link);
        struct part *p = s->part;
        struct part *again = heap_new(struct part);

        job_off(s);
        *again = (struct part){ .message = p->message, .to = p->to,
                                .n = s->n };
        again->index = heap_alloc(s->n * sizeof(*again->index));
        memcpy(again->index, p->index + s->from,
               s->n * sizeof(*again->index));
        again->message->n_parts++;
        list_add_first(&p->to->parts, &again->link);
        p->to->n_parts++;
        if (p->at == p->n && p->n_jobs == 0)
            part_done(NULL, q, p);
        next_hop_ready(q, again->to);
        heap_free(s);
    }
    bell_ring(&q->work);
}

static void segments_free(struct worker *w)
{
    str key;
    void *number;

    for (size_t at = 0; map_next(&w->segments, &at, &key, &number);)
        heap_free(number);
    map_free(&w->segments);
}

err worker_run(struct task *t, void *arg)
{
    struct worker *w = arg;
    struct queue *q = w->queue;
    struct frame f;
    err e;

    while (!(e = port_recv(t, w->port, NEVER, &f))) {
        fd_close(f.fd);
        e = on_result(t, w, &f);
        if (e)
            break;
    }
    if (e == ERR_PEER)
        say(t, qmgr_bad_frame, f.type, role_name(w->role));
    list_del(&w->link);
    give_back(q, w);
    segments_free(w);
    port_close(w->port);
    heap_free(w);
    return e == ERR_IO ? e : OK;
}
