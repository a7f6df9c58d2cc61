/* SPDX-License-Identifier: ISC
 *
 * The queue manager.  Powers: the spool directory, ports to its peers.  The
 * only writer of the log; never sees the network.  A crash here loses nothing
 * that was answered 250: master starts it again and the log is replayed.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"
#include "role/qmgr/admin.h"
#include "role/qmgr/where.h"

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

static err run_spool(struct task *t, void *arg)
{
    struct queue *q = arg;
    err e = spool_run(t, q->spool);

    if (e != ERR_STOPPED) {
        q->failed = true;
        say(t, qmgr_spool_died, task_why(t));
        role_changed(q->role);
    }
    return e;
}

/* A task that everything depends on has failed: so has the role. */
static err must_go_on(struct task *t, struct queue *q, err e)
{
    if (e && e != ERR_STOPPED) {
        say(t, role_error, task_why(t));
        q->failed = true;
        role_changed(q->role);
    }
    return e;
}

static err run_dispatch(struct task *t, void *queue)
{
    return must_go_on(t, queue, dispatch_run(t, queue));
}

static err watch_timers(struct task *t, struct queue *q)
{
    for (;;) {
        struct heap_node *first = heap_first(&q->timers);
        int64_t wait_us = first ? first->key - rt_wall(t) : INT64_MAX;
        err e;

        if (first && wait_us <= 0) {
            struct message *m = container_of(first, struct message, timer);
            heap_del(&q->timers, first);
            TRY(message_activate(t, q, m));
            TRY(task_yield(t));
            continue;
        }
        e = bell_wait(t, &q->timer,
                      first ? after_ms(t, wait_us / 1000 + 1) : NEVER);
        if (e && e != ERR_LATE)
            return e;
    }
}

static err run_timers(struct task *t, void *queue)
{
    return must_go_on(t, queue, watch_timers(t, queue));
}

static err recover(struct task *t, struct queue *q)
{
    struct spool_found f;
    err e;

    while (!(e = spool_found_next(t, q->spool, &f))) {
        if (f.entry->id >= q->next_number)
            q->next_number = f.entry->id + 1;
        message_restore(t, q, &f);
    }
    return e == ERR_END ? OK : e;
}

/* bounce_template_file, if there is one; with a fault in it the built-in
 * texts are taken. */
static void templates_load(struct task *t, struct queue *q)
{
    struct services all = conf_services(q->conf);
    struct arena *a = q->role->memory;
    struct dsn_templates *own;
    str where;

    q->templates = &dsn_templates_default;
    for (size_t i = 0; i < all.n; i++) {
        const struct role_keys *k = role_keys_find(q->role, (uint32_t)i);
        if (!k)
            continue;
        own = arena_new(a, struct dsn_templates);
        *own = dsn_templates_default;
        if (dsn_templates_parse(k->text, a, own, &where))
            say(t, role_warn,
                arena_fmt(a, "%.*s, %.*s",
                          STR(conf_str(q->conf, P_bounce_template_file)),
                          STR(where)).p);
        else
            q->templates = own;
    }
}

static err queue_open(struct task *t, struct queue *q)
{
    struct spool_options o = {
        .disk_free_min = (uint64_t)conf_int(q->conf, P_queue_minfree),
    };
    struct spool_owner owner = { q, message_pack, message_damaged };

    TRY(spool_open(t, q->role->memory, q->role->dirs[ROLE_DIR_SPOOL], &o,
                   owner, &q->spool));
    q->next_number = spool_next_id(q->spool);
    templates_load(t, q);
    TRY(transports_load(t, q));
    group_go(&q->group, "spool", run_spool, q);
    TRY(recover(t, q));
    group_go(&q->group, "dispatch", run_dispatch, q);
    group_go(&q->group, "timers", run_timers, q);
    return OK;
}

static bool is_served(const struct queue *q, struct sock *s)
{
    struct endpoint new, old;

    for (const struct admin_listener *a = q->admin; a; a = a->next)
        if (!sock_local(s, &new) && !sock_local(a->sock, &old)
            && strcmp(new.path, old.path) == 0)
            return true;
    return false;
}

/* Takes what master has handed over since the last time. */
static void take_peers(struct task *t, struct queue *q)
{
    struct role_port *p;
    struct role_listener *l;

    while ((p = role_port_take(q->role, ROLE_smtpd)))
        group_go(&q->group, "intake", intake_run, intake_new(q, p));
    while ((p = role_port_take(q->role, ROLE_deliver))) {
        if (p->number == ROLE_SUBMISSIONS)
            group_go(&q->group, "intake", intake_run, intake_new(q, p));
        else
            group_go(&q->group, "worker", worker_run, worker_new(q, p));
    }
    while ((p = role_port_take(q->role, ROLE_smtpc)))
        group_go(&q->group, "worker", worker_run, worker_new(q, p));
    while ((l = role_listener_take(q->role))) {
        if (is_served(q, l->sock)) { /* each reload brings it again */
            sock_close(l->sock);
            continue;
        }
        struct admin_listener *a = arena_new(q->role->memory,
                                             struct admin_listener);
        a->queue = q;
        a->sock = l->sock;
        a->next = q->admin;
        q->admin = a;
        group_go(&q->group, "admin", admin_run, a);
    }
    (void)t;
}

/* Look-ups that run keep the old tables until they are through. */
static void reconfigure(struct task *t, struct queue *q)
{
    const struct conf *before = q->conf;
    struct places *old = q->places;

    q->epoch = q->role->epoch;
    q->conf = q->role->conf;
    if (places_open(t, q, &q->places)) {
        say(t, role_error, task_why(t));
        q->conf = before;
        return;
    }
    places_close(old);
    templates_load(t, q);
    if (transports_load(t, q))
        say(t, role_error, task_why(t));
    next_hops_wake(q);
}

static err serve(struct task *t, struct queue *q)
{
    uint64_t seen = 0;

    while (!q->role->stop && !q->failed) {
        take_peers(t, q);
        if (q->role->go && q->epoch != q->role->epoch)
            reconfigure(t, q);
        if (q->role->flush) {
            uint32_t n = 0;
            q->role->flush = false;
            TRY(queue_flush(t, q, S(""), &n));
        }
        TRY(role_wait(t, q->role, &seen, NEVER));
    }
    return q->failed ? why(t, ERR_IO, "the queue cannot be kept") : OK;
}

err role_qmgr_run(struct task *t, struct role *r)
{
    struct queue *q = arena_new(r->memory, struct queue);
    err e;

    q->role = r;
    list_init(&q->messages);
    list_init(&q->transports);
    list_init(&q->ready);
    list_init(&q->workers);
    map_init(&q->destinations, false);
    map_init(&q->by_number, false);
    group_open(t, &q->group);
    if (r->control)
        group_go(&q->group, "control", control, r);
    q->opener = role_opener(r, role_calls(r, &q->group, ROLE_lookup));
    e = role_wait_go(t, r);
    if (!e) {
        q->conf = r->conf;
        q->epoch = r->epoch;
        e = places_open(t, q, &q->places);
    }
    if (!e) {
        e = queue_open(t, q);
    }
    if (!e) {
        role_ready(r);
        e = serve(t, q);
    }
    if (!e)
        e = spool_close(t, q->spool);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &q->group);
    return e;
}
