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
        bell_ring_all(&q->role->changed);
    }
    return e;
}

/* Nothing is delivered without it: better to start again. */
static err run_dispatch(struct task *t, void *arg)
{
    struct queue *q = arg;
    err e = dispatch_run(t, q);

    if (e && e != ERR_STOPPED) {
        say(t, role_error, task_why(t));
        q->failed = true;
        bell_ring_all(&q->role->changed);
    }
    return e;
}

static err run_timers(struct task *t, void *arg)
{
    struct queue *q = arg;

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

static err queue_open(struct task *t, struct queue *q)
{
    struct spool_options o = {
        .disk_free_min = (uint64_t)conf_int(q->conf, P_queue_minfree),
    };
    struct spool_owner owner = { q, message_pack };

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
static void take_peers(struct task *t, struct queue *q)
{
    struct role_port *p;
    struct role_listener *l;

    while ((p = role_port_take(q->role, ROLE_smtpd)))
        group_go(&q->group, "intake", intake_run, intake_new(q, p));
    while ((p = role_port_take(q->role, ROLE_deliver)))
        group_go(&q->group, "worker", worker_run, worker_new(q, p));
    while ((p = role_port_take(q->role, ROLE_smtpc)))
        group_go(&q->group, "worker", worker_run, worker_new(q, p));
    while ((l = role_listener_take(q->role))) {
        struct admin_listener *a = arena_new(q->role->memory,
                                             struct admin_listener);
        a->queue = q;
        a->sock = l->sock;
        group_go(&q->group, "admin", admin_run, a);
    }
    (void)t;
}

static void flush_all(struct task *t, struct queue *q)
{
    list_each(l, &q->messages) {
        struct message *m = container_of(l, struct message, all);
        if (!m->active && !m->hold) {
            m->forced = true;
            heap_put(&q->timers, &m->timer, rt_wall(t));
        }
    }
    bell_ring_all(&q->timer);
}

/* The old tables stay until the role ends: a look-up may be under way. */
static void reconfigure(struct task *t, struct queue *q)
{
    const struct conf *before = q->conf;

    q->epoch = q->role->epoch;
    q->conf = q->role->conf;
    if (places_open(t, q, &q->places) || transports_load(t, q)) {
        say(t, role_error, task_why(t));
        q->conf = before;
    }
}

static err serve(struct task *t, struct queue *q)
{
    while (!q->role->stop && !q->failed) {
        take_peers(t, q);
        if (q->role->go && q->epoch != q->role->epoch)
            reconfigure(t, q);
        if (q->role->flush) {
            q->role->flush = false;
            flush_all(t, q);
        }
        TRY(bell_wait(t, &q->role->changed, NEVER));
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
    group_open(t, &q->group);
    if (r->control)
        group_go(&q->group, "control", control, r);
    e = role_wait_go(t, r);
    if (!e) {
        q->conf = r->conf;
        q->epoch = r->epoch;
        q->opener = table_opener_files();
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
        e = spool_flush(t, q->spool);
    if (e && e != ERR_STOPPED)
        say(t, role_fatal, task_why(t));
    group_close(t, &q->group);
    return e;
}
