/* SPDX-License-Identifier: ISC
 *
 * Jobs from the queue manager, sorted by next hop.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

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
    } else {
        file_close(s->file);
    }
    return file_adopt(t, f->fd, &s->file);
}

static struct hop *hop_get(struct client *c, const struct client_settings *l,
                           str nexthop)
{
    struct arena *a = c->role->memory;
    struct buf b;
    struct hop *h;

    buf_init(&b, NULL, 4096);
    buf_fmt(&b, "%.*s\n%.*s", STR(l->name), STR(str_head(nexthop, 2000)));
    h = map_get(&c->hops, buf_str(&b));
    if (!h) {
        h = arena_new(a, struct hop);
        h->c = c;
        h->key = arena_str(a, buf_str(&b));
        h->nexthop = str_skip(h->key, l->name.n + 1);
        list_init(&h->waiting);
        map_put(&c->hops, h->key, h);
    }
    h->l = l; /* the newest settings, from now on */
    buf_free(&b);
    return h;
}

/* One more connection when those there are busy. */
static void hop_serve(struct hop *h)
{
    if (h->n_idle > 0) {
        h->n_idle--;
        bell_ring(&h->work);
    } else if (h->n_connections < h->l->connections_max) {
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

static void work_free(struct work *w)
{
    arena_reset(&w->memory);
    heap_free(w);
}

static struct port *port_of(const struct client *c, const struct work *w)
{
    list_each(l, &c->queues) {
        struct queue_line *q = container_of(l, struct queue_line, link);
        if (q->life == w->life)
            return q->port;
    }
    return NULL;
}

bool work_is_stale(const struct client *c, struct work *w)
{
    if (port_of(c, w))
        return false;
    work_free(w);
    return true;
}

void hop_return(struct hop *h, struct work *w)
{
    if (work_is_stale(h->c, w))
        return;
    list_add_first(&h->waiting, &w->link);
    h->n_waiting++;
    if (h->n_idle > 0)
        hop_serve(h);
}

void hop_left(struct hop *h)
{
    h->n_connections--;
    if (h->n_waiting > 0 && h->n_connections == 0)
        hop_serve(h);
}

/* What was not taken up yet is qmgr's to give out again. */
static void drop_waiting(struct client *c)
{
    str key;
    void *value;

    for (size_t at = 0; map_next(&c->hops, &at, &key, &value);) {
        struct hop *h = value;
        list_each(l, &h->waiting) {
            struct work *w = container_of(l, struct work, link);
            if (port_of(c, w))
                continue;
            list_del(l);
            h->n_waiting--;
            work_free(w);
        }
    }
}

static err on_job(struct task *t, struct client *c, uint32_t life,
                  struct frame *f)
{
    struct work *w = heap_new(struct work);
    struct client_settings *l;
    struct hop *h;

    arena_init(&w->memory, 0);
    w->id = f->id;
    w->life = life;
    if (job_unpack(arena_str(&w->memory, f->body), &w->memory, &w->job)
        || !(l = settings_find(c, w->job.transport))) {
        work_free(w);
        return why(t, ERR_PEER, "a job that does not unpack");
    }
    h = hop_get(c, l, w->job.nexthop);
    list_add_last(&h->waiting, &w->link);
    h->n_waiting++;
    hop_serve(h);
    return OK;
}

void work_answer(struct client *c, struct work *w, const struct result *r)
{
    struct port *p = port_of(c, w);
    struct buf b;

    buf_init(&b, NULL, PORT_BODY_MAX);
    result_pack(r, &b);
    if (p && !b.over)
        port_answer(p, &(struct frame){ .type = FACE_RESULT,
                                               .id = w->id,
                                               .body = buf_str(&b),
                                               .fd = -1 });
    buf_free(&b);
    work_free(w);
}

err client_queue_run(struct task *t, struct client *c, struct port *p)
{
    struct queue_line line = { .port = p, .life = ++c->last_life };
    struct frame f;
    err e;

    list_add_last(&c->queues, &line.link);
    while (!(e = port_recv(t, p, NEVER, &f))) {
        switch (f.type) {
        case FACE_SEGMENT:
            e = on_segment(t, c, &f);
            break;
        case FACE_JOB:
            e = on_job(t, c, line.life, &f);
            break;
        default:
            e = ERR_PEER;
        }
        if (e)
            break;
    }
    if (e == ERR_PEER)
        say(t, role_error, task_why(t));
    list_del(&line.link); /* what is under way is answered to nobody */
    drop_waiting(c);
    port_close(p);
    return e;
}
