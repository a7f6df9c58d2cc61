/* SPDX-License-Identifier: ISC
 *
 * A stand-in for the deliver role: it reads what its jobs say from the spool's
 * segments, holds it against the ledger, and answers as it likes: later,
 * never, at once again, or that another transport shall do it.
 */
#include "test/world/mail.h"

#include "spool/pieces.h"

enum { TEXT_MAX = 1 << 20 };

struct deliverer {
    struct machine_role *mr;
    struct map segments;    /* u32 number -> struct segment */
    struct link asking;
    struct task_group group;
};

struct segment {
    uint32_t number;
    struct file *file;
};

struct line {
    struct deliverer *d;
    struct port *port;      /* NULL: broke */
};

struct work {
    struct line *line;
    struct arena memory;
    uint64_t id;
    when began;
    struct job job;
    struct result_rcpt *results;
};

static bool hostile(struct task *t, const struct work *w, uint64_t n)
{
    return !w->line->d->mr->w->calm && one_in(t, n);
}

static struct port *port_of(void *line)
{
    return ((struct line *)line)->port;
}

static struct file *file_of(void *line, uint32_t segment)
{
    const struct segment *s =
        map_get(&((struct line *)line)->d->segments,
                str_of(&segment, sizeof(segment)));

    return s ? s->file : NULL;
}

/* I: a job whose queue manager lives can always be read. */
static err read_text(struct task *t, struct work *w, struct buf *to)
{
    struct pieces_from from = { w->line, port_of, file_of,
                                &w->line->d->asking };
    struct pieces p;
    err e = OK;

    pieces_open(&p, &from, &w->job, &w->id);
    for (uint32_t i = 0; i < w->job.n_extents && !e; i++) {
        str bytes = S("");
        e = pieces_read(t, &p, i, &bytes);
        if (!e)
            buf_add(to, bytes);
        else if (e == ERR_CORRUPT)
            broken(w->line->d->mr->w->r, "I: %s", task_why(t));
        if (!e && hostile(t, w, 4)) /* it may be moved meanwhile */
            e = task_sleep(t, after_ms(t, (int64_t)below(t, 2000)));
    }
    pieces_close(&p);
    return e;
}

static void decide(struct task *t, struct work *w, uint32_t i)
{
    struct result_rcpt *r = &w->results[i];
    str address = w->job.envelope.recipients.p[i].address.text;
    struct addressee *a = addressee_find(w->line->d->mr->w, address);

    *r = (struct result_rcpt){ .outcome = OUTCOME_SENT, .dsn = "2.0.0",
                               .text = S("delivered"), .relay = S("box") };
    if (hostile(t, w, 20)) {
        *r = (struct result_rcpt){ .outcome = OUTCOME_DEFERRED,
                                   .dsn = "4.2.0", .text = S("later"),
                                   .relay = S("box") };
    } else if (a && hostile(t, w, 25)) {
        a->rejected = true;
        *r = (struct result_rcpt){ .outcome = OUTCOME_BOUNCED,
                                   .dsn = "5.1.1", .text = S("nobody"),
                                   .relay = S("box") };
    } else if (hostile(t, w, 30)) {
        r->outcome = OUTCOME_RETRY;
    } else if (hostile(t, w, 30)) {
        r->outcome = OUTCOME_PASS;
        r->text = S("smtp:[192.0.2.25]:25");
    }
}

/* Those that are said to be delivered are. */
static void deliver(struct task *t, struct work *w, str text,
                    struct arrival *a)
{
    const struct envelope *e = &w->job.envelope;
    str *rcpts = arena_array(&w->memory, str, e->recipients.n);

    *a = (struct arrival){ .w = w->line->d->mr->w, .began = w->began,
                           .null_sender = address_is_null(&e->sender),
                           .rcpts = rcpts };
    for (size_t i = 0; i < e->recipients.n; i++)
        if (w->results[i].outcome == OUTCOME_SENT)
            rcpts[a->n_rcpts++] = e->recipients.p[i].address.text;
    if (a->n_rcpts > 0)
        arrived(t, a, text);
}

static void unreadable(struct work *w)
{
    for (size_t i = 0; i < w->job.envelope.recipients.n; i++)
        w->results[i] = (struct result_rcpt){
            .outcome = OUTCOME_DEFERRED, .dsn = "4.3.0",
            .text = S("it cannot be read"), .relay = S("box"),
        };
}

static void answer(struct task *t, struct work *w, const struct arrival *a)
{
    struct result r = {
        .rcpts = w->results,
        .n_rcpts = (uint32_t)w->job.envelope.recipients.n,
        .destination_dead = hostile(t, w, 60),
        .dead_reason = S("no box"),
    };
    struct buf b;

    buf_init(&b, &w->memory, PORT_BODY_MAX);
    result_pack(&r, &b);
    if (!w->line->port)
        return;
    port_answer(w->line->port, &(struct frame){ .type = FACE_RESULT,
                                                .id = w->id,
                                                .body = buf_str(&b),
                                                .fd = -1 });
    for (size_t i = 0; i < a->n_to; i++)
        a->to[i]->delivered = a->to[i]->confirmed = rt_now(t);
}

static err work_run(struct task *t, void *arg)
{
    struct work *w = arg;
    struct arrival a = { 0 };
    struct buf text;
    err e = task_sleep(t, after_ms(t, (int64_t)below(t, hostile(t, w, 25)
                                                         ? 60000 : 300)));

    buf_init(&text, &w->memory, TEXT_MAX);
    w->results = arena_array(&w->memory, struct result_rcpt,
                             w->job.envelope.recipients.n);
    for (uint32_t i = 0; i < w->job.envelope.recipients.n; i++)
        decide(t, w, i);
    if (!e && read_text(t, w, &text))
        unreadable(w);
    else if (!e)
        deliver(t, w, buf_str(&text), &a);
    if (!e && hostile(t, w, 10))
        e = task_sleep(t, after_ms(t, (int64_t)below(t, 3000)));
    if (!e)
        answer(t, w, &a);
    arena_reset(&w->memory);
    heap_free(w);
    return e;
}

static err on_segment(struct task *t, struct deliverer *d, struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    struct segment *s = heap_new(struct segment);

    s->number = unpack_u32(&u);
    TRY(file_adopt(t, f->fd, &s->file));
    map_put(&d->segments, str_of(&s->number, sizeof(s->number)), s);
    return OK;
}

static err on_job(struct task *t, struct line *line, struct frame *f)
{
    struct work *w = heap_new(struct work);

    arena_init(&w->memory, 0);
    w->line = line;
    w->id = f->id;
    w->began = rt_now(t);
    TRY(job_unpack(arena_str(&w->memory, f->body), &w->memory, &w->job));
    group_go(&line->d->group, "job", work_run, w);
    return OK;
}

static err line_run(struct task *t, void *arg)
{
    struct line *line = arg;
    struct frame f;
    err e;

    while (!(e = port_recv(t, line->port, NEVER, &f))) {
        e = f.type == FACE_SEGMENT ? on_segment(t, line->d, &f)
          : f.type == FACE_PLACES ? pieces_came(t, &line->d->asking, &f)
                                  : on_job(t, line, &f);
        if (e) {
            broken(line->d->mr->w->r, "a frame that is none");
            break;
        }
    }
    port_close(line->port);
    line->port = NULL;
    pieces_wake(&line->d->asking);
    return e == ERR_STOPPED ? e : OK;
}

err deliverer_run(struct task *t, struct machine_role *mr)
{
    struct deliverer d = { .mr = mr };

    map_init(&d.segments, false);
    list_init(&d.asking);
    group_open(t, &d.group);
    while (!mr->role.stop) {
        struct role_port *p;
        while ((p = role_port_take(&mr->role, ROLE_qmgr))) {
            struct line *line = arena_new(mr->memory, struct line);
            *line = (struct line){ &d, p->port };
            group_go(&d.group, "line", line_run, line);
        }
        if (bell_wait(t, &mr->role.changed, NEVER))
            break;
    }
    group_close(t, &d.group);
    return OK;
}
