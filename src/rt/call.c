/* SPDX-License-Identifier: ISC
 *
 * Calls over a port: a question and the answer with the same id.
 */
#include "rt/port.h"

struct waiting {
    struct link link;
    uint64_t id;
    struct bell bell;
    struct arena *arena;
    struct frame *answer;
    bool done;
};

struct calls {
    struct port *port;
    struct link waiting;
    uint64_t last_id;
    bool ended;
};

struct calls *calls_new(struct arena *a, struct port *p)
{
    struct calls *c = arena_new(a, struct calls);

    c->port = p;
    list_init(&c->waiting);
    return c;
}

static struct waiting *waiting_find(struct calls *c, uint64_t id)
{
    list_each(l, &c->waiting) {
        struct waiting *w = container_of(l, struct waiting, link);
        if (w->id == id)
            return w;
    }
    return NULL;
}

static void hand_over(struct waiting *w, const struct frame *f)
{
    *w->answer = *f;
    w->answer->body = arena_str(w->arena, f->body);
    w->done = true;
    list_del(&w->link);
    bell_ring(&w->bell);
}

err calls_run(struct task *t, struct calls *c)
{
    struct frame f;
    err e;

    while (!(e = port_recv(t, c->port, NEVER, &f))) {
        struct waiting *w = waiting_find(c, f.id);
        if (w)
            hand_over(w, &f);
        else
            fd_close(f.fd); /* the caller gave up meanwhile */
    }
    c->ended = true;
    list_each(l, &c->waiting)
        bell_ring(&container_of(l, struct waiting, link)->bell);
    return e;
}

err call(struct task *t, struct calls *c, uint16_t type, str body, when until,
         struct arena *a, struct frame *answer)
{
    struct frame f = { .type = type, .id = ++c->last_id, .body = body,
                       .fd = -1 };
    struct waiting w = { .id = f.id, .arena = a, .answer = answer };
    err e = OK;

    if (c->ended)
        return why(t, ERR_END, "the other process is gone");
    TRY(port_send(t, c->port, &f));
    list_add_last(&c->waiting, &w.link);
    while (!w.done && !c->ended && !e)
        e = bell_wait(t, &w.bell, until);
    if (w.done)
        return OK;
    list_del(&w.link);
    return e ? e : why(t, ERR_END, "the other process is gone");
}
