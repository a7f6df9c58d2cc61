/* SPDX-License-Identifier: ISC
 *
 * What a transaction's answers mean for each recipient.
 */
#include "role/smtpc/smtpc.h"

enum { RETRIES_MAX = 2 };

static void set_dsn(char *to, const struct reply *r)
{
    if (r->dsn[0]) {
        memcpy(to, r->dsn, sizeof(r->dsn));
        return;
    }
    memcpy(to, r->code / 100 == 5 ? "5.0.0" : r->code / 100 == 2 ? "2.0.0"
                                                                 : "4.0.0",
           6);
}

static void sent(struct result_rcpt *out, const struct smtp_answer *ans,
                 struct arena *a)
{
    out->outcome = OUTCOME_SENT;
    set_dsn(out->dsn, &ans->reply);
    out->text = ans->reply.text;
    (void)a;
}

static void refused(struct result_rcpt *out, const struct line *n,
                    const struct smtp_answer *ans, struct arena *a)
{
    const struct reply *r = &ans->reply;
    str host = n->relay;
    size_t port = str_rchr(host, ']');

    if (port != STR_NONE)
        host = str_head(host, port + 1); /* without ":25" */
    out->outcome = r->code / 100 == 5 ? OUTCOME_BOUNCED : OUTCOME_DEFERRED;
    set_dsn(out->dsn, r);
    out->text = arena_fmt(a, "host %.*s said: %.*s (in reply to %s)",
                          STR(host), STR(r->text), ans->command);
    out->remote_mta = n->target.host;
    out->diagnostic = r->text;
}

static void broken(struct task *t, struct result_rcpt *out,
                   const struct line *n, err e, struct arena *a)
{
    str host = n->relay;
    size_t port = str_rchr(host, ']');

    if (port != STR_NONE)
        host = str_head(host, port + 1);
    out->outcome = OUTCOME_DEFERRED;
    memcpy(out->dsn, e == ERR_CORRUPT || e == ERR_IO ? "4.3.0" : "4.4.2", 6);
    if (e == ERR_LATE)
        out->text = arena_fmt(a, "conversation with %.*s timed out while %s",
                              STR(host), n->peer.stage);
    else if (e == ERR_CORRUPT || e == ERR_IO)
        out->text = arena_fmt(a, "message cannot be read: %s", task_why(t));
    else
        out->text = arena_fmt(a, "lost connection with %.*s while %s",
                              STR(host), n->peer.stage);
}

/* The first answer that decides about recipient i, or NULL. */
static const struct smtp_answer *decisive(const struct smtp_transaction *x,
                                          size_t i, bool lmtp)
{
    if (x->mail.reply.code && x->mail.reply.code / 100 != 2)
        return &x->mail;
    if (x->rcpt[i].reply.code && x->rcpt[i].reply.code / 100 != 2)
        return &x->rcpt[i];
    if (x->data.reply.code && !x->go)
        return &x->data;
    if (lmtp)
        return x->ends[i].reply.code ? &x->ends[i] : NULL;
    return x->end.reply.code ? &x->end : NULL;
}

static void log_all(struct task *t, const struct hop *h, const struct line *n,
                    const struct work *w, const struct result *r)
{
    struct delivery_line line = {
        .queue_id = w->job.queue_id,
        .arrival_us = w->job.envelope.arrival_us,
        .dispatch_us = w->job.dispatch_us,
        .start_us = w->start_us,
        .connected_us = w->connected_us,
        .n_used = n ? n->peer.n_used : 0,
    };

    for (uint32_t i = 0; i < r->n_rcpts; i++)
        if (r->rcpts[i].outcome != OUTCOME_RETRY)
            delivery_say(t, h->l->log_name, &line,
                         &w->job.envelope.recipients.p[i], &r->rcpts[i]);
}

void verdict(struct task *t, struct client *c, const struct hop *h,
             const struct line *n, struct work *w,
             const struct smtp_transaction *x, err broke)
{
    size_t count = x->n_rcpts;
    struct result_rcpt *list = arena_array(&w->memory, struct result_rcpt,
                                           count);
    struct result r = { .rcpts = list, .n_rcpts = (uint32_t)count };

    for (size_t i = 0; i < count; i++) {
        const struct smtp_answer *ans = decisive(x, i, n->peer.lmtp);
        list[i].relay = n->relay;
        if (ans && ans->reply.code / 100 == 2)
            sent(&list[i], ans, &w->memory);
        else if (ans)
            refused(&list[i], n, ans, &w->memory);
        else if (broke && !x->mail.reply.code && n->peer.n_used > 1
                 && w->job.attempts < RETRIES_MAX)
            list[i].outcome = OUTCOME_RETRY; /* an idle one had died */
        else
            broken(t, &list[i], n, broke ? broke : ERR_END, &w->memory);
    }
    log_all(t, h, n, w, &r);
    work_answer(c, w, &r);
}

void verdict_all(struct task *t, struct client *c, const struct hop *h,
                 struct work *w, const struct result_rcpt *same, bool dead)
{
    size_t count = w->job.envelope.recipients.n;
    struct result_rcpt *list = arena_array(&w->memory, struct result_rcpt,
                                           count);
    struct result r = { .destination_dead = dead, .dead_reason = same->text,
                        .rcpts = list, .n_rcpts = (uint32_t)count };

    for (size_t i = 0; i < count; i++)
        list[i] = *same;
    log_all(t, h, NULL, w, &r);
    work_answer(c, w, &r);
}
