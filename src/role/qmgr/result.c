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

void rcpt_result(struct message *m, uint32_t index,
                 const struct result_rcpt *r)
{
    struct rcpt_state *s = &m->rcpts[index];

    memcpy(s->dsn, r->dsn, sizeof(s->dsn));
    switch (r->outcome) {
    case OUTCOME_SENT:
    case OUTCOME_FORWARDED:
        s->status = RCPT_DONE;
        s->final = r->final;
        /* mail that was sent on carries the wish with it */
        s->success_wanted = r->outcome == OUTCOME_SENT
                            && wants(&m->envelope.recipients.p[index],
                                     NOTIFY_SUCCESS);
        if (!s->success_wanted)
            return;
        break;
    case OUTCOME_BOUNCED:
        s->status = RCPT_FAILED;
        break;
    default:
        s->status = RCPT_DEFERRED;
        break;
    }
    s->reason = arena_str(&m->memory, r->text);
    s->remote_mta = arena_str(&m->memory, r->remote_mta);
    s->diagnostic = arena_str(&m->memory, r->diagnostic);
    s->report_to = arena_str(&m->memory, r->report_to);
}

static void next_hop_died(struct task *t, struct queue *q,
                             struct next_hop *d, str reason)
{
    d->dead_until_us = rt_wall(t)
                       + conf_seconds(q->conf, P_minimal_backoff_time)
                             * 1000000;
    d->dead_reason = arena_str(q->role->memory, str_head(reason, 500));
}

/* Recipients that were not tried go back into the queue at once. */
static void retry_part(struct queue *q, struct part *p,
                       const struct sent_job *s, const struct result *r)
{
    struct part *again = heap_new(struct part);

    *again = (struct part){ .message = p->message, .to = p->to,
                            .passed = p->passed };
    again->index = heap_alloc(s->n * sizeof(*again->index));
    for (uint32_t i = 0; i < s->n; i++)
        if (r->rcpts[i].outcome == OUTCOME_RETRY)
            again->index[again->n++] = p->index[s->from + i];
    if (again->n == 0) {
        heap_free(again->index);
        heap_free(again);
        return;
    }
    again->message->n_parts++;
    list_add_first(&p->to->parts, &again->link);
    p->to->n_parts++;
    next_hop_ready(q, p->to);
}

/* An agent gives a recipient on to another transport (mailbox_transport); it
 * may do so once in a run, so that two cannot play ball. */
static bool pass_on(struct task *t, struct queue *q, const struct part *p,
                    uint32_t index, str spec)
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
    next = heap_new(struct part);
    *next = (struct part){ .message = m, .n = 1, .passed = true,
                           .to = next_hop_get(q, tr, nexthop) };
    next->index = heap_alloc(sizeof(*next->index));
    next->index[0] = index;
    m->n_parts++;
    next_hop_add(t, q, next);
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
            || pass_on(t, q, p, index, r->rcpts[i].text))
            continue;
        rcpt_result(m, index, &failed);
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
            rcpt_result(m, p->index[s->from + i], &r->rcpts[i]);
    if (r->destination_dead)
        next_hop_died(t, q, p->to, r->dead_reason);
    else
        p->to->dead_until_us = 0;
    retry_part(q, p, s, r);
    pass_part(t, q, p, s, r);
    /* a single recipient's end is the message's */
    return alone ? OK : message_note_done(t, q, m, p->index + s->from, s->n);
}

err part_give_up(struct task *t, struct queue *q, struct part *p,
                 const struct result_rcpt *r, const char *log_name)
{
    struct message *m = p->message;
    struct delivery_line line = {
        .queue_id = queue_id_str(&m->id),
        .arrival_us = m->envelope.arrival_us,
        .dispatch_us = rt_wall(t),
    };

    while (p->at < p->n) {
        uint32_t index = p->index[p->at++];
        rcpt_result(m, index, r);
        delivery_say(t, log_name, &line, &m->envelope.recipients.p[index], r);
    }
    if (p->n_jobs == 0)
        part_done(t, q, p);
    return OK;
}

static err end_run(struct task *t, void *arg)
{
    struct part *p = arg;
    struct message *m = p->message;
    struct queue *q = p->to->queue;
    err e = message_run_end(t, q, m);

    heap_free(p);
    if (e && e != ERR_STOPPED) {
        q->failed = true;
        bell_ring_all(&q->role->changed);
    }
    return e;
}

/* The end of a run may wait for room in the spool: a task of its own. */
void part_done(struct task *t, struct queue *q, struct part *p)
{
    struct message *m = p->message;

    (void)t;
    heap_free(p->index);
    p->index = NULL;
    if (--m->n_parts == 0)
        group_go(&q->group, "run end", end_run, p);
    else
        heap_free(p);
}
