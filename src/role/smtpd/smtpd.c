/* SPDX-License-Identifier: ISC
 *
 * The SMTP server.  Powers: accepted sockets; ports to qmgr, lookup, authd
 * and deliver (who has room).  No file system.  Never sees password tables or
 * other roles' mail.
 */
#include "role/smtpd/smtpd.h"

#include "role/events.h"

enum { ACCEPT_PAUSE_MS = 100 };

struct accepting {
    struct smtpd *d;
    struct sock *sock;
    uint32_t service;
    uint32_t epoch;     /* the listener goes with the next configuration */
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

static void start_visit(struct smtpd *d, uint32_t service, struct sock *s,
                        const struct endpoint *peer, uint32_t uid)
{
    struct visit_start *st = heap_new(struct visit_start);

    *st = (struct visit_start){ .d = d, .epoch = d->epoch,
                                .l = &d->epoch->of[service], .sock = s,
                                .peer = *peer, .uid = uid };
    d->epoch->n_users++;
    d->epoch->n_sessions[service]++;
    group_go(&d->group, "session", visit_run, st);
}

static void turn_away(struct sock *s)
{
    size_t n; /* it fits, or never mind */

    err_ignore(sock_write_some(s, S("421 4.7.0 Error: too many connections "
                                    "of this user\r\n"), &n));
    sock_close(s);
}

/* Local submission is bounded by user, not by master.cf's limit: one user's
 * idle connections are not to keep the others out. */
static void start_local(struct task *t, struct accepting *a, struct sock *s,
                        const struct endpoint *peer)
{
    uint32_t uid;
    bool tell;

    if (sock_peer_uid(s, &uid))
        uid = UINT32_MAX;
    if (crowd_enter(&a->d->submitters, uid, &tell)) {
        start_visit(a->d, a->service, s, peer, uid);
        return;
    }
    turn_away(s);
    if (tell)
        say(t, role_crowd, "public/pickup", uid);
}

static err accept_run(struct task *t, void *arg)
{
    struct accepting *a = arg;
    struct smtpd *d = a->d;
    err e = OK;

    while (!e && a->epoch == d->role->epoch && !d->role->stop) {
        const struct listener_settings *l = &d->epoch->of[a->service];
        struct endpoint peer;
        struct sock *s;

        if (l->limit && !l->pickup
            && d->epoch->n_sessions[a->service] >= l->limit) {
            e = task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS));
            continue;
        }
        e = sock_accept(t, a->sock, NEVER, &s, &peer);
        if (e == ERR_LIMIT) {
            e = task_sleep(t, after_ms(t, ACCEPT_PAUSE_MS));
            continue;
        }
        if (!e && d->epoch->of[a->service].pickup)
            start_local(t, a, s, &peer);
        else if (!e)
            start_visit(d, a->service, s, &peer, UINT32_MAX);
    }
    sock_close(a->sock);
    heap_free(a);
    return e == ERR_STOPPED ? e : OK;
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

static void take_listeners(struct smtpd *d)
{
    struct role_listener *l;

    while ((l = role_listener_take(d->role))) {
        struct accepting *a = heap_new(struct accepting);
        *a = (struct accepting){ d, l->sock, l->service, l->epoch };
        group_go(&d->doors, "accept", accept_run, a);
    }
}

/* Opens what a new configuration needs, then uses it. */
static err new_epoch(struct task *t, struct smtpd *d)
{
    struct epoch *e;

    TRY(epoch_open(t, d, &e));
    if (d->epoch)
        epoch_leave(d->epoch);
    d->epoch = e;
    return OK;
}

/* What was handed over with an older configuration is not listened to any
 * more; the same sockets have come again. */
static void close_old_doors(struct task *t, struct smtpd *d)
{
    if (d->doors_epoch == d->role->epoch)
        return;
    group_close(t, &d->doors);
    group_open(t, &d->doors);
    d->doors_epoch = d->role->epoch;
}

static err serve(struct task *t, struct smtpd *d)
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
        /* Clients of the first moments wait, instead of being told that
         * there is no room. */
        if (d->epoch && d->role->go && d->queue_came) {
            take_listeners(d);
            role_ready(d->role);
        }
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
    group_open(t, &d->doors);
    lookup = role_calls(r, &d->group, ROLE_lookup);
    d->dns = dns_remote(r->memory, lookup);
    d->opener = role_opener(r, lookup);
    d->rooms = role_calls(r, &d->group, ROLE_deliver);
    d->auth = auth_remote(r->memory, role_calls(r, &d->group, ROLE_authd));
    if (r->control)
        group_go(&d->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e)
        e = serve(t, d);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &d->doors);
    group_close(t, &d->group);
    crowd_free(&d->submitters);
    if (d->epoch)
        epoch_leave(d->epoch);
    return e;
}
