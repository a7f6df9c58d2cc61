/* SPDX-License-Identifier: ISC
 *
 * What a recipient stands for: a stack of items still to be looked at, no
 * recursion.  The order of things for a local name is that of local(8):
 * aliases, .forward, mailbox_transport, mailbox_command, mailbox,
 * fallback_transport, luser_relay.
 *
 * P1  A name that stands in its own alias or .forward means the user.
 * P2  Names inside one another are LOCAL_DEPTH_MAX at most, items in all
 *     LOCAL_STEPS_MAX.
 */
#include "role/deliver/local.h"

#include "role/deliver/plan.h"
#include "route/resolve.h"
#include "route/rewrite.h"

void plan_leaf(struct planning *p, struct leaf leaf)
{
    vec_push(p->a, &p->plan->leaves, leaf);
}

static struct leaf leaf_at(const struct place *x, enum leaf_kind kind)
{
    return (struct leaf){ .kind = kind, .at = x->at, .to = *x->to,
                          .user = x->at->rights, .names = x->names };
}

void plan_verdict(struct planning *p, const struct place *x,
                  enum outcome outcome, const char *dsn, str text)
{
    struct leaf leaf = leaf_at(x, LEAF_VERDICT);

    leaf.verdict = run_verdict(p->run, outcome, dsn, text);
    plan_leaf(p, leaf);
}

void plan_later(struct task *t, struct planning *p, const struct place *x,
                const char *what)
{
    run_warn(t, p->run, str_from(task_why(t)));
    plan_verdict(p, x, OUTCOME_DEFERRED, "4.3.0", str_from(what));
}

bool plan_seen(struct planning *p, const char *what, uint64_t number, str name)
{
    str key = arena_fmt(p->a, "%s %" PRIu64 " %.*s", what, number, STR(name));

    return map_put(p->seen, key, p) != NULL;
}

/* --- what needs no user --------------------------------------------------- */

static void forward(struct planning *p, const struct place *x)
{
    struct leaf leaf = leaf_at(x, LEAF_FORWARD);

    if (!plan_seen(p, "forward", 0, arena_lower(p->a,
                                                x->to->address.text)))
        plan_leaf(p, leaf);
}

static void program(struct planning *p, const struct place *x,
                    const struct alias_action *act)
{
    bool command = act->kind == ALIAS_COMMAND;
    int allowed = command ? p->l->commands : p->l->files;
    const struct user *u = x->at->rights;
    struct leaf leaf = leaf_at(x, command ? LEAF_COMMAND : LEAF_FILE);

    if (plan_seen(p, command ? "command" : "file", u ? u->uid : UINT32_MAX,
                  act->text))
        return;
    if (!(allowed & (int)x->at->from)) {
        plan_verdict(p, x, OUTCOME_BOUNCED, "5.7.1",
                     command ? S("mail to command is restricted")
                             : S("mail to file is restricted"));
        return;
    }
    leaf.text = act->text;
    if (str_starts(act->text, S("~/"))) {
        if (!u || x->at->from != ALIAS_FROM_FORWARD) {
            plan_verdict(p, x, OUTCOME_DEFERRED, "4.3.5",
                         S("mail system configuration error"));
            return;
        }
        leaf.text = arena_cat(p->a, u->home, str_skip(act->text, 1));
    }
    plan_leaf(p, leaf);
}

/* --- items ---------------------------------------------------------------- */

/* Pushes the items of a text, the last one first, so that they come off in
 * their order. */
size_t plan_push(struct planning *p, const struct place *x,
                 const struct context *at, str text, bool lines)
{
    struct alias_actions items = { { 0 } };
    str line;

    if (!lines)
        alias_items(p->l->route, text, p->a, &items);
    while (lines && str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (!str_starts(line, S("#")))
            alias_items(p->l->route, line, p->a, &items);
    }
    for (size_t i = items.list.n; i-- > 0;) {
        struct pending one = { items.list.p[i], at, x->to, x->names };
        vec_push(p->a, &p->stack, one);
    }
    return items.list.n;
}

/* An item that is nothing: its neighbours get their mail all the same. */
static void nonsense(struct task *t, struct planning *p,
                     const struct place *x, str item)
{
    bool special = item.n > 0 && str_chr(S("|/~:"), item.p[0]) != STR_NONE;

    run_warn(t, p->run, arena_fmt(p->a, "%.*s: bad item \"%.*s\"",
                                  STR(x->at->source),
                                  STR(str_head(item, 200))));
    if (special)
        plan_verdict(p, x, OUTCOME_BOUNCED, "5.3.5",
                     S("mail system configuration error"));
    else
        plan_verdict(p, x, OUTCOME_BOUNCED, "5.1.3",
                     arena_fmt(p->a, "bad recipient address syntax: %.*s",
                               STR(str_head(item, 200))));
}

static void open_include(struct task *t, struct planning *p,
                         const struct place *x, str path)
{
    struct context *at = arena_new(p->a, struct context);
    const struct user *reader = x->at->rights, *owner;
    str text;
    err e;

    if (plan_seen(p, "include", reader ? reader->uid : UINT32_MAX, path))
        return;
    e = local_read_include(t, p->run, path, reader, &text, &owner);
    if (e == ERR_DENIED) {
        plan_verdict(p, x, OUTCOME_BOUNCED, "5.3.5",
                     S("mail system configuration error"));
        return;
    }
    if (e) {
        plan_later(t, p, x, "mail system configuration error");
        return;
    }
    *at = *x->at;
    at->from = ALIAS_FROM_INCLUDE;
    at->source = path;
    if (str_empty(at->owner))   /* each of a list is mail of its own */
        at->owner = x->to->address.text;
    at->depth++;
    if (owner)
        at->rights = owner;
    if (!(p->l->route->propagate & PROPAGATE_INCLUDE))
        at->unmatched = S("");
    else if (x->names.extension.n)
        at->unmatched = arena_cat(p->a, x->names.delimiter,
                                  x->names.extension);
    plan_push(p, x, at, text, true);
}

/* An address that came out of something: here or elsewhere. */
static void step_address(struct task *t, struct planning *p,
                         const struct pending *one)
{
    struct recipient *to = arena_new(p->a, struct recipient);
    struct address x = one->act.address;
    struct place at = { one->at, one->to, one->names };
    struct destination d;

    *to = *one->to;
    if (one->at->unmatched.n)
        err_ignore(address_join(arena_cat(p->a, x.local, one->at->unmatched),
                                x.domain, p->a, &x)); /* else too long */
    if (one->at->resent)        /* its history stays with the list */
        *to = (struct recipient){ .original = S("") };
    to->address = x;
    if (resolve(t, p->l->route, &one->at->sender, &x, p->a, &d)) {
        plan_later(t, p, &at, "address resolver failure");
        return;
    }
    if (d.bad) {
        plan_verdict(p, &at, OUTCOME_BOUNCED, "5.1.3",
                     arena_fmt(p->a, "bad recipient address syntax: %.*s",
                               STR(x.text)));
        return;
    }
    to->address = d.recipient;
    at = (struct place){ one->at, to, local_names(p->l, &d.recipient, p->a) };
    if (!str_eq(d.transport, p->l->transport->name))
        forward(p, &at);
    else if (one->act.kind == ALIAS_USER)
        plan_user(t, p, &at, true);
    else
        plan_recipient(t, p, &at);
}

void plan_address(struct task *t, struct planning *p, const struct place *x,
                  const struct context *at, const struct address *address)
{
    struct pending one = {
        .act = { .kind = ALIAS_FORWARD,
                 .address = rewrite_standard(p->l->route, REWRITE_LOCAL,
                                             address, p->a) },
        .at = at, .to = x->to, .names = x->names,
    };

    (void)t;
    vec_push(p->a, &p->stack, one);
}

static void step(struct task *t, struct planning *p,
                 const struct pending *one)
{
    struct place at = { one->at, one->to, one->names };

    switch (one->act.kind) {
    case ALIAS_COMMAND:
    case ALIAS_FILE:
        program(p, &at, &one->act);
        break;
    case ALIAS_INCLUDE:
        if (one->at->depth > LOCAL_DEPTH_MAX)
            plan_verdict(p, &at, OUTCOME_BOUNCED, "5.4.6",
                         S("include files nest too deeply"));
        else
            open_include(t, p, &at, one->act.text);
        break;
    case ALIAS_BAD:
        nonsense(t, p, &at, one->act.text);
        break;
    case ALIAS_USER:
    case ALIAS_FORWARD:
        step_address(t, p, one);
        break;
    }
}

/* --- a local recipient ---------------------------------------------------- */

/* Whether it was opened as an alias; or a verdict was given. */
static bool try_alias(struct task *t, struct planning *p,
                      const struct place *x, str name, bool stripped)
{
    bool found = false;

    if (x->at->opened.n && str_ieq(x->at->opened, name))
        return false;           /* P1 */
    if (plan_alias(t, p, x, name, stripped, &found)) {
        plan_later(t, p, x, "alias database unavailable");
        return true;
    }
    return found;
}

void plan_recipient(struct task *t, struct planning *p,
                    const struct place *given)
{
    struct context *at = arena_new(p->a, struct context);
    struct place x = *given;
    bool looped = false;

    if (plan_seen(p, "recipient", given->at->depth, x.to->address.text))
        return;
    *at = *given->at;
    x.at = at;
    if (body_was_delivered_to(t, p->run, address_external(&x.to->address,
                                                          p->a), &looped)) {
        plan_later(t, p, &x, "the message could not be read");
        return;
    }
    if (looped) {
        plan_verdict(p, &x, OUTCOME_BOUNCED, "5.4.6",
                     arena_fmt(p->a, "mail forwarding loop for %.*s",
                               STR(x.to->address.text)));
        return;
    }
    if (address_is_null(&at->delivered)
        || !conf_bool(p->l->conf, P_frozen_delivered_to))
        at->delivered = x.to->address;
    if (try_alias(t, p, &x, x.names.local, false))
        return;
    if (str_eq(x.names.local, arena_lower(p->a, conf_str(
                   p->l->conf, P_double_bounce_sender)))) {
        struct leaf leaf = leaf_at(&x, LEAF_VERDICT);
        leaf.verdict = run_verdict(p->run, OUTCOME_SENT, "2.0.0",
            S("undeliverable postmaster notification discarded"));
        leaf.verdict.relay = S("none");
        plan_leaf(p, leaf);
        return;
    }
    if (!str_eq(x.names.user_name, x.names.local)
        && try_alias(t, p, &x, x.names.user_name, true))
        return;
    if ((at->owner.n && !str_ieq(at->owner, x.names.user_name))
        || at->from == ALIAS_FROM_INCLUDE)
        forward(p, &x);         /* a status of its own for each of a list */
    else
        plan_user(t, p, &x, false);
}

void local_plan(struct task *t, struct run *r, uint32_t i, struct plan *out)
{
    const struct envelope *env = &r->job.envelope;
    struct context *at = arena_new(&r->memory, struct context);
    struct planning p = {
        .run = r, .l = r->transport->self, .a = &r->memory, .plan = out,
        .seen = map_new(&r->memory, false),
    };
    struct place x = {
        at, &env->recipients.p[i],
        local_names(p.l, &env->recipients.p[i].address, &r->memory),
    };

    at->sender = env->sender;
    plan_recipient(t, &p, &x);
    for (size_t steps = 0; p.stack.n > 0; steps++) {
        struct pending one = p.stack.p[--p.stack.n];
        if (steps == LOCAL_STEPS_MAX) {
            out->leaves.n = 0;  /* L1: all or nothing */
            plan_verdict(&p, &x, OUTCOME_BOUNCED, "5.4.6",
                         S("alias has too many members"));
            return;
        }
        step(t, &p, &one);
    }
}
