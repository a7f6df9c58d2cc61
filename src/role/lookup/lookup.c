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
#include "net/dns.h"
#include "role/name_server.h"
#include "role/role.h"
#include "table/face.h"

#include "role/events.h"

enum { QUESTIONS_MAX = 500 };

struct lookup {
    struct role *role;
    struct table_server *tables;
    struct dns *dns;
    uint32_t epoch;
    struct task_group group;
};

struct asker {
    struct lookup *d;
    struct port *port;
    bool client;            /* it is the SMTP client */
};

/* One question on its way; on the heap, its task frees it. */
struct question {
    const struct asker *asker;
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
    struct lookup *d = q->asker->d;
    struct frame f = { .type = q->type, .id = q->id, .fd = -1 };
    struct file *file = NULL;
    struct buf b;
    err e;

    buf_init(&b, &q->arena, PORT_BODY_MAX);
    e = q->type == DNS_FRAME
            ? dns_serve(t, d->dns, q->body, &b)
            : table_serve(t, d->tables, q->type, q->body, q->asker->client,
                          &b, &file);
    if (!e) {
        f.body = buf_str(&b);
        f.fd = file ? file_fd(file) : -1;
        port_answer(q->asker->port, &f);
    }
    file_close(file);
    arena_reset(&q->arena);
    heap_free(q);
    return e == ERR_PEER ? e : OK;
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

/* Once: name servers are those of the start. */
static err open_dns(struct task *t, struct lookup *d)
{
    struct dns_settings s;

    TRY(name_server_settings(t, d->role->conf, &s));
    TRY(dns_open(t, d->role->memory, &s, &d->dns));
    group_go(&d->group, "dns", dns_run, d->dns);
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

static err serve(struct task *t, struct lookup *d)
{
    uint64_t seen = 0;

    while (!d->role->stop) {
        if (d->role->go && d->epoch != d->role->epoch) {
            d->epoch = d->role->epoch;
            table_server_configure(t, d->tables, d->role->conf);
            if (!d->dns)
                TRY(open_dns(t, d));
            role_ready(d->role);
        }
        if (d->dns)
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
    d->tables = table_server_new(r->memory);
    group_open(t, &d->group);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->group);
    return e;
}
