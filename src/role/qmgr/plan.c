/* SPDX-License-Identifier: ISC
 *
 * Making a message active: where each recipient goes.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"
#include "role/qmgr/where.h"

/* Which role does a master.cf command's work for the queue. */
static enum role_kind role_of(str command)
{
    if (str_eq(command, S("smtp")) || str_eq(command, S("lmtp")))
        return ROLE_smtpc;
    if (str_eq(command, S("local")) || str_eq(command, S("virtual"))
        || str_eq(command, S("pipe")))
        return ROLE_deliver;
    return N_ROLES;
}

struct transport *transport_find(const struct queue *q, str name)
{
    list_each(l, &q->transports) {
        struct transport *tr = container_of(l, struct transport, link);
        if (str_eq(tr->name, name))
            return tr;
    }
    return NULL;
}

static bool delivers(str command)
{
    return role_of(command) != N_ROLES || str_eq(command, S("error"))
           || str_eq(command, S("discard")) || str_eq(command, S("retry"));
}

err transports_load(struct task *t, struct queue *q)
{
    struct services all = conf_services(q->conf);
    const struct conf *c = q->conf;

    (void)t;
    for (size_t i = 0; i < all.n; i++) {
        const struct service *s = &all.p[i];
        struct transport *tr;
        int64_t limit;
        if (s->type == SERVICE_INET || !delivers(s->command))
            continue;
        tr = transport_find(q, s->name);
        if (!tr) {
            tr = arena_new(q->role->memory, struct transport);
            tr->name = arena_str(q->role->memory, s->name);
            list_add_last(&q->transports, &tr->link);
        }
        tr->command = s->command;
        tr->role = role_of(s->command);
        limit = conf_transport_int(c, s->name,
                                   S("_destination_recipient_limit"),
                                   P_default_destination_recipient_limit);
        tr->rcpts_max = limit > 0 ? (uint32_t)limit : UINT32_MAX;
        limit = conf_transport_int(c, s->name,
                                   S("_destination_concurrency_limit"),
                                   P_default_destination_concurrency_limit);
        tr->jobs_max = limit > 0 ? (uint32_t)limit : UINT32_MAX;
        /* With one recipient a job the limit is for each recipient, not for
         * the domain (local(8)); a mailbox' deliveries wait for each other
         * where they are done. */
        if (tr->rcpts_max == 1 && tr->role == ROLE_deliver)
            tr->jobs_max = UINT32_MAX;
        tr->service_max = (uint32_t)s->limit;
    }
    return OK;
}

static void give_up(struct message *m, uint32_t index, const char *dsn,
                    bool forever, str reason)
{
    struct result_rcpt r = {
        .outcome = forever ? OUTCOME_BOUNCED : OUTCOME_DEFERRED,
        .text = reason,
        .relay = S("none"),
    };

    for (size_t i = 0; dsn[i] && i + 1 < sizeof(r.dsn); i++)
        r.dsn[i] = dsn[i];
    rcpt_result(m, index, &r);
}

/* Adds a recipient to the message's part for its destination. */
static void add_to_part(struct arena *a, struct map *parts,
                        struct queue *q, struct message *m, uint32_t index,
                        const struct where *w, struct transport *tr)
{
    struct next_hop *d = next_hop_get(q, tr, w->nexthop);
    struct part *p = map_get(parts, d->key);

    if (!p) {
        p = heap_new(struct part);
        p->message = m;
        p->to = d;
        p->index = heap_alloc(m->envelope.recipients.n * sizeof(*p->index));
        map_put(parts, d->key, p);
        m->n_parts++;
    }
    p->index[p->n++] = index;
    (void)a;
}

static err plan_one(struct task *t, struct queue *q, struct message *m,
                    uint32_t index, struct arena *a, struct map *parts)
{
    struct where w;
    struct transport *tr;
    err e = where_to(t, q, m, index, a, &w);

    if (e == ERR_STOPPED)
        return e;
    if (e) {
        give_up(m, index, "4.3.0", false, str_from(task_why(t)));
        return OK;
    }
    tr = transport_find(q, w.transport);
    if (!tr) {
        give_up(m, index, "4.3.0", false, S("mail transport unavailable"));
        return OK;
    }
    add_to_part(a, parts, q, m, index, &w, tr);
    return OK;
}

static bool expired(struct task *t, struct queue *q, const struct message *m)
{
    enum param p = address_is_null(&m->envelope.sender)
                       ? P_bounce_queue_lifetime : P_maximal_queue_lifetime;

    return m->attempts > 0
           && rt_wall(t) - m->envelope.arrival_us
                  > conf_seconds(q->conf, p) * 1000000;
}

/* What could not be delivered in its time goes back. */
static void expire(struct task *t, struct message *m)
{
    say(t, qmgr_expired, STR(queue_id_str(&m->id)),
        STR(m->envelope.sender.text));
    for (uint32_t i = 0; i < m->envelope.recipients.n; i++) {
        struct rcpt_state *r = &m->rcpts[i];
        if (r->status != RCPT_DEFERRED && r->status != RCPT_OPEN)
            continue;
        if (str_empty(r->reason))
            r->reason = S("message expired");
        if (r->dsn[0] != '4')
            memcpy(r->dsn, "4.4.7", 6);
        r->status = RCPT_FAILED;
    }
}

static err make_parts(struct task *t, struct queue *q, struct message *m,
                      struct map *parts)
{
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    for (uint32_t i = 0; i < m->envelope.recipients.n && !e; i++)
        if (m->rcpts[i].status != RCPT_DONE)
            e = plan_one(t, q, m, i, &a, parts);
    arena_reset(&a);
    return e;
}

err message_activate(struct task *t, struct queue *q, struct message *m)
{
    struct map parts;
    err e;

    if (expired(t, q, m)) {
        expire(t, m);
        return message_run_end(t, q, m);
    }
    say(t, qmgr_active, STR(queue_id_str(&m->id)),
        STR(m->envelope.sender.text), m->envelope.size,
        m->envelope.recipients.n);
    m->active = true;
    map_init(&parts, false);
    e = make_parts(t, q, m, &parts);
    for (size_t at = 0;;) {
        str key;
        void *p;
        if (!map_next(&parts, &at, &key, &p))
            break;
        next_hop_add(t, q, p);
    }
    m->forced = false;
    if (!e && parts.n == 0)
        e = message_run_end(t, q, m);
    map_free(&parts);
    return e;
}
