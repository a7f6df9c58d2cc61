/* SPDX-License-Identifier: ISC
 *
 * The door of IMAP and POP3.  Powers: accepted sockets, keys, ports to authd
 * and readers.  Never sees mail other than as bytes of a TLS stream.
 */
#include "role/imapd/imapd.h"

#include "role/events.h"

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

/* A reader says nothing; its port's end is how its death is heard of. */
static err watch_reader(struct task *t, void *arg)
{
    struct reader_port *r = arg;
    struct frame f;

    while (!port_recv(t, r->port, NEVER, &f))
        fd_close(f.fd);
    port_close(r->port);
    r->port = NULL;
    r->asked = 0;
    return OK;
}

static void take_reader(struct imapd *d, struct role_port *p)
{
    struct reader_port *r = map_get(&d->readers,
                                    str_of(&p->number, sizeof(p->number)));

    if (!r || r->port) {
        port_close(p->port);
        return;
    }
    r->port = p->port;
    group_go(&d->group, "reader", watch_reader, r);
    bell_ring_all(&d->reader_came);
}

static void take_ports(struct imapd *d)
{
    struct role_port *p;

    while ((p = role_port_take(d->role, ROLE_reader)))
        take_reader(d, p);
}

static void take(struct task *t, void *imapd, struct edition *before)
{
    struct imapd *d = imapd;

    (void)before;
    doors_take(t, d->doors);
}

static err serve(struct task *t, struct imapd *d)
{
    static const struct edition_user user = { door_settings_open, take };
    uint64_t seen = 0;

    while (!d->role->stop) {
        take_ports(d);
        TRY(role_turn(t, d->role, &user, d));
        TRY(role_wait(t, d->role, &seen, NEVER));
    }
    return OK;
}

err role_imapd_run(struct task *t, struct role *r)
{
    struct imapd *d = arena_new(r->memory, struct imapd);
    err e;

    d->role = r;
    map_init(&d->readers, false);
    map_init(&d->clients, false);
    group_open(t, &d->group);
    d->auth = auth_remote(r->memory, role_calls(r, &d->group, ROLE_authd));
    d->dns = dns_remote(r->memory, role_calls(r, &d->group, ROLE_lookup));
    d->doors = doors_new(r, &d->group, false, door_visit_run, d);
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    doors_close(t, d->doors);
    group_close(t, &d->group);
    role_end(r);
    return e;
}
