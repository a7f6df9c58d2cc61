/* SPDX-License-Identifier: ISC
 *
 * Jobs from the queue manager, sorted by next hop.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

enum { HOP_NAME_MAX = 2000 };

static str segment_key(const uint32_t *number)
{
    return str_of(number, sizeof(*number));
}

static err on_segment(struct task *t, struct client *c, struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    uint32_t number = unpack_u32(&u);
    struct segment *s = map_get(&c->segments, segment_key(&number));

    if (!unpack_end(&u) || f->fd < 0)
        return ERR_PEER;
    if (!s) {
        s = heap_new(struct segment);
        s->number = number;
        map_put(&c->segments, segment_key(&s->number), s);
        return file_adopt(t, f->fd, &s->file);
    }
    fd_close(f->fd); /* a new queue manager, but the same file */
    return OK;
}

static struct hop *hop_get(struct client *c, const struct client_settings *l,
                           str nexthop)
{
    struct buf b;
    struct hop *h;

    buf_init(&b, NULL, HOP_NAME_MAX * 2 + 16);
    buf_fmt(&b, "%u\n%.*s\n%.*s", l->edition->number, /* I3 */
            STR(str_head(l->name, HOP_NAME_MAX)),
            STR(str_head(nexthop, HOP_NAME_MAX)));
    h = map_get(&c->hops, buf_str(&b));
    if (!h) {
        h = heap_new(struct hop);
        arena_init(&h->memory, 0);
        h->c = c;
        h->key = arena_str(&h->memory, buf_str(&b));
        h->nexthop = str_skip(h->key, h->key.n
                                          - str_head(nexthop,
                                                     HOP_NAME_MAX).n);
        list_init(&h->waiting);
        map_put(&c->hops, h->key, h);
    }
    buf_free(&b);
    return h;
}

/* A connection ends; with the last one the hop does, unless more waits (it
 * came while the last one was ending). */
void hop_leave(struct hop *h)
{
    if (h->n_connections > 0)
        return;
    if (h->n_waiting > 0) {
        h->n_connections++;
        group_go(&h->c->group, "connection", connection_run, h);
        return;
    }
    map_del(&h->c->hops, h->key);
    arena_reset(&h->memory);
    heap_free(h);
}

/* One more connection when those there are busy. */
static void hop_serve(struct hop *h)
{
    if (h->n_idle > 0) {
        h->n_idle--;
        bell_ring(&h->work);
    } else if (h->n_connections < h->connections_max) {
        h->n_connections++;
        group_go(&h->c->group, "connection", connection_run, h);
    }
}

struct work *hop_take(struct hop *h)
{
    struct link *l = list_pop(&h->waiting);

    if (!l)
        return NULL;
    h->n_waiting--;
    return container_of(l, struct work, link);
}

void work_free(struct work *w)
{
    list_del(&w->all);
    if (w->l)
        settings_leave(w->l);
    arena_reset(&w->memory);
    heap_free(w);
}

struct port *work_port(const struct client *c, const struct work *w)
{
    list_each(l, &c->queues) {
        struct queue_line *q = container_of(l, struct queue_line, link);
        if (q->number == w->queue_number)
            return q->port;
    }
    return NULL;
}

bool work_is_stale(struct client *c, struct work *w)
{
    if (work_port(c, w))
        return false;
    work_free(w);
    return true;
}

/* w waits for a connection to its next hop. */
static void work_wait(struct client *c, struct work *w)
{
    struct client_settings *l = w->l;
    struct hop *h = hop_get(c, l, w->job.nexthop);

    h->connections_max = w->job.connections < l->connections_max
                             ? w->job.connections : l->connections_max;
    list_add_last(&h->waiting, &w->link);
    h->n_waiting++;
    hop_serve(h);
}

void work_renew(struct client *c, struct work *w)
{
    struct client_settings *now = settings_find(c, w->job.transport);

    if (!now || now == w->l)
        return; /* of a transport that is no more: as it was */
    settings_hold(now);
    settings_leave(w->l);
    w->l = now;
}

bool work_moved(struct client *c, struct work *w)
{
    if (!w->l->edition->old || !settings_find(c, w->job.transport))
        return false;
    work_renew(c, w);
    work_wait(c, w);
    return true;
}

void hop_return(struct hop *h, struct work *w)
{
    if (work_is_stale(h->c, w) || work_moved(h->c, w))
        return;
    list_add_first(&h->waiting, &w->link);
    h->n_waiting++;
    if (h->n_idle > 0)
        hop_serve(h);
}

/* What was not taken up when its port broke is qmgr's to give out again. */
static void drop_waiting(struct client *c)
{
    str key;
    void *value;

    for (size_t at = 0; map_next(&c->hops, &at, &key, &value);) {
        struct hop *h = value;
        list_each(l, &h->waiting) {
            struct work *w = container_of(l, struct work, link);
            if (work_port(c, w))
                continue;
            list_del(l);
            h->n_waiting--;
            work_free(w);
        }
    }
}

static void work_begin(struct work *w, struct client_settings *l)
{
    size_t n = w->job.envelope.recipients.n;

    w->l = settings_hold(l);
    w->results = arena_array(&w->memory, struct result_rcpt, n);
    w->open = arena_array(&w->memory, uint32_t, n);
    w->n_open = (uint32_t)n;
    for (uint32_t i = 0; i < w->n_open; i++)
        w->open[i] = i;
}

/* Those that wait are taken off first: putting them back makes hops. */
void hops_renew(struct client *c)
{
    struct link waiting, *l;
    str key;
    void *value;

    list_init(&waiting);
    for (size_t at = 0; map_next(&c->hops, &at, &key, &value);) {
        struct hop *h = value;
        struct work *w;
        while ((w = hop_take(h)))
            list_add_last(&waiting, &w->link);
        bell_ring_all(&h->work);
        h->n_idle = 0; /* who rings takes them off */
    }
    while ((l = list_pop(&waiting))) {
        struct work *w = container_of(l, struct work, link);
        work_renew(c, w);
        work_wait(c, w);
    }
}

/* A reload is under way: one of us knows the transport already, or still. */
static void no_transport(struct client *c, struct work *w)
{
    size_t n = w->job.envelope.recipients.n;
    struct result r = { .n_rcpts = (uint32_t)n };

    w->results = arena_array(&w->memory, struct result_rcpt, n);
    for (size_t i = 0; i < n; i++)
        w->results[i] = (struct result_rcpt){
            .outcome = OUTCOME_DEFERRED, .dsn = "4.3.0",
            .text = S("mail transport unavailable"), .relay = S("none") };
    r.rcpts = w->results;
    work_answer(c, w, &r);
}

static err on_job(struct task *t, struct client *c,
                  const struct queue_line *q, const struct frame *f)
{
    struct work *w = heap_new(struct work);
    struct client_settings *l;

    arena_init(&w->memory, 0);
    list_add_last(&c->works, &w->all);
    w->id = f->id;
    w->queue_number = q->number;
    if (job_unpack(arena_str(&w->memory, f->body), &w->memory, &w->job)) {
        work_free(w);
        return why(t, ERR_PEER, "a job that does not unpack");
    }
    if (late_adopt(t, c, w)) {
        work_free(w);
        return OK;
    }
    l = settings_find(c, w->job.transport);
    if (!l) {
        no_transport(c, w);
        return OK;
    }
    work_begin(w, l);
    work_wait(c, w);
    return OK;
}

/* For many recipients with long texts, so that a frame holds them. */
static void shorten(struct result_rcpt *p, uint32_t n)
{
    size_t most = PORT_BODY_MAX / 8 / (n + 1);

    for (uint32_t i = 0; i < n; i++) {
        p[i].text = str_head(p[i].text, most);
        p[i].relay = str_head(p[i].relay, most);
        p[i].remote_mta = str_head(p[i].remote_mta, most);
        p[i].diagnostic = str_head(p[i].diagnostic, most);
    }
}

void work_answer(struct client *c, struct work *w, const struct result *r)
{
    struct port *p = work_port(c, w);
    struct buf b;

    buf_init(&b, NULL, PORT_BODY_MAX);
    result_pack(r, &b);
    if (b.over) {
        buf_clear(&b);
        b.over = false;
        shorten(w->results, r->n_rcpts);
        result_pack(r, &b);
    }
    must(!b.over); /* each text of them has its share of the frame */
    if (p)
        port_answer(p, &(struct frame){ .type = FACE_RESULT, .id = w->id,
                                        .body = buf_str(&b), .fd = -1 });
    if (p || !late_keep(c, w, buf_str(&b)))
        work_free(w);
    buf_free(&b);
}

err client_queue_run(struct task *t, struct client *c, struct port *p)
{
    struct queue_line q = { .port = p, .number = ++c->queue_number };
    struct frame f;
    err e;

    list_add_last(&c->queues, &q.link);
    while (!(e = port_recv(t, p, NEVER, &f))) {
        switch (f.type) {
        case FACE_SEGMENT:
            e = on_segment(t, c, &f);
            break;
        case FACE_JOB:
            e = on_job(t, c, &q, &f);
            break;
        case FACE_PLACES:
            e = pieces_came(t, &c->asking, &f);
            break;
        default:
            e = ERR_PEER;
        }
        if (e)
            break;
    }
    if (e == ERR_PEER)
        say(t, role_error, task_why(t));
    list_del(&q.link); /* what is under way is answered to the next one */
    drop_waiting(c);
    c->orphans = true;
    pieces_wake(&c->asking);
    port_close(p);
    return e;
}
