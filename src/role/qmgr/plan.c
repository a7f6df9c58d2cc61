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

static uint32_t limit_of(const struct conf *c, str transport, str suffix,
                         enum param p)
{
    int64_t n = conf_transport_int(c, transport, suffix, p);

    return n > 0 && n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* TRANSPORT + suffix, or what p says. */
static void set_feedback(struct task *t, const struct conf *c, str transport,
                         str suffix, enum param p, struct feedback *out)
{
    struct arena a;
    str text;

    arena_init(&a, 0);
    if (!conf_find(c, &a, arena_cat(&a, transport, suffix), &text))
        text = conf_str(c, p);
    if (!feedback_parse(text, out)) {
        say(t, role_warn, arena_fmt(&a, "bad concurrency feedback of %.*s: "
                                    "\"%.*s\": taken as 1",
                                    STR(transport), STR(text)).p);
        *out = (struct feedback){ .amount = 1 };
    }
    arena_reset(&a);
}

static bool is_deferred(const struct conf *c, str transport)
{
    struct conf_items list = conf_items(c, P_defer_transports);

    for (size_t i = 0; i < list.n; i++)
        if (str_eq(list.p[i], transport))
            return true;
    return false;
}

static void set_limits(struct task *t, const struct conf *c,
                       struct transport *tr)
{
    tr->deferred = is_deferred(c, tr->name);
    tr->rcpts_max = limit_of(c, tr->name, S("_destination_recipient_limit"),
                             P_default_destination_recipient_limit);
    tr->window_max = limit_of(c, tr->name,
                              S("_destination_concurrency_limit"),
                              P_default_destination_concurrency_limit);
    tr->window_first = limit_of(c, tr->name,
                                S("_initial_destination_concurrency"),
                                P_initial_destination_concurrency);
    tr->cohorts_max = (uint32_t)conf_transport_int(
        c, tr->name, S("_destination_concurrency_failed_cohort_limit"),
        P_default_destination_concurrency_failed_cohort_limit);
    set_feedback(t, c, tr->name,
                 S("_destination_concurrency_positive_feedback"),
                 P_default_destination_concurrency_positive_feedback,
                 &tr->more);
    set_feedback(t, c, tr->name,
                 S("_destination_concurrency_negative_feedback"),
                 P_default_destination_concurrency_negative_feedback,
                 &tr->less);
    tr->hop_delay_us = conf_transport_seconds(
                           c, tr->name, S("_destination_rate_delay"),
                           P_default_destination_rate_delay) * 1000000;
    tr->delay_us = conf_transport_seconds(
                       c, tr->name, S("_transport_rate_delay"),
                       P_default_transport_rate_delay) * 1000000;
}

err transports_load(struct task *t, struct queue *q)
{
    struct services all = conf_services(q->conf);
    const struct conf *c = q->conf;

    list_each(l, &q->transports)
        container_of(l, struct transport, link)->gone = true;
    for (size_t i = 0; i < all.n; i++) {
        const struct service *s = &all.p[i];
        struct transport *tr;
        if (s->type == SERVICE_INET || !delivers(s->command))
            continue;
        tr = transport_find(q, s->name);
        if (!tr) {
            tr = arena_new(q->role->memory, struct transport);
            tr->name = arena_str(q->role->memory, s->name);
            list_init(&tr->blocked);
            list_add_last(&q->transports, &tr->link);
        }
        tr->gone = false;
        if (!str_eq(tr->command, s->command))
            tr->command = arena_str(q->role->memory, s->command);
        tr->role = role_of(s->command);
        set_limits(t, c, tr);
        /* With one recipient a job the limit is for each recipient, not for
         * the domain (local(8)); a mailbox' deliveries wait for each other
         * where they are done. */
        if (tr->rcpts_max == 1 && tr->role == ROLE_deliver)
            tr->window_max = tr->window_first = UINT32_MAX;
        tr->service_max = (uint32_t)s->limit;
    }
    return OK;
}

static void give_up(struct task *t, struct queue *q, struct message *m,
                    uint32_t index, const char *dsn, str text)
{
    struct result_rcpt r = {
        .outcome = dsn[0] == '5' ? OUTCOME_BOUNCED
                 : dsn[0] == '2' ? OUTCOME_SENT : OUTCOME_DEFERRED,
        .text = text,
        .relay = S("none"),
    };

    memcpy(r.dsn, dsn, 6);
    rcpt_settle(t, q, m, index, &r, "error");
}

/* Adds a recipient to the message's part for its destination. */
static void add_to_part(struct map *parts, struct queue *q, struct message *m,
                        uint32_t index, const struct where *w,
                        struct transport *tr)
{
    struct next_hop *d = next_hop_get(q, tr, w->nexthop);
    struct part *p = map_get(parts, d->key);

    if (!p) {
        p = part_new(m, d, (uint32_t)m->envelope.recipients.n);
        map_put(parts, d->key, p);
    }
    p->index[p->n++] = index;
}

/* From here on the recipient is who the resolver says it is. */
static void take_resolved(struct message *m, uint32_t index,
                          const struct where *w)
{
    struct address *x = &m->envelope.recipients.p[index].address;

    if (!str_eq(x->text, w->recipient.text)
        && address_of(w->recipient.text, &m->memory, x))
        must_not_reach(); /* it is an address already */
}

/* A notice to us that came back: it ends here (bounce(8)). */
static bool is_our_notice(const struct queue *q, const struct recipient *r,
                          const struct where *w)
{
    return str_eq(w->transport, S("local"))
           && str_ieq(r->address.local,
                      conf_str(q->conf, P_double_bounce_sender));
}

static err plan_one(struct task *t, struct queue *q, struct message *m,
                    uint32_t index, struct arena *a, struct map *parts)
{
    struct where w;
    struct transport *tr;
    err e;

    if (m->damaged) {
        give_up(t, q, m, index, "5.3.0",
                S("the message was damaged on the disk of this mail system; "
                  "it may have been delivered before"));
        return OK;
    }
    e = where_to(t, q, m, index, a, &w);

    if (e == ERR_STOPPED)
        return e;
    tr = e ? NULL : transport_find(q, w.transport);
    if (tr && tr->gone)
        tr = NULL;
    if (!e)
        take_resolved(m, index, &w);
    if (e)
        give_up(t, q, m, index, "4.3.0", str_from(task_why(t)));
    else if (is_our_notice(q, &m->envelope.recipients.p[index], &w))
        give_up(t, q, m, index, "2.0.0",
                S("undeliverable postmaster notification discarded"));
    else if (!tr)
        give_up(t, q, m, index, "4.3.0", S("mail transport unavailable"));
    else if (tr->deferred && !m->forced)
        give_up(t, q, m, index, "4.3.2", S("deferred transport"));
    else
        add_to_part(parts, q, m, index, &w, tr);
    return OK;
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

static size_t n_open(const struct message *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->envelope.recipients.n; i++)
        n += m->rcpts[i].status != RCPT_DONE;
    return n;
}

err message_activate(struct task *t, struct queue *q, struct message *m)
{
    struct map parts;
    struct arena a;
    err e;

    arena_init(&a, 0);
    say(t, qmgr_active, STR(queue_id_str(&m->id)),
        STR(address_external(&m->envelope.sender, &a)), m->envelope.size,
        n_open(m));
    arena_reset(&a);
    m->active = true;
    map_init(&parts, false);
    e = make_parts(t, q, m, &parts);
    for (size_t at = 0;;) {
        str key;
        void *p;
        if (!map_next(&parts, &at, &key, &p))
            break;
        next_hop_add(q, p, false);
    }
    if (!e && parts.n == 0)
        run_end(q, m);
    map_free(&parts);
    return e;
}
