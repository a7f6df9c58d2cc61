/* SPDX-License-Identifier: ISC
 *
 * Jobs: they come in over a port with the segments their messages lie in,
 * each runs in a task of its own, its result goes back over the same port.
 */
#include "role/deliver/deliver.h"

#include "role/deliver/segment.h"
#include "role/delivered.h"
#include "role/events.h"
#include "spool/pieces.h"

enum { RESULT_MAX = PORT_BODY_MAX };

/* --- segments and the port ------------------------------------------------ */

struct file *segment_file(const struct jobs_port *p, uint32_t number)
{
    const struct segment *s = map_get(&p->segments,
                                      str_of(&number, sizeof(number)));

    return s ? s->file : NULL;
}

static err on_segment(struct task *t, struct jobs_port *p, struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    uint32_t number = unpack_u32(&u);
    struct segment *s;
    struct file *file;

    if (!unpack_end(&u) || f->fd < 0)
        return why(t, ERR_PEER, "bad segment");
    TRY(file_adopt(t, f->fd, &file));
    f->fd = -1;
    s = map_get(&p->segments, str_of(&number, sizeof(number)));
    if (s) {
        file_close(s->file);
    } else {
        s = heap_new(struct segment);
        s->number = number;
        map_put(&p->segments, str_of(&s->number, sizeof(s->number)), s);
    }
    s->file = file;
    return OK;
}

/* I2: with the last run that refers to it. */
static void port_give(struct jobs_port *p)
{
    str key;
    void *value;

    if (!p->ended || p->n_runs > 0)
        return;
    for (size_t at = 0; map_next(&p->segments, &at, &key, &value);) {
        struct segment *s = value;
        file_close(s->file);
        heap_free(s);
    }
    map_free(&p->segments);
    port_close(p->port);
    heap_free(p);
}

/* --- a run ---------------------------------------------------------------- */

struct result_rcpt run_verdict(struct run *r, enum outcome outcome,
                               const char *dsn, str text)
{
    struct result_rcpt x = {
        .outcome = outcome,
        .text = text,
        .how = r->transport && r->transport->agent->final
                   ? SENT_DELIVERED : SENT_RELAYED,
        .relay = r->transport ? r->transport->name : r->job.transport,
    };

    for (size_t i = 0; dsn[i] && i + 1 < sizeof(x.dsn); i++)
        x.dsn[i] = dsn[i];
    return x;
}

void run_settle(struct run *r, uint32_t i, struct result_rcpt x)
{
    must(i < r->job.envelope.recipients.n);
    r->results[i] = x;
}

void run_say(struct task *t, struct run *r, uint32_t i,
             const struct recipient *leaf, const struct result_rcpt *x)
{
    struct delivery_line line = {
        .queue_id = r->job.queue_id,
        .arrival_us = r->job.envelope.arrival_us,
        .dispatch_us = r->job.dispatch_us,
        .start_us = r->start_us,
        .soft_bounce = r->transport
                       && conf_bool(r->transport->conf, P_soft_bounce),
    };

    delivery_say(t, r->transport ? r->transport->log_name : "postfix/local",
                 &line, leaf ? leaf : &r->job.envelope.recipients.p[i], x);
}

void run_settle_all(struct task *t, struct run *r, struct result_rcpt x)
{
    for (uint32_t i = 0; i < r->job.envelope.recipients.n; i++) {
        run_settle(r, i, x);
        run_say(t, r, i, NULL, &x);
    }
}

struct result_rcpt run_no_hand(struct task *t, struct run *r)
{
    str reason = arena_str(&r->memory, str_from(task_why(t)));

    return run_verdict(r, OUTCOME_DEFERRED, "4.3.0", reason);
}

void run_warn(struct task *t, struct run *r, str text)
{
    const char *before = log_name_get(t);

    log_name_set(t, r->transport->log_name);
    say(t, role_warn, arena_fmt(&r->memory, "%.*s: %.*s",
                                STR(r->job.queue_id), STR(text)).p);
    log_name_set(t, before);
}

static void send_result(struct run *r)
{
    struct result x = {
        .rcpts = r->results,
        .n_rcpts = (uint32_t)r->job.envelope.recipients.n,
    };
    struct buf b;

    buf_init(&b, NULL, RESULT_MAX);
    result_pack(&x, &b);
    must(!b.over);
    port_answer(r->from->port, &(struct frame){ .type = FACE_RESULT,
                                                .id = r->id,
                                                .body = buf_str(&b),
                                                .fd = -1 });
    buf_free(&b);
}

static void run_free(struct run *r)
{
    struct jobs_port *p = r->from;

    r->deliver->n_runs--;
    p->n_runs--;
    arena_reset(&r->memory);
    edition_leave(r->edition);
    heap_free(r);
    port_give(p);
}

static err run_job(struct task *t, void *arg)
{
    struct run *r = arg;
    bool stopped;

    r->start_us = rt_wall(t);
    r->transport = setup_find(r->setup, r->job.transport);
    if (!r->transport)
        run_settle_all(t, r, run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                           S("mail transport unavailable")));
    else if (!str_empty(r->transport->broken))
        run_settle_all(t, r, run_verdict(r, OUTCOME_DEFERRED, "4.3.5",
                           S("mail system configuration error")));
    else
        r->transport->agent->deliver(t, r);
    stopped = task_stopped(t);
    if (!stopped)               /* else another try will tell */
        send_result(r);
    run_free(r);
    return stopped ? ERR_STOPPED : OK;
}

static err on_job(struct task *t, struct jobs_port *p, struct frame *f)
{
    struct run *r = heap_new(struct run);
    struct deliver *d = p->deliver;

    arena_init(&r->memory, 0);
    r->from = p;
    r->deliver = d;
    r->id = f->id;
    if (job_unpack(arena_str(&r->memory, f->body), &r->memory, &r->job)
        || r->job.envelope.recipients.n == 0) {
        arena_reset(&r->memory);
        heap_free(r);
        return why(t, ERR_PEER, "bad job");
    }
    r->results = arena_array(&r->memory, struct result_rcpt,
                             r->job.envelope.recipients.n);
    r->edition = edition_hold(d->role->now);
    r->setup = r->edition->self;
    d->n_runs++;
    p->n_runs++;
    group_go(&d->group, "job", run_job, r);
    return OK;
}

err jobs_run(struct task *t, void *arg)
{
    struct jobs_port *p = arg;
    struct frame f;
    err e;

    while (!(e = port_recv(t, p->port, NEVER, &f))) {
        if (f.type == FACE_SEGMENT)
            e = on_segment(t, p, &f);
        else if (f.type == FACE_JOB)
            e = on_job(t, p, &f);
        else if (f.type == FACE_PLACES)
            e = pieces_came(t, &p->asking, &f);
        else
            e = why(t, ERR_PEER, "unknown frame %u", f.type);
        fd_close(f.fd);
        if (e)
            break;
    }
    if (e != ERR_END && e != ERR_STOPPED)
        say(t, role_error, task_why(t));
    p->ended = true;
    pieces_wake(&p->asking);
    port_give(p);
    return e == ERR_STOPPED ? e : OK;
}
