/* SPDX-License-Identifier: ISC
 *
 * The SMTP client.  Powers: connections to the outside, read-only descriptors
 * of spool segments that qmgr passes, a port to lookup.  Never sees the spool
 * directory.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

struct port_task {
    struct client *c;
    struct port *port;
};

static err queue_port(struct task *t, void *arg)
{
    struct port_task *p = arg;
    struct client *c = p->c;

    err_ignore(client_queue_run(t, c, p->port)); /* master sends another */
    heap_free(p);
    return OK;
}

static void take_ports(struct client *c)
{
    struct role_port *p;

    while ((p = role_port_take(c->role, ROLE_qmgr))) {
        struct port_task *pt = heap_new(struct port_task);
        *pt = (struct port_task){ c, p->port };
        group_go(&c->group, "queue", queue_port, pt);
    }
}

static void take(struct task *t, void *client, struct edition *before)
{
    (void)t, (void)before;
    hops_renew(client);
}

static err serve(struct task *t, struct client *c)
{
    static const struct edition_user user = { settings_open, take };
    uint64_t seen = 0;

    while (!c->role->stop) {
        TRY(role_turn(t, c->role, &user, c));
        if (c->role->now)
            take_ports(c);
        TRY(role_wait(t, c->role, &seen, NEVER));
    }
    return OK;
}

err role_smtpc_run(struct task *t, struct role *r)
{
    struct client *c = arena_new(r->memory, struct client);
    struct calls *calls;
    err e;

    c->role = r;
    list_init(&c->queues);
    map_init(&c->hops, false);
    map_init(&c->segments, false);
    list_init(&c->asking);
    list_init(&c->works);
    list_init(&c->late);
    group_open(t, &c->group);
    calls = role_calls(r, &c->group, ROLE_lookup);
    c->dns = dns_remote(r->memory, calls);
    c->opener = role_opener(r, calls);
    if (r->control)
        group_go(&c->group, "control", control, r);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, c);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &c->group);
    role_end(r);
    return e;
}
