/* SPDX-License-Identifier: ISC
 *
 * The SMTP server.  Powers: accepted sockets; ports to qmgr, lookup, authd
 * and deliver (who has room).  No file system.  Never sees password tables or
 * other roles' mail.
 */
#include "role/smtpd/smtpd.h"

#include "role/events.h"

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

struct port_task {
    struct smtpd *d;
    struct port *port;
};

static err queue_port(struct task *t, void *arg)
{
    struct port_task *p = arg;

    err_ignore(queue_link_run(t, p->d->queue, p->port)); /* master sends
                                                            another */
    heap_free(p);
    return OK;
}

static void take_ports(struct smtpd *d)
{
    struct role_port *p;

    while ((p = role_port_take(d->role, ROLE_qmgr))) {
        struct port_task *pt = heap_new(struct port_task);
        *pt = (struct port_task){ d, p->port };
        group_go(&d->group, "queue", queue_port, pt);
        d->queue_came = true;
    }
}

/* Clients of the first moments wait, instead of being told that there is no
 * room. */
static void take(struct task *t, void *smtpd, struct edition *before)
{
    struct smtpd *d = smtpd;

    (void)before;
    if (d->queue_came)
        doors_take(t, d->doors);
}

static err serve(struct task *t, struct smtpd *d)
{
    static const struct edition_user user = { listeners_open, take };
    uint64_t seen = 0;

    while (!d->role->stop) {
        bool first = !d->queue_came;
        take_ports(d);
        if (first && d->queue_came && d->role->now)
            doors_take(t, d->doors);
        TRY(role_turn(t, d->role, &user, d));
        TRY(role_wait(t, d->role, &seen, NEVER));
    }
    return OK;
}

err role_smtpd_run(struct task *t, struct role *r)
{
    struct smtpd *d = arena_new(r->memory, struct smtpd);
    struct calls *lookup;
    err e;

    d->role = r;
    crowd_init(&d->submitters);
    d->queue = queue_link_new(r->memory);
    group_open(t, &d->group);
    lookup = role_calls(r, &d->group, ROLE_lookup);
    d->dns = dns_remote(r->memory, lookup);
    d->opener = role_opener(r, lookup);
    d->rooms = role_calls(r, &d->group, ROLE_deliver);
    d->auth = auth_remote(r->memory, role_calls(r, &d->group, ROLE_authd));
    d->doors = doors_new(r, &d->group, true, visit_run, d);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    doors_close(t, d->doors);
    group_close(t, &d->group);
    crowd_free(&d->submitters);
    role_end(r);
    return e;
}
