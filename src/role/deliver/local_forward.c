/* SPDX-License-Identifier: ISC
 *
 * What leads elsewhere: new mail, one message for each sender and
 * Delivered-To, and for MEMBERS_MAX addresses at most.  It keeps what the old
 * one had: its client, its DSN wishes (unless the list has an owner of its
 * own), its body.  Addresses go through canonical and virtual alias mapping
 * as those of any mail do.
 */
#include "role/deliver/local.h"

#include "mail/date.h"
#include "role/events.h"
#include "route/expand.h"
#include "rt/world.h"

enum { HEAD_MAX = 8 * 1024, MEMBERS_MAX = 500 };

struct forwarding {
    struct run *run;
    const struct local *l;
    const struct context *at;
    bool *sent;                 /* leaves that are in a message */
    str date;
};

static bool leads_away(const struct leaf *leaf)
{
    return leaf->kind == LEAF_FORWARD || leaf->kind == LEAF_PASS;
}

/* Whether two leaves can go in one message. */
static bool together(const struct leaf *x, const struct leaf *y)
{
    return x->at->resent == y->at->resent
           && address_same(&x->at->sender, &y->at->sender)
           && address_same(&x->at->delivered, &y->at->delivered);
}

static str head_of(struct run *r, str queue_id, void *self)
{
    struct forwarding *f = self;
    const struct conf *c = f->l->conf;
    struct buf b;

    buf_init(&b, &r->memory, HEAD_MAX);
    buf_fmt(&b, "Received: by %.*s (%.*s)\r\n\tid %.*s; %.*s\r\n",
            STR(conf_str(c, P_myhostname)), STR(conf_str(c, P_mail_name)),
            STR(queue_id), STR(f->date));
    if (f->l->delivered_in & DELIVERED_FORWARD)
        buf_fmt(&b, "Delivered-To: %.*s\r\n",
                STR(arena_lower(&r->memory,
                                address_external(&f->at->delivered,
                                                 &r->memory))));
    return buf_str(&b);
}

static err add_recipient(struct task *t, struct expansion *x,
                         const struct leaf *leaf, struct reply *fault)
{
    struct recipient to = leaf->to;

    if (leaf->kind != LEAF_PASS) {
        to.transport = S("");
        return expand_recipient(t, x, &to, fault);
    }
    to.transport = leaf->text;  /* as it is: it was local already */
    if (str_empty(to.original))
        to.original = to.address.text;
    vec_push(x->a, &x->envelope->recipients, to);
    return OK;
}

/* The envelope of the group that leaf `first` begins. */
static err fill(struct task *t, struct forwarding *f, const struct plan *plan,
                size_t first, struct envelope *env, struct reply *fault)
{
    struct run *r = f->run;
    struct expansion x;
    size_t n = 0;

    *env = r->job.envelope;
    env->recipients.p = NULL;
    env->recipients.n = env->recipients.cap = 0;
    env->arrival_us = rt_wall(t);
    env->sender = f->at->sender;
    env->filter = S("");
    env->hops++;
    env->flags &= ~(ENVELOPE_NO_DELAY_NOTICE | ENVELOPE_HOLD
                    | ENVELOPE_DISCARD);
    if (env->hops > (uint32_t)conf_int(f->l->conf, P_hopcount_limit)) {
        *fault = REPLY(554, "5.4.6", "too many hops");
        return OK;
    }
    if (f->at->resent) {
        env->envid = S("");
        env->ret = (enum dsn_ret)0;
    }
    expand_begin(&x, f->l->route, &r->memory, EXPAND_NO_BCC, env);
    for (size_t k = first; k < plan->leaves.n && n < MEMBERS_MAX
                           && !fault->code; k++) {
        if (f->sent[k] || !leads_away(&plan->leaves.p[k])
            || !together(&plan->leaves.p[first], &plan->leaves.p[k]))
            continue;
        f->sent[k] = true;
        n++;
        TRY(add_recipient(t, &x, &plan->leaves.p[k], fault));
    }
    return OK;
}

static struct result_rcpt send_group(struct task *t, struct forwarding *f,
                               const struct plan *plan, size_t first)
{
    struct run *r = f->run;
    struct reply fault = { 0 };
    struct envelope env;
    str queue_id;
    err e = fill(t, f, plan, first, &env, &fault);

    if (!e && fault.code)
        return run_verdict(r, fault.code < 500 ? OUTCOME_DEFERRED
                                               : OUTCOME_BOUNCED,
                           fault.dsn, fault.text);
    if (!e)
        e = submitter_send(t, r, &env, head_of, f, &queue_id);
    if (!e) {                   /* a list's owner gets other reports */
        struct result_rcpt x =
            run_verdict(r, f->at->resent ? OUTCOME_SENT : OUTCOME_FORWARDED,
                        "2.0.0", arena_fmt(&r->memory, "forwarded as %.*s",
                                           STR(queue_id)));
        x.how = SENT_RELAYED;
        return x;
    }
    run_warn(t, r, str_from(task_why(t)));
    return run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                       S("unable to forward message"));
}

void local_forward(struct task *t, struct run *r, uint32_t i,
                   const struct plan *plan,
                   void (*each)(void *self, const struct result_rcpt *x),
                   void *self)
{
    struct forwarding f = { .run = r, .l = r->transport->self };
    int64_t now = rt_wall(t);

    f.sent = arena_array(&r->memory, bool, plan->leaves.n);
    f.date = date_rfc5322(&r->memory, now, world_zone_s(t, now), S(""));
    for (size_t k = 0; k < plan->leaves.n; k++) {
        const struct leaf *leaf = &plan->leaves.p[k];
        struct result_rcpt x;
        if (!leads_away(leaf) || f.sent[k])
            continue;
        f.at = leaf->at;
        x = send_group(t, &f, plan, k);
        run_say(t, r, i, NULL, &x);
        each(self, &x);
    }
}
