/* SPDX-License-Identifier: ISC
 *
 * The lookup role: opens tables for roles that open no paths, asks those
 * tables that need rights or block, and asks DNS.  Powers: reads files, talks
 * to name servers and databases.  Never sees mail.
 *
 * I1  Each question is a task of its own, so that a slow name server holds up
 *     nobody but who asked; at most QUESTIONS_MAX a port at once, the others
 *     wait in it.
 */
#include "role/lookup/resolver.h"
#include "table/face.h"

#include "role/events.h"

enum { QUESTIONS_MAX = 500 };

struct lookup {
    struct role *role;
    struct edition *before; /* the one before what is in force */
    struct resolvers resolvers;
    struct task_group group;
};

struct asker {
    struct lookup *d;
    struct port *port;
    bool client;            /* it is the SMTP client */
};

/* What an edition means here. */
struct sight {
    struct table_grant *grant;
    struct resolver *resolver;
};

/* One question on its way; on the heap, its task frees it. */
struct question {
    const struct asker *asker;
    struct edition *held[TABLE_GRANTS_MAX];
    struct table_grants grants; /* of those */
    struct dns *dns;            /* of the first */
    struct arena arena;
    uint16_t type;
    uint64_t id;
    str body;
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

static err answer(struct task *t, void *arg)
{
    struct question *q = arg;
    struct frame f = { .type = q->type, .id = q->id, .fd = -1 };
    struct file *file = NULL;
    struct buf b;
    err e;

    buf_init(&b, &q->arena, PORT_BODY_MAX);
    e = q->type == DNS_FRAME
            ? dns_serve(t, q->dns, q->body, &b)
            : table_serve(t, &q->grants, q->type, q->body, q->asker->client,
                          &b, &file);
    if (!e) {
        f.body = buf_str(&b);
        f.fd = file ? file_fd(file) : -1;
        port_answer(q->asker->port, &f);
    }
    file_close(file);
    arena_reset(&q->arena);
    for (size_t i = 0; i < q->grants.n; i++)
        edition_leave(q->held[i]);
    heap_free(q);
    return e == ERR_PEER ? e : OK;
}

/* A reload while it is answered takes nothing away from it. */
static void hold(struct question *q, struct edition *e)
{
    const struct sight *sight = e ? e->self : NULL;

    if (!sight)
        return;
    if (q->grants.n == 0)
        q->dns = resolver_dns(sight->resolver);
    q->held[q->grants.n] = edition_hold(e);
    q->grants.p[q->grants.n++] = sight->grant;
}

static err start(struct task *t, struct task_group *g,
                 const struct asker *asker, const struct frame *f)
{
    struct question *q;

    if (f->fd >= 0 || (f->type != DNS_FRAME && !table_frame_is(f->type))) {
        fd_close(f->fd);
        return why(t, ERR_PEER, "unknown question %d", f->type);
    }
    q = heap_new(struct question);
    arena_init(&q->arena, 0);
    q->asker = asker;
    q->type = f->type;
    q->id = f->id;
    q->body = arena_str(&q->arena, f->body);
    hold(q, asker->d->role->now);
    hold(q, asker->d->role->coming);
    hold(q, asker->d->before);
    group_go(g, "question", answer, q);
    return OK;
}

static err serve_port(struct task *t, void *arg)
{
    struct asker *asker = arg;
    struct task_group g;
    struct frame f;
    err e = OK;

    group_open(t, &g);
    while (!e) {
        e = group_wait_below(t, &g, QUESTIONS_MAX, NEVER);
        if (!e && g.first)
            e = why(t, ERR_PEER, "a role asked what is no question");
        if (!e)
            e = port_recv(t, asker->port, NEVER, &f);
        if (!e)
            e = start(t, &g, asker, &f);
    }
    group_close(t, &g);
    if (e == ERR_PEER)
        say(t, role_error, task_why(t));
    port_close(asker->port);
    heap_free(asker);
    return OK;
}

static void take_ports(struct lookup *d)
{
    for (enum role_kind k = 0; k < N_ROLES; k++) {
        struct role_port *p;
        while ((p = role_port_take(d->role, k))) {
            struct asker *a = heap_new(struct asker);
            *a = (struct asker){ d, p->port, k == ROLE_smtpc };
            group_go(&d->group, "asker", serve_port, a);
        }
    }
}

static err open_sight(struct task *t, void *lookup, struct edition *e)
{
    struct lookup *d = lookup;
    struct sight *sight = arena_new(&e->memory, struct sight);

    TRY(table_grant_open(t, &e->memory, e->conf, &sight->grant));
    TRY(resolver_of(t, &d->resolvers, e, &sight->resolver));
    e->self = sight;
    return OK;
}

static void take(struct task *t, void *lookup, struct edition *before)
{
    struct lookup *d = lookup;

    (void)t;
    edition_leave(d->before);
    d->before = before ? edition_hold(before) : NULL;
}

static err serve(struct task *t, struct lookup *d)
{
    static const struct edition_user user = { open_sight, take };
    uint64_t seen = 0;

    while (!d->role->stop) {
        TRY(role_turn(t, d->role, &user, d));
        resolvers_sweep(t, &d->resolvers);
        if (d->role->now)
            take_ports(d);
        TRY(role_wait(t, d->role, &seen, NEVER));
    }
    return OK;
}

err role_lookup_run(struct task *t, struct role *r)
{
    struct lookup *d = arena_new(r->memory, struct lookup);
    err e;

    d->role = r;
    resolvers_init(&d->resolvers, r);
    group_open(t, &d->group);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->group);
    edition_leave(d->before);
    role_end(r);
    resolvers_close(t, &d->resolvers);
    return e;
}
