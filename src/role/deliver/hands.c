/* SPDX-License-Identifier: ISC
 *
 * Hands as the planner knows them: asked of the spawner when they are needed,
 * kept while there is work for them, let go after HAND_IDLE_S, or
 * BUSY_IDLE_S while there are more than HANDS_KEPT: many users may get mail at
 * once.
 *
 * I1  A hand lives while somebody holds it or its reader runs; it is freed by
 *     whichever ends last.
 * I2  A hand that ended is off the list, so nobody takes it any more; its
 *     work fails and mail waits for the next try.
 */
#include "role/deliver/deliver.h"

#include "role/deliver/spawner.h"

enum { HAND_IDLE_S = 100, BUSY_IDLE_S = 5, HANDS_KEPT = 50 };

struct hand {
    struct link link;           /* deliver->hands until it ended */
    struct deliver *deliver;
    uint32_t uid, gid;
    str chroot;
    struct arena memory;
    struct port *port;          /* NULL until the spawner has answered */
    struct bell opened;
    err failed;
    struct map asked;           /* id -> struct asked */
    uint64_t next_id;
    size_t n_users;
    when idle_until;            /* 0: it has work */
    bool reading, ended;
};

/* A question under way; it lies on the stack of the task that asks. */
struct asked {
    uint64_t id;
    struct bell changed;
    uint32_t credit;
    bool done;
    bool want_text;
    err failed;
    struct arena *a;
    struct hand_done result;
    struct hand_text text;
};

static str key_of(const uint64_t *id)
{
    return str_of(id, sizeof(*id));
}

static void hand_free(struct hand *h)
{
    if (h->n_users > 0 || h->reading)
        return;
    list_del(&h->link);
    port_close(h->port);
    map_free(&h->asked);
    arena_reset(&h->memory);
    heap_free(h);
}

/* --- what comes back ------------------------------------------------------ */

static void fail_all(struct hand *h)
{
    str key;
    void *value;

    for (size_t at = 0; map_next(&h->asked, &at, &key, &value);) {
        struct asked *q = value;
        q->failed = ERR_END;
        q->done = true;
        bell_ring_all(&q->changed);
    }
}

static err on_done(struct asked *q, struct frame *f)
{
    TRY(q->want_text ? hand_text_unpack(f->body, q->a, &q->text)
                     : hand_done_unpack(f->body, q->a, &q->result));
    q->done = true;
    bell_ring_all(&q->changed);
    return OK;
}

static err on_want(struct asked *q, struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    uint32_t n = unpack_u32(&u);

    if (!unpack_end(&u) || n > HAND_WINDOW - q->credit)
        return ERR_PEER;
    q->credit += n;
    bell_ring_all(&q->changed);
    return OK;
}

static err on_frame(struct hand *h, struct frame *f)
{
    struct asked *q = map_get(&h->asked, key_of(&f->id));

    fd_close(f->fd);
    if (!q)
        return OK;              /* its task was cancelled */
    if (q->done)
        return ERR_PEER;
    switch (f->type) {
    case HAND_WANT:
        return q->want_text ? ERR_PEER : on_want(q, f);
    case HAND_DONE:
        return q->want_text ? ERR_PEER : on_done(q, f);
    case HAND_TEXT:
        return q->want_text ? on_done(q, f) : ERR_PEER;
    default:
        return ERR_PEER;
    }
}

/* Whether it has been without work for long enough. */
static bool may_go(struct task *t, struct hand *h)
{
    size_t n = 0;

    if (h->n_users > 0) {
        h->idle_until = 0;
        return false;
    }
    if (!h->idle_until)
        h->idle_until = after_s(t, HAND_IDLE_S - BUSY_IDLE_S);
    list_each(l, &h->deliver->hands)
        n++;
    return n > HANDS_KEPT || rt_now(t) >= h->idle_until;
}

static err read_hand(struct task *t, void *arg)
{
    struct hand *h = arg;
    err e;

    for (;;) {
        struct frame f;
        e = port_recv(t, h->port, after_s(t, BUSY_IDLE_S), &f);
        if (e == ERR_LATE && !may_go(t, h))
            continue;
        h->idle_until = 0;
        if (!e)
            e = on_frame(h, &f);
        if (e)
            break;
    }
    h->ended = true;
    list_del(&h->link);
    bell_ring_all(&h->deliver->hand_ended);
    fail_all(h);
    h->reading = false;
    hand_free(h);
    return e == ERR_STOPPED ? e : OK;
}

/* --- taking one ----------------------------------------------------------- */

static struct hand *hand_find(struct deliver *d, const struct owner *o)
{
    list_each(l, &d->hands) {
        struct hand *h = container_of(l, struct hand, link);
        if (h->uid == o->uid && h->gid == o->gid
            && str_eq(h->chroot, o->chroot))
            return h;
    }
    return NULL;
}

static struct hand *hand_new(struct deliver *d, const struct owner *o)
{
    struct hand *h = heap_new(struct hand);

    h->deliver = d;
    h->uid = o->uid;
    h->gid = o->gid;
    arena_init(&h->memory, 0);
    h->chroot = arena_str(&h->memory, o->chroot);
    map_init(&h->asked, false);
    list_add_first(&d->hands, &h->link);
    return h;
}

/* The spawner answers one question at a time. */
static err ask_spawner(struct task *t, struct hand *h, int *fd)
{
    struct deliver *d = h->deliver;
    err e;

    while (d->spawner_busy)
        TRY(bell_wait(t, &d->spawner_free, NEVER));
    d->spawner_busy = true;
    e = spawner_ask(t, d->spawner, h->uid, h->gid, h->chroot, fd);
    d->spawner_busy = false;
    bell_ring(&d->spawner_free);
    return e;
}

/* The hand's first byte says that it is who it should be; the spawner has
 * taken it off. */
static err hand_open(struct task *t, struct hand *h)
{
    struct sock *s;
    int fd;

    TRY(ask_spawner(t, h, &fd));
    TRY(sock_adopt(t, fd, &s));
    TRY(port_open(t, s, &h->port));
    h->reading = true;
    group_go(&h->deliver->group, "hand", read_hand, h);
    return OK;
}

err hand_take(struct task *t, struct deliver *d, const struct owner *o,
              struct hand **out)
{
    struct hand *h = hand_find(d, o);
    bool first = !h;
    err e = OK;

    if (first)
        h = hand_new(d, o);
    h->n_users++;
    if (first) {
        h->failed = hand_open(t, h);
        if (h->failed)
            list_del(&h->link);
        bell_ring_all(&h->opened);
    }
    while (!h->port && !h->failed && !e)
        e = bell_wait(t, &h->opened, NEVER);
    if (!e)
        e = h->failed;
    if (!e) {
        *out = h;
        return OK;
    }
    if (!first && e != ERR_STOPPED)
        e = why(t, e, "no process of user id %u", h->uid);
    hand_give(h);
    return e;
}

void hand_give(struct hand *h)
{
    must(h->n_users > 0);
    h->n_users--;
    hand_free(h);
}

void hands_end(struct task *t, struct deliver *d, when until)
{
    list_each(l, &d->hands) {
        struct hand *h = container_of(l, struct hand, link);
        if (h->port)
            port_end(h->port);
    }
    while (!list_empty(&d->hands) && !bell_wait(t, &d->hand_ended, until))
        continue;
}

void hands_close(struct task *t, struct deliver *d)
{
    (void)t;
    sock_close(d->spawner);     /* it ends; hands end with their ports */
    d->spawner = NULL;
}

/* --- asking --------------------------------------------------------------- */

struct hand_body {
    struct hand *hand;
    struct asked *asked;
};

static void ask_begin(struct hand *h, struct asked *q, struct arena *a)
{
    *q = (struct asked){ .id = ++h->next_id, .a = a, .credit = HAND_WINDOW };
    map_put(&h->asked, key_of(&q->id), q);
}

static err tell(struct task *t, struct hand *h, uint16_t type, uint64_t id,
                str body)
{
    if (h->ended)
        return why(t, ERR_END, "the delivery process ended");
    return port_send(t, h->port, &(struct frame){ .type = type, .id = id,
                                                  .body = body, .fd = -1 });
}

err hand_body_add(struct task *t, struct hand_body *to, str bytes)
{
    struct asked *q = to->asked;

    while (bytes.n > 0 && !q->done) {
        str part = str_head(bytes, HAND_DATA_MAX);
        part = str_head(part, q->credit);
        if (part.n == 0) {
            TRY(bell_wait(t, &q->changed, NEVER));
            continue;
        }
        q->credit -= (uint32_t)part.n;
        TRY(tell(t, to->hand, HAND_DATA, q->id, part));
        bytes = str_skip(bytes, part.n);
    }
    return q->done ? ERR_END : OK; /* it wants no more */
}

static err wait_done(struct task *t, struct asked *q)
{
    while (!q->done)
        TRY(bell_wait(t, &q->changed, NEVER));
    return q->failed ? why(t, q->failed, "the delivery process ended") : OK;
}

static err do_work(struct task *t, struct hand *h, struct asked *q,
                   str packed, const struct hand_source *source)
{
    struct hand_body body = { h, q };
    err e;

    TRY(tell(t, h, HAND_WORK, q->id, packed));
    e = source->write(t, source->self, &body);
    if (q->done)
        return wait_done(t, q);
    if (!e) {
        TRY(tell(t, h, HAND_END, q->id, S("")));
        return wait_done(t, q);
    }
    if (!h->ended)
        port_answer(h->port, &(struct frame){ .type = HAND_DROP,
                                              .id = q->id, .fd = -1 });
    return e;
}

err hand_do(struct task *t, struct hand *h, const struct hand_work *w,
            const struct hand_source *source, struct arena *a,
            struct hand_done *out)
{
    struct asked q;
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    hand_work_pack(w, &b);
    if (b.over) {
        buf_free(&b);
        return why(t, ERR_LIMIT, "a command or path is too long");
    }
    ask_begin(h, &q, a);
    e = do_work(t, h, &q, buf_str(&b), source);
    map_del(&h->asked, key_of(&q.id));
    buf_free(&b);
    if (!e)
        *out = q.result;
    return e;
}

err hand_read(struct task *t, struct hand *h, const struct hand_read *r,
              struct arena *a, struct hand_text *out)
{
    struct asked q;
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    hand_read_pack(r, &b);
    ask_begin(h, &q, a);
    q.want_text = true;
    e = b.over ? why(t, ERR_LIMIT, "forward_path is too long")
               : tell(t, h, HAND_READ, q.id, buf_str(&b));
    if (!e)
        e = wait_done(t, &q);
    map_del(&h->asked, key_of(&q.id));
    buf_free(&b);
    if (!e)
        *out = q.text;
    return e;
}
