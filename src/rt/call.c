/* SPDX-License-Identifier: ISC
 *
 * Calls over a port: a question and the answer with the same id.  The port
 * may break and another may come: then what was not answered is asked again,
 * so questions must be such that asking twice does no harm.
 *
 * I1  A waiter belongs to the line its question went out on; when that ends
 *     it is told, and only then.
 * I2  A line's port lives until its runner and all who send on it have left.
 */
#include "rt/port.h"

enum { PATIENCE_S = 10, TRIES = 3 };

struct line {
    struct calls *calls;
    struct port *port;
    uint32_t n_users;           /* I2 */
};

struct waiting {
    struct link link;
    struct line *line;          /* NULL: it ended */
    uint64_t id;
    struct bell bell;
    struct arena *arena;
    struct frame *answer;
    bool done;
};

struct calls {
    struct line *line;          /* NULL: there is none now */
    struct link waiting;
    struct bell renewed;
    uint64_t last_id;
};

struct calls *calls_new(struct arena *a)
{
    struct calls *c = arena_new(a, struct calls);

    list_init(&c->waiting);
    return c;
}

static void line_leave(struct line *line)
{
    if (--line->n_users > 0)
        return;
    port_close(line->port);
    heap_free(line);
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

static void line_end(struct calls *c, struct line *line)
{
    if (c->line == line)
        c->line = NULL;
    list_each(l, &c->waiting) {
        struct waiting *w = container_of(l, struct waiting, link);
        if (w->line == line) {
            w->line = NULL;
            bell_ring(&w->bell);
        }
    }
}

static err line_run(struct task *t, void *arg)
{
    struct line *line = arg;
    struct calls *c = line->calls;
    struct frame f;
    err e;

    while (!(e = port_recv(t, line->port, NEVER, &f))) {
        struct waiting *w = waiting_find(c, f.id);
        if (w)
            hand_over(w, &f);
        else
            fd_close(f.fd); /* the caller gave up meanwhile */
    }
    line_end(c, line);
    line_leave(line);
    return e == ERR_STOPPED ? e : OK; /* those who wait have heard of it */
}

void calls_serve(struct task_group *g, struct calls *c, struct port *p)
{
    struct line *line = heap_new(struct line);

    *line = (struct line){ .calls = c, .port = p, .n_users = 1 };
    c->line = line;
    bell_ring_all(&c->renewed);
    group_go(g, "calls", line_run, line);
}

static err gone(struct task *t)
{
    return why(t, ERR_END, "the other process is gone");
}

static err line_wait(struct task *t, struct calls *c, when until)
{
    when patience = after_s(t, PATIENCE_S);

    while (!c->line) {
        err e = bell_wait(t, &c->renewed,
                          patience < until ? patience : until);
        if (e)
            return e == ERR_LATE ? gone(t) : e;
    }
    return OK;
}

/* ERR_END: the line ended before the answer came. */
static err ask(struct task *t, struct calls *c, struct frame *f, when until,
               struct waiting *w)
{
    struct line *line = c->line;
    err e;

    line->n_users++;
    e = port_send(t, line->port, f);
    if (!e && c->line != line)
        e = gone(t);
    line_leave(line);
    TRY(e);
    w->line = line;
    list_add_last(&c->waiting, &w->link);
    while (!w->done && w->line && !e)
        e = bell_wait(t, &w->bell, until);
    if (w->done)
        return OK;
    list_del(&w->link);
    return e ? e : gone(t);
}

err call(struct task *t, struct calls *c, uint16_t type, str body, when until,
         struct arena *a, struct frame *answer)
{
    err e = OK;

    for (int i = 0; i < TRIES; i++) {
        struct frame f = { .type = type, .id = ++c->last_id, .body = body,
                           .fd = -1 };
        struct waiting w = { .id = f.id, .arena = a, .answer = answer };

        TRY(line_wait(t, c, until));
        e = ask(t, c, &f, until, &w);
        if (e != ERR_END)
            return e;
    }
    return e;
}
