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
static const struct dsn_templates *templates_of(struct task *t,
                                                struct edition *e)
{
    struct arena *a = &e->memory;
    const struct dsn_templates *found = &dsn_templates_default;
    str file = conf_str(e->conf, P_bounce_template_file), where;

    list_each(l, &e->keys) {
        const struct role_keys *k = container_of(l, struct role_keys, link);
        struct dsn_templates *own = arena_new(a, struct dsn_templates);
        *own = dsn_templates_default;
        if (k->fault.n)
            say(t, role_warn, k->fault.p);
        else if (dsn_templates_parse(k->text, a, own, &where))
            say(t, role_warn, arena_fmt(a, "%.*s, %.*s", STR(file),
                                        STR(where)).p);
        else
            found = own;
    }
    return found;
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
    TRY(transports_load(t, q));
    group_go(&q->group, "spool", run_spool, q);
    TRY(recover(t, q));
    group_go(&q->group, "dispatch", run_dispatch, q);
    group_go(&q->group, "timers", run_timers, q);
    return OK;
}

/* Takes what master has handed over since the last time. */
static void take_peers(struct queue *q)
{
    struct role_port *p;

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
}

static void use(struct queue *q, struct edition *e)
{
    q->edition = e;
    q->conf = e->conf;
}

/* The first one is in use as soon as it is open: what lies in the queue is
 * read by it, and until then this role is not ready. */
static err open_sight(struct task *t, void *queue, struct edition *e)
{
    struct queue *q = queue;
    struct queue_sight *sight = arena_new(&e->memory, struct queue_sight);

    e->self = sight;
    sight->templates = templates_of(t, e);
    TRY(places_open(t, q, e, &sight->places));
    if (q->spool)
        return OK;
    use(q, e);
    return queue_open(t, q);
}

/* Look-ups that run keep the old tables until they are through. */
static void take(struct task *t, void *queue, struct edition *before)
{
    struct queue *q = queue;

    use(q, q->role->now);
    doors_take(t, q->admin);
    if (!before)
        return;
    if (transports_load(t, q))
        say(t, role_error, task_why(t));
    next_hops_wake(q);
}

static err serve(struct task *t, struct queue *q)
{
    static const struct edition_user user = { open_sight, take };
    uint64_t seen = 0;

    while (!q->role->stop && !q->failed) {
        TRY(role_turn(t, q->role, &user, q));
        if (q->spool)
            take_peers(q);
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
    crowd_init(&q->callers);
    q->admin = doors_new(r, &q->group, false, admin_run, q);
    e = role_wait_first(t, r);
    if (!e)
        e = serve(t, q);
    if (!e && q->spool)
        e = spool_close(t, q->spool);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    doors_close(t, q->admin);
    group_close(t, &q->group);
    crowd_free(&q->callers);
    role_end(r);
    return e;
}
