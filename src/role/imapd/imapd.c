/* SPDX-License-Identifier: ISC
 *
 * The door of IMAP and POP3.  Powers: accepted sockets, keys, ports to authd
 * and readers.  Never sees mail other than as bytes of a TLS stream.
 */
#include "role/imapd/imapd.h"

#include "role/events.h"

enum { ACCEPT_PAUSE_MS = 100, VISIT_FDS = 4, SAY_AGAIN_S = 10 };

struct accepting {
    struct imapd *d;
    struct sock *sock;
    uint32_t service, epoch;
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

/* Whether this process can take on one more; says when not, now and then. */
static bool room(struct task *t, struct imapd *d)
{
    if (rt_room(t, VISIT_FDS))
        return true;
    if (!d->said || rt_now(t) - d->said > (when)SAY_AGAIN_S * 1000000) {
        d->said = rt_now(t);
        say(t, imapd_full, "the limit of open files");
    }
    return false;
}

/* The process limit of master.cf is one of visits that have not logged in. */
static err make_room(struct task *t, struct accepting *a,
                     struct door_visit_start *st)
{
    const struct door_settings *l = &st->epoch->of[st->service];
    struct waiting *w = &st->epoch->waiting[st->service];

    while (l->limit && w->n > l->limit) {
        struct waiting_visitor *v = waiting_drop(w, &st->visitor);
        if (!v)     /* we are slow, not they */
            TRY(task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS)));
        if (a->d->role->stop)
            return OK;
    }
    return OK;
}

static err accept_one(struct task *t, struct accepting *a)
{
    struct imapd *d = a->d;
    struct door_visit_start *st;
    struct endpoint peer;
    struct sock *s;
    err e;

    if (!room(t, d))
        return task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS));
    e = sock_accept(t, a->sock, NEVER, &s, &peer);
    if (e == ERR_LIMIT)
        return task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS));
    if (e)
        return e == ERR_LATE ? OK : e;
    st = heap_new(struct door_visit_start);
    *st = (struct door_visit_start){ .d = d, .epoch = d->epoch,
                                     .service = a->service, .sock = s,
                                     .peer = peer };
    d->epoch->n_users++;
    waiting_enter(&st->epoch->waiting[st->service], &st->visitor, s);
    e = make_room(t, a, st);
    group_go(&d->group, "session", door_visit_run, st);
    return e;
}

static err accept_run(struct task *t, void *arg)
{
    struct accepting *a = arg;
    struct imapd *d = a->d;
    err e = OK;

    while (!e && a->epoch == d->role->epoch && !d->role->stop)
        e = accept_one(t, a);
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
        group_go(&d->doors, "accept", accept_run, a);
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

/* What was handed over with an older configuration is not listened to any
 * more; the same sockets have come again. */
static void close_old_doors(struct task *t, struct imapd *d)
{
    if (d->doors_epoch == d->role->epoch)
        return;
    group_close(t, &d->doors);
    group_open(t, &d->doors);
    d->doors_epoch = d->role->epoch;
}

static err serve(struct task *t, struct imapd *d)
{
    uint64_t seen = 0;

    while (!d->role->stop) {
        take_ports(d);
        close_old_doors(t, d);
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
    group_open(t, &d->doors);
    d->auth = auth_remote(r->memory, role_calls(r, &d->group, ROLE_authd));
    d->dns = dns_remote(r->memory, role_calls(r, &d->group, ROLE_lookup));
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->doors);
    group_close(t, &d->group);
    if (d->epoch)
        door_epoch_leave(d->epoch);
    return e;
}
