/* SPDX-License-Identifier: ISC
 *
 * The door of IMAP and POP3.  Powers: accepted sockets, keys, ports to authd
 * and readers.  Never sees mail other than as bytes of a TLS stream.
 */
#include "role/imapd/imapd.h"

#include "role/events.h"

enum { ACCEPT_PAUSE_MS = 100 };

struct accepting {
    struct imapd *d;
    struct sock *sock;
    uint32_t service, epoch;
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

static err accept_run(struct task *t, void *arg)
{
    struct accepting *a = arg;
    struct imapd *d = a->d;
    err e = OK;

    while (!e && a->epoch == d->role->epoch && !d->role->stop) {
        const struct door_settings *l = &d->epoch->of[a->service];
        struct door_visit_start *st;
        struct endpoint peer;
        struct sock *s;

        if (l->limit && d->epoch->n_sessions[a->service] >= l->limit) {
            e = task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS));
            continue;
        }
        e = sock_accept(t, a->sock, after_s(t, 1), &s, &peer);
        if (e == ERR_LATE || e == ERR_LIMIT) {
            e = e == ERR_LIMIT ? task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS))
                               : OK;
            continue;
        }
        if (e)
            break;
        st = heap_new(struct door_visit_start);
        *st = (struct door_visit_start){ d, d->epoch, a->service, s, peer,
                                         false };
        d->epoch->n_users++;
        d->epoch->n_sessions[a->service]++;
        group_go(&d->group, "session", door_visit_run, st);
    }
    sock_close(a->sock);
    heap_free(a);
    return e == ERR_STOPPED ? e : OK;
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

static void take_listeners(struct imapd *d)
{
    struct role_listener *l;

    while ((l = role_listener_take(d->role))) {
        struct accepting *a = heap_new(struct accepting);
        *a = (struct accepting){ d, l->sock, l->service, l->epoch };
        group_go(&d->group, "accept", accept_run, a);
    }
}

static err new_epoch(struct task *t, struct imapd *d)
{
    struct door_epoch *e;

    TRY(door_epoch_open(t, d, &e));
    if (d->epoch)
        door_epoch_leave(d->epoch);
    d->epoch = e;
    return OK;
}

static err serve(struct task *t, struct imapd *d)
{
    while (!d->role->stop) {
        uint32_t seen = d->role->n_changes;

        take_ports(d);
        if (d->role->go && (!d->epoch
                            || d->epoch->number != d->role->epoch)) {
            err e = new_epoch(t, d);
            if (e && !d->epoch)
                return e;
            if (e)
                say(t, role_error, task_why(t));
        }
        if (d->epoch && d->role->go) {
            take_listeners(d);
            role_ready(d->role);
        }
        TRY(role_wait_change(t, d->role, seen));
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
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->group);
    if (d->epoch)
        door_epoch_leave(d->epoch);
    return e;
}
