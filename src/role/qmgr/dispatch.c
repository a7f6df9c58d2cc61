/* SPDX-License-Identifier: ISC
 *
 * Jobs and workers.  Each turn gives one job of the next hop whose turn it is
 * (next_hop.c), and a part that is not used up goes behind its next hop's
 * other parts: no message and no destination can keep others waiting.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"
#include "spool/pieces.h"

#include <unistd.h>

enum {
    WINDOW = 1024,          /* jobs a worker may hold */
    LOST_MAX = 3,           /* workers that may die over a message in a row */
};

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
    if (map_get(&w->segments, str_of(&number, sizeof(number))))
        return OK; /* it was asked for meanwhile */
    kept = heap_new(uint32_t);
    *kept = number;
    map_put(&w->segments, str_of(kept, sizeof(*kept)), kept);
    return OK;
}

/* All that one frame of the message's places lies in.  It may be copied
 * elsewhere while a segment is sent: done when a look from the first to the
 * last finds nothing new. */
static err send_segments(struct task *t, struct queue *q, struct worker *w,
                         const struct spool_entry *e, uint32_t first)
{
    for (uint32_t i = first; i < e->n_extents && i - first < PLACES_MAX;) {
        uint32_t number = e->extents[i].segment;
        if (map_get(&w->segments, str_of(&number, sizeof(number)))) {
            i++;
            continue;
        }
        TRY(send_segment(t, q, w, number));
        i = first;
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
        .connections = next_hop_connections(p->to),
        .envelope = m->envelope,
        .extents = m->entry->extents,
        .n_extents = m->entry->n_extents,
        .n_known = m->entry->n_extents < PLACES_MAX ? m->entry->n_extents
                                                    : PLACES_MAX,
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

/* Cuts a job off the part, as large as a frame can hold. */
static struct sent_job *cut_job(struct task *t, struct queue *q,
                                struct worker *w, struct part *p,
                                struct buf *b)
{
    uint32_t left = p->n - p->at, most = p->to->transport->rcpts_max;
    struct sent_job *s = heap_new(struct sent_job);

    *s = (struct sent_job){ .id = ++q->next_job, .part = p, .worker = w,
                            .from = p->at, .n = left < most ? left : most };
    pack_job(t, q, s, b);
    while (b->over && s->n > 1) {
        buf_clear(b);
        b->over = false;
        s->n /= 2;
        pack_job(t, q, s, b);
    }
    p->at += s->n;
    p->n_jobs++;
    next_hop_begin(p->to);
    list_add_last(&w->jobs, &s->link);
    map_put(&w->by_id, str_of(&s->id, sizeof(s->id)), s);
    w->n_jobs++;
    if (p->at < p->n) { /* the rest goes behind the others */
        list_add_last(&p->to->parts, &p->link);
        p->to->n_parts++;
    }
    return s;
}

static struct sent_job *job_find(struct worker *w, uint64_t id)
{
    return map_get(&w->by_id, str_of(&id, sizeof(id)));
}

static void job_off(struct task *t, struct sent_job *s)
{
    struct worker *w = s->worker;

    list_del(&s->link);
    map_del(&w->by_id, str_of(&s->id, sizeof(s->id)));
    w->n_jobs--;
    next_hop_end(t, w->queue, s->part->to);
}

/* The part is not held any more by a job that is off. */
static void job_free(struct task *t, struct queue *q, struct sent_job *s)
{
    struct part *p = s->part;

    heap_free(s);
    p->n_jobs--;
    if (p->at == p->n && p->n_jobs == 0)
        part_done(t, q, p);
}

static err put_off(struct task *t, struct queue *q, struct part *p,
                   const char *text)
{
    struct result_rcpt r = { .outcome = OUTCOME_DEFERRED, .dsn = "4.3.0",
                             .relay = S("none"), .text = str_from(text) };

    return part_give_up(t, q, p, &r, "error");
}

/* It can never be handed over; the others of its queue can. */
static err refuse_job(struct task *t, struct queue *q, struct sent_job *s)
{
    struct result_rcpt r = { .outcome = OUTCOME_BOUNCED, .dsn = "5.3.4",
                             .relay = S("none"),
                             .text = S("the message's envelope is too large "
                                       "to be delivered") };

    job_off(t, s);
    for (uint32_t i = 0; i < s->n; i++)
        rcpt_settle(t, q, s->part->message, s->part->index[s->from + i], &r,
                    "error");
    job_free(t, q, s);
    return OK;
}

/* A worker that is gone gives the job back in worker_run. */
static err cut_and_send(struct task *t, struct queue *q, struct worker *w,
                        struct part *p)
{
    uint64_t id;
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    id = cut_job(t, q, w, p, &b)->id;
    if (b.over) { /* one recipient, and the frame is full all the same */
        buf_free(&b);
        return refuse_job(t, q, job_find(w, id));
    }
    e = port_send(t, w->port, &(struct frame){ .type = FACE_JOB, .id = id,
                                               .body = buf_str(&b),
                                               .fd = -1 });
    buf_free(&b);
    return e;
}

/* The job is cut when the worker has all segments: packed is then where the
 * message lies. */
static err send_job(struct task *t, struct queue *q, struct worker *w,
                    struct part *p)
{
    err e;

    w->sending = true; /* over these waits w stays, even if it dies */
    e = send_segments(t, q, w, p->message->entry, 0);
    if (!e || e == ERR_END) {
        e = cut_and_send(t, q, w, p);
    } else if (e != ERR_STOPPED) {
        say(t, role_error, task_why(t));
        e = put_off(t, q, p, "the queue file cannot be opened");
    }
    w->sending = false;
    bell_ring_all(&w->sent);
    return e == ERR_END ? OK : e;
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
    return part_give_up(t, q, p, &r, discard ? "discard" : "error");
}

/* A dead destination's mail is not tried. */
static err suspend(struct task *t, struct queue *q, struct part *p)
{
    struct next_hop *d = p->to;
    struct result_rcpt r = { .outcome = OUTCOME_DEFERRED, .relay = S("none") };
    struct arena a;
    err e;

    arena_init(&a, 0);
    memcpy(r.dsn, d->dead_dsn, sizeof(r.dsn));
    r.text = arena_fmt(&a, "delivery temporarily suspended: %.*s",
                       STR(buf_str(&d->dead_reason)));
    e = part_give_up(t, q, p, &r, "error");
    arena_reset(&a);
    return e;
}

/* Serves the destination once. */
static err serve(struct task *t, struct queue *q, struct next_hop *d)
{
    struct link *l = d->parts.next;
    struct part *p = container_of(l, struct part, link);
    bool dead = next_hop_dead(t, d) && !p->message->forced;
    bool gone = d->transport->gone;
    bool here = d->transport->role == N_ROLES || gone;
    struct worker *w = NULL;

    if (!dead && !here) {
        w = worker_for(q, d->transport->role);
        if (!w)
            return ERR_ABSENT;
    }
    list_del(l);
    d->n_parts--;
    if (dead)
        return suspend(t, q, p);
    if (gone)
        return put_off(t, q, p, "mail transport unavailable");
    if (here)
        return serve_here(t, q, p);
    return send_job(t, q, w, p);
}

/* Serves whoever can be served now. */
static err serve_all(struct task *t, struct queue *q)
{
    struct link stuck;
    struct next_hop *d;
    struct link *l;
    err e = OK;

    list_init(&stuck);
    while (!e && (d = next_hop_pick(t, q))) {
        d->n_users++; /* a hold, over the wait */
        e = serve(t, q, d);
        d->n_users--;
        if (e == ERR_ABSENT) { /* no worker has room */
            list_add_last(&stuck, &d->ready);
            e = OK;
            continue;
        }
        next_hop_rest(d);
    }
    while ((l = list_pop(&stuck)))
        list_add_last(&q->ready, l);
    return e;
}

err dispatch_run(struct task *t, void *queue)
{
    struct queue *q = queue;

    for (;;) {
        err e;
        TRY(serve_all(t, q));
        e = bell_wait(t, &q->work, next_hop_wake(t, q));
        if (e && e != ERR_LATE)
            return e;
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
    map_init(&w->by_id, false);
    list_add_last(&q->workers, &w->link);
    bell_ring(&q->work);
    return w;
}

/* Where the job's message is now: it was copied since, or it is large. */
static err on_asked(struct task *t, struct worker *w, struct frame *f)
{
    struct sent_job *s = job_find(w, f->id);
    const struct spool_entry *entry;
    struct buf b;
    uint32_t first;
    err e;

    if (places_asked(f, &first))
        return why(t, ERR_PEER, "a question that does not unpack");
    if (!s)
        return OK; /* given back meanwhile */
    entry = s->part->message->entry;
    if (first >= entry->n_extents)
        return why(t, ERR_PEER, "a piece that does not exist is asked for");
    e = send_segments(t, w->queue, w, entry, first);
    if (e && e != ERR_ABSENT)
        return e;
    buf_init(&b, NULL, PORT_BODY_MAX);
    places_pack(&b, entry->extents, entry->n_extents, first);
    port_answer(w->port, &(struct frame){ .type = FACE_PLACES, .id = f->id,
                                          .body = buf_str(&b), .fd = -1 });
    buf_free(&b);
    return OK;
}

static err on_result(struct task *t, struct worker *w, struct frame *f)
{
    struct queue *q = w->queue;
    struct sent_job *s = f->type == FACE_RESULT ? job_find(w, f->id) : NULL;
    struct arena a;
    struct result r;
    err e;

    if (!s)
        return why(t, ERR_PEER, "frame of type %u", f->type);
    arena_init(&a, 0);
    e = result_unpack(f->body, &a, &r);
    if (e || r.n_rcpts != s->n) {
        arena_reset(&a);
        return why(t, ERR_PEER, "a result that does not fit its job");
    }
    job_off(t, s);
    e = result_take(t, q, s, &r); /* may wait */
    job_free(t, q, s);
    arena_reset(&a);
    return e;
}

/* Counts the death that happens now; true if it was one too many. */
static bool was_lost(const struct queue *q, struct message *m)
{
    m->n_lost += m->lost_at != q->n_deaths;
    m->lost_at = q->n_deaths;
    return m->n_lost > LOST_MAX;
}

/* Jobs of a worker that died are tried again, at once; a message over which
 * one after the other dies is put off, so that others get through. */
static void give_back(struct task *t, struct queue *q, struct worker *w)
{
    q->n_deaths++;
    while (!list_empty(&w->jobs)) {
        struct link *l = w->jobs.next;
        struct sent_job *s = container_of(l, struct sent_job, link);
        struct part *p = s->part;
        struct part *again = part_new(p->message, p->to, s->n);

        job_off(t, s);
        again->n = s->n;
        again->passed = p->passed;
        memcpy(again->index, p->index + s->from,
               s->n * sizeof(*again->index));
        if (was_lost(q, p->message))
            err_ignore(put_off(t, q, again, "unknown mail transport error"));
        else
            next_hop_add(q, again, true);
        job_free(t, q, s);
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
        e = f.type == FACE_PLACES ? on_asked(t, w, &f)
                                  : on_result(t, w, &f);
        if (e)
            break;
    }
    if (e == ERR_PEER)
        say(t, qmgr_bad_peer, role_name(w->role), task_why(t));
    list_del(&w->link);
    while (w->sending)
        TRY(bell_wait(t, &w->sent, NEVER));
    give_back(t, q, w);
    segments_free(w);
    map_free(&w->by_id);
    port_close(w->port);
    heap_free(w);
    return e == ERR_IO ? e : OK;
}
