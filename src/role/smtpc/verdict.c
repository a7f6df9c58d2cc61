/* SPDX-License-Identifier: ISC
 *
 * What a transaction's answers mean for each recipient.
 *
 * V1  A recipient is settled once; its line is logged then.
 * V2  What is temporary at one host is not settled while there is another
 *     host to try.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

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

static void sent(struct result_rcpt *out, const struct line *n,
                 const struct smtp_answer *ans, const struct work *w)
{
    out->outcome = OUTCOME_SENT;
    out->how = n->peer.dsn ? SENT_PASSED
             : w->l->is_final ? SENT_DELIVERED : SENT_RELAYED;
    set_dsn(out->dsn, &ans->reply);
    out->text = ans->reply.text;
    out->remote_mta = n->target.host;
    out->diagnostic = ans->reply.text;
}

static void refused(struct result_rcpt *out, const struct line *n,
                    const struct smtp_answer *ans, struct arena *a)
{
    const struct reply *r = &ans->reply;

    out->outcome = r->code / 100 == 5 ? OUTCOME_BOUNCED : OUTCOME_DEFERRED;
    set_dsn(out->dsn, r);
    out->text = arena_fmt(a, "host %.*s said: %.*s (in reply to %s)",
                          STR(n->name), STR(r->text), ans->command);
    out->remote_mta = n->target.host;
    out->diagnostic = r->text;
}

static void broken(struct task *t, struct result_rcpt *out,
                   const struct line *n, err e, struct arena *a)
{
    bool ours = e == ERR_CORRUPT || e == ERR_IO;

    out->outcome = OUTCOME_DEFERRED;
    memcpy(out->dsn, ours ? "4.3.0" : "4.4.2", 6);
    if (e == ERR_LATE)
        out->text = arena_fmt(a, "conversation with %.*s timed out while %s",
                              STR(n->name), n->peer.stage);
    else if (ours)
        out->text = arena_fmt(a, "message cannot be read: %s", task_why(t));
    else
        out->text = arena_fmt(a, "lost connection with %.*s while %s",
                              STR(n->name), n->peer.stage);
}

/* It broke the protocol, at any stage.  A code that cannot be there is for
 * good, as Postfix has it; what had none may be SMTP at the next try. */
static void wrong(struct result_rcpt *out, const struct line *n,
                  struct arena *a)
{
    const struct smtp_answer *said = &n->peer.wrong;

    out->outcome = n->peer.is_noise ? OUTCOME_DEFERRED : OUTCOME_BOUNCED;
    memcpy(out->dsn, n->peer.is_noise ? "4.5.0" : "5.5.0", 6);
    out->text = arena_fmt(a, "Protocol error: host %.*s said: %.*s (in reply "
                          "to %s)", STR(n->name), STR(said->reply.text),
                          said->command);
    out->remote_mta = n->target.host;
    out->diagnostic = said->reply.text;
}

/* Whether what went wrong may be the connection's fault and not the message's:
 * a kept one had ended, was being ended (421), or was out of step.  The text
 * was not sent whole, so that nothing comes twice. */
static bool is_stale(const struct line *n, const struct smtp_transaction *x,
                     err broke)
{
    if (n->peer.n_used < 2 || x->is_ended)
        return false;
    return x->mail.reply.code == 421
           || (broke && (!x->mail.reply.code || n->peer.wrong.command));
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

/* V1 */
static void settle(struct task *t, struct work *w, const struct line *n,
                   uint32_t index, const struct result_rcpt *r)
{
    struct delivery_line line = {
        .queue_id = w->job.queue_id,
        .arrival_us = w->job.envelope.arrival_us,
        .dispatch_us = w->job.dispatch_us,
        .start_us = w->start_us,
        .connected_us = w->connected_us,
        .soft_bounce = w->l->soft_bounce,
        .n_used = n ? n->peer.n_used : 0,
    };
    struct result_rcpt *to = &w->results[index];

    *to = *r;
    to->text = arena_str(&w->memory, r->text);
    to->relay = arena_str(&w->memory, r->relay);
    to->remote_mta = arena_str(&w->memory, r->remote_mta);
    to->diagnostic = arena_str(&w->memory, r->diagnostic);
    if (r->outcome != OUTCOME_RETRY)
        delivery_say(t, w->l->log_name, &line,
                     &w->job.envelope.recipients.p[index], to);
}

static void judge(struct task *t, const struct line *n, struct work *w,
                  const struct smtp_transaction *x, size_t i, err broke,
                  struct result_rcpt *out)
{
    const struct smtp_answer *ans = decisive(x, i, n->peer.lmtp);

    *out = (struct result_rcpt){ .relay = n->relay };
    if (is_stale(n, x, broke)) {
        out->outcome = OUTCOME_RETRY;
    } else if (ans && ans->reply.code / 100 == 2) {
        sent(out, n, ans, w);
    } else if (ans) {
        refused(out, n, ans, &w->memory);
    } else if (broke && n->peer.wrong.command) {
        wrong(out, n, &w->memory);
    } else {
        broken(t, out, n, broke ? broke : ERR_END, &w->memory);
        w->dead = true;
    }
}

/* Who is left for a recipient that was put off, V2. */
static void take_rest(struct work *w, const struct line *n)
{
    w->n_sessions = n->n_sessions;
    w->rest = (struct targets){ 0 };
    for (size_t i = 0; i < n->rest.list.n; i++) {
        struct target tg = n->rest.list.p[i];
        if (i == 0 && !str_eq(tg.site, n->target.site))
            w->n_sessions = 0;
        tg.host = arena_str(&w->memory, tg.host);
        tg.site = arena_str(&w->memory, tg.site);
        tg.path = arena_str(&w->memory, tg.path);
        vec_push(&w->memory, &w->rest.list, tg);
    }
}

void verdict(struct task *t, const struct line *n, struct work *w,
             const struct smtp_transaction *x, err broke)
{
    bool more = n->rest.list.n > 0 && broke != ERR_STOPPED;
    uint32_t left = 0;
    str said = S("");

    must(x->n_rcpts == w->n_open);
    for (uint32_t i = 0; i < w->n_open; i++) {
        struct result_rcpt r;
        judge(t, n, w, x, i, broke, &r);
        if (!more || r.outcome != OUTCOME_DEFERRED) {
            settle(t, w, n, w->open[i], &r);
            continue;
        }
        w->open[left++] = w->open[i];
        if (!str_eq(r.text, said))
            say(t, smtpc_host_failed, STR(w->job.queue_id), STR(r.text));
        said = r.text;
    }
    w->n_open = left;
    if (left > 0)
        take_rest(w, n);
}

void verdict_same(struct task *t, struct work *w, const struct line *n,
                  const struct result_rcpt *same)
{
    for (uint32_t i = 0; i < w->n_open; i++)
        settle(t, w, n, w->open[i], same);
    w->n_open = 0;
}

/* In its header, or in the addresses of this transaction (RFC 6531). */
static bool needs_utf8(const struct work *w)
{
    const struct envelope *e = &w->job.envelope;
    bool needs = (e->flags & ENVELOPE_SMTPUTF8_NEEDED) != 0
                 || !str_is_ascii(e->sender.text);

    for (uint32_t i = 0; i < w->n_open && !needs; i++)
        needs = !str_is_ascii(e->recipients.p[w->open[i]].address.text);
    return needs && (e->flags & ENVELOPE_SMTPUTF8);
}

bool verdict_fits(struct task *t, const struct line *n, struct work *w)
{
    const struct envelope *e = &w->job.envelope;
    struct result_rcpt r = { .outcome = OUTCOME_BOUNCED, .relay = n->relay };

    if (n->peer.size_max > 0 && e->size > n->peer.size_max) {
        memcpy(r.dsn, "5.3.4", 6);
        r.text = arena_fmt(&w->memory, "message size %" PRIu64 " exceeds size "
                           "limit %" PRIu64 " of server %.*s", e->size,
                           n->peer.size_max, STR(n->name));
    } else if (!n->peer.utf8 && needs_utf8(w)) {
        memcpy(r.dsn, "5.6.7", 6);
        r.text = arena_fmt(&w->memory, "SMTPUTF8 is required, but was not "
                           "offered by host %.*s", STR(n->name));
    } else {
        return true;
    }
    w->start_us = w->start_us ? w->start_us : rt_wall(t);
    verdict_same(t, w, n, &r);
    return false;
}

void verdict_end(struct client *c, struct work *w)
{
    struct result r = { .destination_dead = w->dead, .rcpts = w->results,
                        .n_rcpts = (uint32_t)w->job.envelope.recipients.n };
    struct work_on *on;

    if (w->n_open > 0 && work_is_stale(c, w))
        return;
    if (w->n_open > 0) {
        on = heap_new(struct work_on);
        *on = (struct work_on){ c, w };
        w->dead = false;
        group_go(&c->group, "next host", connection_once, on);
        return;
    }
    if (r.n_rcpts > 0)
        r.dead_reason = w->results[0].text;
    work_answer(c, w, &r);
}
