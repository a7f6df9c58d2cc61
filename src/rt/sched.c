/* SPDX-License-Identifier: ISC
 *
 * The scheduler, the same in both worlds.  A turn: run what is ready (in a
 * few rounds, so that two tasks that wake each other cannot starve the
 * network), run the hooks, wait for events.
 */
#include "rt/sched.h"

#include <stdio.h>

enum {
    ROUNDS_MAX = 8,
    WHY_MAX = 1024,
    SWEEP_US = 4 * 1000 * 1000,
    IDLE_US = 2 * 1000 * 1000,
    BREATH_US = 2 * 1000,
};

void world_init(struct world *w, const struct world_ops *ops)
{
    w->ops = ops;
    list_init(&w->ready);
    list_init(&w->tasks);
    list_init(&w->hooks);
    w->now = 1;
    w->log.fd = -1;
    buf_init(&w->log.lines, NULL, 1 << 20);
}

void world_done(struct world *w)
{
    must_report_with(NULL, NULL);
    heap_done(&w->timers);
    stacks_drop(w);
    buf_free(&w->log.lines);
}

/* A task's whole life, on its own stack. */
static void task_main(struct task *t)
{
    struct task_group *g = t->group;
    err e;

    task_switch_started(t);
    e = t->fn(t, t->arg);
    heap_free(t->why);
    t->why = NULL;
    list_del(&t->sibling);
    if (g) {
        if (e && !g->first)
            g->first = e;
        g->n--;
        bell_ring_all(&g->ended);
    }
    t->ended = true;
    task_switch_out(t, true);
    must_not_reach();
}

static struct task *task_new(struct world *w, const char *name,
                             err (*fn)(struct task *, void *), void *arg)
{
    struct task *t = task_memory(w);

    w->n_tasks++;
    t->fn = fn;
    t->arg = arg;
    t->name = name;
    list_add_last(&w->tasks, &t->all);
    list_add_last(&w->ready, &t->ready);
    task_switch_prepare(t, (char *)t, task_main);
    return t;
}

static void run(struct world *w, struct task *t)
{
    w->current = t;
    w->run_since = 0;
    t->trimmed = false;
    w->unswept = true;
    task_switch_in(w, t);
    w->current = NULL;
    if (t->ended) {
        list_del(&t->all);
        task_memory_free(w, t);
        w->n_tasks--;
    }
}

static struct task *ready_take(struct world *w)
{
    struct link *l = w->ready.next;

    if (w->choose) {
        size_t n = 0;
        list_each(each, &w->ready)
            n++;
        for (n = w->choose(w, n); n > 0; n--)
            l = l->next;
    }
    list_del(l);
    return container_of(l, struct task, ready);
}

static void ready_run(struct world *w)
{
    w->tired = false;
    for (int round = 0; round < ROUNDS_MAX && !w->tired
                        && !list_empty(&w->ready); round++) {
        struct link *last = w->ready.prev;
        bool more = true;
        while (more && !list_empty(&w->ready)) {
            struct task *t = ready_take(w);
            more = &t->ready != last;
            run(w, t);
        }
    }
}

static void timers_run(struct world *w)
{
    struct heap_node *first;

    while ((first = heap_first(&w->timers)) && first->key <= w->now)
        task_wake(container_of(first, struct task, timer), ERR_LATE);
}

/* Gives back the deep pages of tasks that have slept for a while. */
static void sweep(struct world *w)
{
    if (w->now - w->swept < SWEEP_US)
        return;
    w->swept = w->now;
    w->unswept = false;
    list_each(l, &w->tasks) {
        struct task *t = container_of(l, struct task, all);
        if (t->trimmed)
            continue;
        if (t->parked && w->now - t->parked_at > IDLE_US)
            task_memory_trim(t);
        else
            w->unswept = true;
    }
}

/* Ends without waiting when nobody of root is left. */
static void turn(struct world *w, const struct task_group *root)
{
    struct heap_node *first;
    when until = NEVER;

    ready_run(w);
    list_each(l, &w->hooks) {
        struct turn_hook *h = container_of(l, struct turn_hook, link);
        h->fn(h->arg);
    }
    sweep(w);
    log_flush(w);
    if (root->n == 0)
        return;
    if ((first = heap_first(&w->timers)))
        until = first->key;
    /* who has nothing to do still tidies up, once */
    if (w->unswept && !w->ops->simulated && until > w->swept + SWEEP_US)
        until = w->swept + SWEEP_US;
    if (!list_empty(&w->ready))
        until = w->now;
    w->ops->poll(w, until);
    timers_run(w);
}

err world_loop(struct world *w, const char *log_name,
               err (*fn)(struct task *, void *), void *arg)
{
    struct task_group root = { .world = w };
    struct task *t;

    list_init(&root.children);
    w->ops->poll(w, w->now); /* sets the clock */
    t = task_new(w, log_name, fn, arg);
    t->log_name = log_name;
    t->group = &root;
    root.n = 1;
    list_add_last(&root.children, &t->sibling);
    while (root.n > 0)
        turn(w, &root);
    return root.first;
}

err task_park(struct task *t, when until)
{
    struct world *w = t->world;

    must(w->current == t);
    if (t->stopped)
        return ERR_STOPPED;
    if (until <= w->now)
        return ERR_LATE;
    t->parked = true;
    t->parked_at = w->now;
    if (until != NEVER)
        heap_put(&w->timers, &t->timer, until);
    task_switch_out(t, false);
    must(!t->parked);
    return t->wake;
}

err task_park_through(struct task *t, when until)
{
    bool was_stopped = t->stopped;
    err e;

    t->stopped = false;
    e = task_park(t, until);
    /* a stop may also have come between another's waking and our turn */
    t->stopped |= was_stopped;
    return e;
}

void task_wake(struct task *t, err reason)
{
    if (!t->parked)
        return;
    t->parked = false;
    t->wake = reason;
    heap_del(&t->world->timers, &t->timer);
    list_add_last(&t->world->ready, &t->ready);
}

void task_stop(struct task *t)
{
    t->stopped = true;
    task_wake(t, ERR_STOPPED);
}

static void task_vanish(struct task *t)
{
    must(t->world->current != t);
    if (t->group->parent && t->group->parent->process != t->process) {
        list_del(&t->sibling);
        t->group->n--;
        bell_ring_all(&t->group->ended);
    }
    heap_del(&t->world->timers, &t->timer);
    if (link_on(&t->ready))
        list_del(&t->ready);
    list_del(&t->all);
    heap_free(t->why);
    t->world->n_tasks--;
    task_memory_free(t->world, t);
}

void tasks_vanish(struct world *w, uint32_t process)
{
    list_each(l, &w->hooks) {
        struct turn_hook *h = container_of(l, struct turn_hook, link);
        if (h->process == process)
            turn_hook_del(h);
    }
    /* children lie behind their parents, whose group they look at */
    for (struct link *l = w->tasks.prev, *before; l != &w->tasks; l = before) {
        struct task *t = container_of(l, struct task, all);
        before = l->prev;
        if (t->process == process)
            task_vanish(t);
    }
}

/* --- what the rest of the system sees ---------------------------------- */

when rt_now(struct task *t)
{
    return t->world->now;
}

int64_t rt_wall(struct task *t)
{
    return t->world->ops->wall(t->world);
}

when after_ms(struct task *t, int64_t ms)
{
    if (ms < 0 || ms > (int64_t)1000 * 86400 * 365 * 10)
        return NEVER;
    return t->world->now + ms * 1000;
}

when after_s(struct task *t, int64_t s)
{
    if (s < 0 || s > (int64_t)86400 * 365 * 10)
        return NEVER;
    return after_ms(t, s * 1000);
}

void rt_random(struct task *t, void *p, size_t n)
{
    t->world->ops->random(t->world, p, n);
}

uint64_t rt_random_below(struct task *t, uint64_t below)
{
    uint64_t r;

    must(below > 0);
    rt_random(t, &r, sizeof(r));
    return r % below;
}

err why(struct task *t, err e, const char *fmt, ...)
{
    char text[WHY_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    must(n >= 0);
    if ((size_t)n >= sizeof(text))
        n = sizeof(text) - 1;
    t->why = heap_resize(t->why, (size_t)n + 1);
    memcpy(t->why, text, (size_t)n + 1);
    return e;
}

const char *task_why(struct task *t)
{
    return t->why ? t->why : "";
}

err task_yield(struct task *t)
{
    if (t->stopped)
        return ERR_STOPPED;
    t->parked = true;
    task_wake(t, OK);
    task_switch_out(t, false);
    return t->stopped ? ERR_STOPPED : OK;
}

void task_breathe(struct task *t)
{
    struct world *w = t->world;
    when now = w->ops->clock(w);

    if (!w->run_since)
        w->run_since = now; /* what ran before the first look is not long */
    if (t->stopped || now - w->run_since < BREATH_US)
        return;
    w->tired = true;
    err_ignore(task_yield(t)); /* the next wait tells of a stop */
}

err task_sleep(struct task *t, when until)
{
    err e = task_park(t, until);

    return e == ERR_LATE ? OK : e;
}

bool task_stopped(struct task *t)
{
    return t->stopped;
}

void offload(struct task *t, void (*fn)(void *), void *arg)
{
    t->world->ops->offload(t, fn, arg);
}

void log_name_set(struct task *t, const char *name)
{
    t->log_name = name;
}

const char *log_name_get(struct task *t)
{
    return t->log_name;
}

/* --- bells --------------------------------------------------------------- */

struct bell_waiter {
    struct bell_waiter *next;
    struct task *task;
    bool rung;
};

static void bell_leave(struct bell *b, struct bell_waiter *me)
{
    struct bell_waiter **at = &b->first, *before = NULL;

    while (*at && *at != me) {
        before = *at;
        at = &(*at)->next;
    }
    if (!*at)
        return;
    *at = me->next;
    if (b->last == me)
        b->last = before;
}

err bell_wait(struct task *t, struct bell *b, when until)
{
    struct bell_waiter me = { NULL, t, false };
    err e;

    if (b->last)
        b->last->next = &me;
    else
        b->first = &me;
    b->last = &me;
    e = task_park(t, until);
    if (!me.rung)
        bell_leave(b, &me);
    else if (t->stopped)
        bell_ring(b); /* what was meant for us goes to the next */
    else
        return OK;
    return t->stopped ? ERR_STOPPED : e;
}

void bell_ring(struct bell *b)
{
    struct bell_waiter *first = b->first;

    if (!first)
        return;
    b->first = first->next;
    if (!b->first)
        b->last = NULL;
    first->rung = true;
    task_wake(first->task, OK);
}

void bell_ring_all(struct bell *b)
{
    while (b->first)
        bell_ring(b);
}

err sock_wait_bell(struct task *t, struct sock *s, struct bell *b, when until)
{
    struct bell_waiter me = { NULL, t, false };
    err e;

    if (b->last)
        b->last->next = &me;
    else
        b->first = &me;
    b->last = &me;
    e = sock_wait_readable(t, s, until);
    if (!me.rung)
        bell_leave(b, &me);
    return t->stopped ? ERR_STOPPED : me.rung ? OK : e;
}

bool bell_waited(const struct bell *b)
{
    return b->first != NULL;
}

/* --- groups -------------------------------------------------------------- */

void group_open(struct task *t, struct task_group *g)
{
    *g = (struct task_group){ .world = t->world, .parent = t };
    list_init(&g->children);
}

void group_go(struct task_group *g, const char *name,
              err (*fn)(struct task *t, void *arg), void *arg)
{
    struct task *t = task_new(g->world, name, fn, arg);

    t->group = g;
    t->log_name = g->parent->log_name;
    t->process = g->parent->process;
    list_add_last(&g->children, &t->sibling);
    g->n++;
}

err group_wait_below(struct task *t, struct task_group *g, size_t n, when until)
{
    while (g->n >= n)
        TRY(bell_wait(t, &g->ended, until));
    return OK;
}

err group_wait(struct task *t, struct task_group *g, when until)
{
    return group_wait_below(t, g, 1, until);
}

void group_stop(struct task_group *g)
{
    list_each(l, &g->children)
        task_stop(container_of(l, struct task, sibling));
}

void group_close(struct task *t, struct task_group *g)
{
    bool was_stopped = t->stopped;

    group_stop(g);
    t->stopped = false; /* this wait is ours to finish, cancelled or not */
    while (g->n > 0)
        if (bell_wait(t, &g->ended, NEVER) == ERR_STOPPED) {
            was_stopped = true;
            t->stopped = false;
        }
    t->stopped = was_stopped;
}

/* --- turn hooks ---------------------------------------------------------- */

void turn_hook_add(struct task *t, struct turn_hook *h, int rank,
                   void (*fn)(void *), void *arg)
{
    struct link *at = &t->world->hooks;

    *h = (struct turn_hook){ .fn = fn, .arg = arg, .rank = rank,
                             .process = t->process };
    list_each(l, &t->world->hooks) {
        if (container_of(l, struct turn_hook, link)->rank > rank) {
            at = l;
            break;
        }
    }
    list_add_last(at, &h->link); /* before the first of higher rank */
}

void turn_hook_del(struct turn_hook *h)
{
    list_del(&h->link);
}
