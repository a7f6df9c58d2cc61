/* SPDX-License-Identifier: ISC
 *
 * Next hops: which one is served next, how many deliveries it gets at once,
 * and when it is left alone.
 *
 * Those that have parts waiting stand in a ring; each turn serves one part of
 * the first and puts it last.  One whose transport is full waits in that
 * transport's line, and while anybody waits there nobody overtakes; one that
 * has a delay to wait for is in the heap of slow ones.
 *
 * A window starts at initial_destination_concurrency, opens with success and
 * closes with failures to connect.  Failures are counted in cohorts, a cohort
 * being as many as the window is wide; when there are too many in a row the
 * next hop is dead for minimal_backoff_time, and its mail is deferred without
 * a try.
 *
 * H1  A next hop without users is freed, but for what it has to remember:
 *     then it is in queue->slow until that is over.
 */
#include "role/qmgr/queue.h"

#include <math.h>

enum {
    JOBS_PER_CONNECTION = 2, /* so that a connection never runs dry */
    NAME_MAX_SIZE = 1000, REASON_SIZE = 500,
};

static uint32_t jobs_each(const struct transport *tr)
{
    return tr->role == ROLE_smtpc ? JOBS_PER_CONNECTION : 1;
}

uint32_t next_hop_connections(const struct next_hop *d)
{
    return d->window < 1 ? 1 : (uint32_t)d->window;
}

static double first_window(const struct transport *tr)
{
    return tr->window_first < tr->window_max ? tr->window_first
                                             : tr->window_max;
}

struct next_hop *next_hop_get(struct queue *q, struct transport *tr,
                              str nexthop)
{
    struct buf b;
    struct next_hop *d;

    buf_init(&b, NULL, 2 * NAME_MAX_SIZE + 1);
    buf_fmt(&b, "%.*s\n%.*s", STR(str_head(tr->name, NAME_MAX_SIZE)),
            STR(str_head(nexthop, NAME_MAX_SIZE)));
    d = map_get(&q->destinations, buf_str(&b));
    if (!d) {
        char *key = heap_alloc(b.n + 1);
        memcpy(key, b.p, b.n);
        d = heap_new(struct next_hop);
        d->key = str_of(key, b.n);
        d->nexthop = str_skip(d->key, str_chr(d->key, '\n') + 1);
        d->queue = q;
        d->transport = tr;
        d->window = first_window(tr);
        list_init(&d->parts);
        buf_init(&d->dead_reason, NULL, REASON_SIZE);
        map_put(&q->destinations, d->key, d);
    }
    buf_free(&b);
    return d;
}

static void next_hop_free(struct next_hop *d)
{
    char *key;

    must(d->n_users == 0 && d->n_parts == 0 && d->n_active == 0);
    memcpy(&key, &d->key.p, sizeof(key));
    map_del(&d->queue->destinations, d->key);
    list_del(&d->ready);
    heap_del(&d->queue->slow, &d->timer);
    buf_free(&d->dead_reason);
    heap_free(key);
    heap_free(d);
}

/* H1 */
static void rest(struct next_hop *d)
{
    int64_t until = d->dead_until_us > d->next_us ? d->dead_until_us
                                                  : d->next_us;

    if (d->failed_until_us > until)
        until = d->failed_until_us;

    if (d->n_users > 0)
        return;
    list_del(&d->ready);
    if (until > 0)
        heap_put(&d->queue->slow, &d->timer, until);
    else
        next_hop_free(d);
}

struct part *part_new(struct message *m, struct next_hop *d, uint32_t room)
{
    struct part *p = heap_new(struct part);

    p->message = m;
    p->to = d;
    p->index = heap_alloc(room * sizeof(*p->index));
    m->n_parts++;
    d->n_users++;
    return p;
}

void part_free(struct part *p)
{
    struct next_hop *d = p->to;

    heap_free(p->index);
    heap_free(p);
    d->n_users--;
    rest(d);
}

void next_hop_ready(struct queue *q, struct next_hop *d)
{
    if (d->n_parts == 0 || link_on(&d->ready))
        return;
    heap_del(&q->slow, &d->timer);
    list_add_last(&q->ready, &d->ready);
    bell_ring(&q->work);
}

void next_hop_add(struct queue *q, struct part *p, bool first)
{
    struct next_hop *d = p->to;

    if (first)
        list_add_first(&d->parts, &p->link);
    else
        list_add_last(&d->parts, &p->link);
    d->n_parts++;
    next_hop_ready(q, d);
}

void next_hop_rest(struct next_hop *d)
{
    if (d->n_parts > 0)
        next_hop_ready(d->queue, d);
    else
        rest(d);
}

void next_hops_wake(struct queue *q)
{
    str key;
    void *d;

    for (size_t at = 0; map_next(&q->destinations, &at, &key, &d);)
        next_hop_ready(q, d);
    bell_ring(&q->work);
}

/* --- whose turn it is ----------------------------------------------------- */

static bool has_room(struct task *t, const struct transport *tr)
{
    if (tr->gone)
        return true; /* its mail is put off */
    if (tr->delay_us > 0)
        return tr->n_active == 0 && tr->next_us <= rt_wall(t);
    return !tr->service_max || tr->n_places < tr->service_max;
}

/* Whether one more job would be one more delivery at once, and not wait for
 * one that is there. */
static bool needs_place(const struct next_hop *d)
{
    return d->n_active < next_hop_connections(d);
}

static void count_places(struct next_hop *d)
{
    uint32_t most = next_hop_connections(d);
    uint32_t n = d->n_active < most ? d->n_active : most;

    d->transport->n_places += n - d->n_places;
    d->n_places = n;
}

static bool is_full(const struct next_hop *d)
{
    const struct transport *tr = d->transport;

    if (tr->hop_delay_us > 0)
        return d->n_active > 0;
    return d->n_active >= (uint64_t)next_hop_connections(d) * jobs_each(tr);
}

/* Delays that are over. */
static void wake(struct task *t, struct queue *q)
{
    struct heap_node *n;
    int64_t now = rt_wall(t);

    while ((n = heap_first(&q->slow)) && n->key <= now) {
        struct next_hop *d = container_of(n, struct next_hop, timer);
        heap_del(&q->slow, n);
        if (d->n_users == 0)
            next_hop_free(d);
        else
            next_hop_ready(q, d);
    }
}

/* The first that waits in the line of a transport with room. */
static struct next_hop *pick_blocked(struct task *t, struct queue *q)
{
    list_each(l, &q->transports) {
        struct transport *tr = container_of(l, struct transport, link);
        if (!list_empty(&tr->blocked) && has_room(t, tr))
            return container_of(list_pop(&tr->blocked), struct next_hop,
                                ready);
    }
    return NULL;
}

/* Whether it can be served now; if not it is put where it waits. */
static bool may_serve(struct task *t, struct queue *q, struct next_hop *d,
                      bool was_blocked)
{
    struct transport *tr = d->transport;

    if (d->n_parts == 0) {
        rest(d);
        return false;
    }
    if (tr->role == N_ROLES || tr->gone)
        return true;
    if (is_full(d)) /* its next result wakes it */
        return false;
    if (d->next_us > rt_wall(t)) {
        heap_put(&q->slow, &d->timer, d->next_us);
        return false;
    }
    if (!was_blocked
        && (!list_empty(&tr->blocked)
            || ((needs_place(d) || tr->delay_us > 0) && !has_room(t, tr)))) {
        list_add_last(&tr->blocked, &d->ready);
        return false;
    }
    return true;
}

struct next_hop *next_hop_pick(struct task *t, struct queue *q)
{
    struct next_hop *d;

    wake(t, q);
    for (;;) {
        bool was_blocked = false;
        struct link *l = list_pop(&q->ready);
        if (l) {
            d = container_of(l, struct next_hop, ready);
        } else {
            d = pick_blocked(t, q);
            was_blocked = true;
        }
        if (!d || may_serve(t, q, d, was_blocked))
            return d;
    }
}

when next_hop_wake(struct task *t, struct queue *q)
{
    struct heap_node *first = heap_first(&q->slow);
    int64_t at = first ? first->key : INT64_MAX;

    list_each(l, &q->transports) {
        struct transport *tr = container_of(l, struct transport, link);
        if (!list_empty(&tr->blocked) && tr->n_active == 0
            && tr->next_us < at)
            at = tr->next_us;
    }
    if (at == INT64_MAX)
        return NEVER;
    at -= rt_wall(t);
    return after_ms(t, at < 0 ? 0 : at / 1000 + 1);
}

/* --- windows -------------------------------------------------------------- */

bool feedback_parse(str text, struct feedback *out)
{
    struct feedback f = { 0 };
    size_t slash = str_chr(text, '/');
    str by = str_trim(str_skip(text, slash == STR_NONE ? text.n : slash + 1));
    str number = str_trim(str_head(text, slash));
    size_t dot = str_chr(number, '.');
    str part = str_skip(number, dot == STR_NONE ? number.n : dot + 1);
    uint64_t whole = 0, fraction = 0;

    if (!str_uint(str_head(number, dot), 1000000, &whole)
        || (part.n && (part.n > 9 || !str_uint(part, 999999999, &fraction))))
        return false;
    f.amount = (double)whole + (double)fraction / pow(10, (double)part.n);
    if (str_ieq(by, S("concurrency")))
        f.by = FEEDBACK_BY_WINDOW;
    else if (str_ieq(by, S("sqrt_concurrency")))
        f.by = FEEDBACK_BY_ROOT;
    else if (slash != STR_NONE)
        return false;
    *out = f;
    return true;
}

static double amount(const struct feedback *f, double window)
{
    double d = window < 1 ? 1 : window;

    return f->by == FEEDBACK_BY_WINDOW ? f->amount / d
         : f->by == FEEDBACK_BY_ROOT ? f->amount / sqrt(d) : f->amount;
}

void next_hop_works(struct next_hop *d)
{
    d->cohorts = 0;
    d->dead_until_us = d->failed_until_us = 0;
    d->successes += amount(&d->transport->more, d->window);
    if (d->successes < 1)
        return;
    d->window += floor(d->successes);
    d->successes -= floor(d->successes);
    if (d->window > d->transport->window_max)
        d->window = d->transport->window_max;
}

void next_hop_failed(struct task *t, struct queue *q, struct next_hop *d,
                     const char *dsn, str reason)
{
    d->cohorts += 1 / (double)next_hop_connections(d);
    d->successes = 0;
    d->failed_until_us = rt_wall(t)
                         + conf_seconds(q->conf, P_minimal_backoff_time)
                               * 1000000;
    d->window -= amount(&d->transport->less, d->window);
    if (d->window < 1)
        d->window = 1;
    if (!d->transport->cohorts_max || d->cohorts < d->transport->cohorts_max)
        return;
    d->dead_until_us = d->failed_until_us;
    buf_clear(&d->dead_reason);
    buf_add(&d->dead_reason, str_head(reason, REASON_SIZE));
    memcpy(d->dead_dsn, dsn, sizeof(d->dead_dsn));
    d->cohorts = 0; /* afterwards it is as a new one */
    d->window = first_window(d->transport);
}

bool next_hop_dead(struct task *t, const struct next_hop *d)
{
    return d->dead_until_us > rt_wall(t);
}

void next_hop_begin(struct next_hop *d)
{
    d->n_active++;
    d->transport->n_active++;
    count_places(d);
}

void next_hop_end(struct task *t, struct queue *q, struct next_hop *d)
{
    struct transport *tr = d->transport;

    d->n_active--;
    tr->n_active--;
    count_places(d);
    if (tr->hop_delay_us > 0)
        d->next_us = rt_wall(t) + tr->hop_delay_us;
    if (tr->delay_us > 0)
        tr->next_us = rt_wall(t) + tr->delay_us;
    next_hop_ready(q, d);
    bell_ring(&q->work);
}
