/* SPDX-License-Identifier: ISC
 *
 * Outcomes of deliveries.
 */
#include "role/qmgr/queue.h"

#include "role/delivered.h"

#include "role/events.h"
#include "route/resolve.h"

static bool wants(const struct recipient *r, enum dsn_notify what)
{
    return (r->notify & (int)what) != 0;
}

/* What a success report says of it; false: none is due from us. */
static bool success(const struct recipient *r, const struct result_rcpt *x,
                    enum dsn_action *action)
{
    *action = x->outcome == OUTCOME_FORWARDED ? DSN_EXPANDED
            : x->how == SENT_RELAYED ? DSN_RELAYED : DSN_DELIVERED;
    return wants(r, NOTIFY_SUCCESS)
           && (x->outcome == OUTCOME_FORWARDED || x->how != SENT_PASSED);
}

void rcpt_result(struct queue *q, struct message *m, uint32_t index,
                 const struct result_rcpt *r)
{
    struct rcpt_state *s = &m->rcpts[index];

    memcpy(s->dsn, r->dsn, sizeof(s->dsn));
    switch (r->outcome) {
    case OUTCOME_SENT:
    case OUTCOME_FORWARDED:
        s->status = RCPT_DONE;
        /* mail that was sent on carries the wish with it */
        s->success_wanted = r->outcome == OUTCOME_SENT
                            && success(&m->envelope.recipients.p[index], r,
                                       &s->action);
        if (!s->success_wanted)
            return;
        break;
    case OUTCOME_BOUNCED:
        s->status = RCPT_FAILED;
        if (!conf_bool(q->conf, P_soft_bounce))
            break;
        s->dsn[0] = '4';
        s->status = RCPT_DEFERRED;
        break;
    default:
        s->status = RCPT_DEFERRED;
        break;
    }
    s->reason = s->status == RCPT_DONE
                    ? arena_fmt(&m->memory, "delivery via %.*s: %.*s",
                                STR(r->relay), STR(r->text))
                    : arena_str(&m->memory, r->text);
    s->remote_mta = arena_str(&m->memory, r->remote_mta);
    s->diagnostic = arena_str(&m->memory, r->diagnostic);
    s->report_to = arena_str(&m->memory, r->report_to);
}

void rcpt_settle(struct task *t, struct queue *q, struct message *m,
                 uint32_t index, const struct result_rcpt *r,
                 const char *log_name)
{
    struct delivery_line line = {
        .queue_id = queue_id_str(&m->id),
        .arrival_us = m->envelope.arrival_us,
        .dispatch_us = rt_wall(t),
        .soft_bounce = conf_bool(q->conf, P_soft_bounce),
    };
    struct arena a;

    arena_init(&a, 0);
    rcpt_result(q, m, index, r);
    delivery_say(t, arena_fmt(&a, "%.*s/%s",
                              STR(conf_str(q->conf, P_syslog_name)),
                              log_name).p,
                 &line, &m->envelope.recipients.p[index], r);
    arena_reset(&a);
}

/* Recipients that were not tried go back into the queue at once. */
static void retry_part(struct queue *q, struct part *p,
                       const struct sent_job *s, const struct result *r)
{
    struct part *again = NULL;

    for (uint32_t i = 0; i < s->n; i++) {
        if (r->rcpts[i].outcome != OUTCOME_RETRY)
            continue;
        if (!again) {
            again = part_new(p->message, p->to, s->n);
            again->passed = p->passed;
        }
        again->index[again->n++] = p->index[s->from + i];
    }
    if (again)
        next_hop_add(q, again, true);
}

/* An agent gives a recipient on to another transport (mailbox_transport); it
 * may do so once in a run, so that two cannot play ball. */
static bool pass_on(struct queue *q, const struct part *p, uint32_t index,
                    str spec)
{
    struct message *m = p->message;
    struct transport *tr;
    struct part *next;
    str name, nexthop;

    resolve_split(spec, &name, &nexthop);
    tr = transport_find(q, name);
    if (!tr || p->passed)
        return false;
    if (str_empty(nexthop))
        nexthop = m->envelope.recipients.p[index].address.domain;
    next = part_new(m, next_hop_get(q, tr, nexthop), 1);
    next->passed = true;
    next->index[next->n++] = index;
    next_hop_add(q, next, false);
    return true;
}

static void pass_part(struct task *t, struct queue *q, struct part *p,
                      const struct sent_job *s, const struct result *r)
{
    struct message *m = p->message;
    struct delivery_line line = {
        .queue_id = queue_id_str(&m->id),
        .arrival_us = m->envelope.arrival_us,
        .dispatch_us = rt_wall(t),
    };
    struct result_rcpt failed = {
        .outcome = OUTCOME_DEFERRED, .dsn = "4.3.5", .relay = S("none"),
        .text = S("mail transport unavailable"),
    };

    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t index = p->index[s->from + i];
        if (r->rcpts[i].outcome != OUTCOME_PASS
            || pass_on(q, p, index, r->rcpts[i].text))
            continue;
        rcpt_result(q, m, index, &failed);
        delivery_say(t, "postfix/error", &line,
                     &m->envelope.recipients.p[index], &failed);
    }
}

err result_take(struct task *t, struct queue *q, struct sent_job *s,
                const struct result *r)
{
    struct part *p = s->part;
    struct message *m = p->message;
    bool alone = m->envelope.recipients.n == 1;

    for (uint32_t i = 0; i < s->n; i++)
        if (r->rcpts[i].outcome < OUTCOME_RETRY)
            rcpt_result(q, m, p->index[s->from + i], &r->rcpts[i]);
    if (r->destination_dead)
        next_hop_failed(t, q, p->to, r->rcpts[0].dsn, r->dead_reason);
    else
        next_hop_works(p->to);
    retry_part(q, p, s, r);
    pass_part(t, q, p, s, r);
    /* a single recipient's end is the message's */
    return alone ? OK : message_note_done(t, q, m, p->index + s->from, s->n);
}

err part_give_up(struct task *t, struct queue *q, struct part *p,
                 const struct result_rcpt *r, const char *log_name)
{
    while (p->at < p->n)
        rcpt_settle(t, q, p->message, p->index[p->at++], r, log_name);
    if (p->n_jobs == 0)
        part_done(t, q, p);
    return OK;
}

struct run_end {
    struct queue *queue;
    struct message *message;
};

static err end_run(struct task *t, void *arg)
{
    struct run_end *r = arg;
    struct queue *q = r->queue;
    err e = message_run_end(t, q, r->message);

    heap_free(r);
    if (e && e != ERR_STOPPED) {
        q->failed = true;
        role_ring(q->role);
    }
    return e;
}

/* The end of a run may wait for room in the spool: a task of its own. */
void part_done(struct task *t, struct queue *q, struct part *p)
{
    struct message *m = p->message;
    struct run_end *r;

    (void)t;
    part_free(p);
    if (--m->n_parts > 0)
        return;
    r = heap_new(struct run_end);
    *r = (struct run_end){ q, m };
    group_go(&q->group, "run end", end_run, r);
}
