/* SPDX-License-Identifier: ISC
 *
 * Deliveries that were under way when their queue manager died.  The next one
 * gives all mail out again that it has not heard of.  A job of it that is for
 * the same message and recipients as one that is still under way becomes that
 * one; the result of one that came to its end meanwhile is kept and answers
 * it.  So nobody gets his mail twice because the queue manager was away.
 *
 * What was deferred or refused is not kept: it may be tried again.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

enum { LATE_MAX = 8192 };

static bool same_recipients(const struct envelope *a, const struct envelope *b)
{
    if (a->recipients.n != b->recipients.n)
        return false;
    for (size_t i = 0; i < a->recipients.n; i++)
        if (!str_eq(a->recipients.p[i].address.text,
                    b->recipients.p[i].address.text))
            return false;
    return true;
}

/* A number may come again when a log was lost: it has to be this message. */
static bool same_message(const struct job *a, const struct job *b)
{
    return a->message == b->message
           && a->envelope.arrival_us == b->envelope.arrival_us
           && a->envelope.size == b->envelope.size
           && str_eq(a->envelope.sender.text, b->envelope.sender.text);
}

static bool same_job(const struct job *a, const struct job *b)
{
    return same_message(a, b) && str_eq(a->transport, b->transport)
           && same_recipients(&a->envelope, &b->envelope);
}

static void late_drop(struct client *c, struct work *w)
{
    c->n_late--;
    work_free(w);
}

/* One that is under way, without a port to answer to. */
static struct work *orphan_of(struct client *c, const struct work *w)
{
    bool any = false;

    if (!c->orphans)
        return NULL;
    list_each(l, &c->works) {
        struct work *o = container_of(l, struct work, all);
        if (o == w || work_port(c, o))
            continue;
        any = true;
        if (same_job(&o->job, &w->job))
            return o;
    }
    c->orphans = any;
    return NULL;
}

bool late_adopt(struct task *t, struct client *c, struct work *w)
{
    struct work *o = orphan_of(c, w);

    if (o) {
        o->id = w->id;
        o->queue_number = w->queue_number;
        return true;
    }
    list_each(l, &c->late) {
        o = container_of(l, struct work, all);
        if (!same_message(&o->job, &w->job))
            continue;
        if (!same_job(&o->job, &w->job)) {
            say(t, smtpc_late, STR(w->job.queue_id));
            continue;
        }
        port_answer(work_port(c, w),
                    &(struct frame){ .type = FACE_RESULT, .id = w->id,
                                     .body = o->late, .fd = -1 });
        late_drop(c, o);
        return true;
    }
    return false;
}

bool late_keep(struct client *c, struct work *w, str packed)
{
    bool sent = false;

    for (size_t i = 0; i < w->job.envelope.recipients.n; i++)
        sent |= w->results[i].outcome == OUTCOME_SENT;
    if (!sent)
        return false;
    if (w->l)
        settings_leave(w->l);
    w->l = NULL;
    w->late = arena_str(&w->memory, packed);
    list_del(&w->all);
    list_add_last(&c->late, &w->all);
    if (++c->n_late > LATE_MAX)
        late_drop(c, container_of(c->late.next, struct work, all));
    return true;
}
