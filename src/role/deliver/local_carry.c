/* SPDX-License-Identifier: ISC
 *
 * Carrying out what was planned for a recipient.  Each leaf has its line in
 * the log; the recipient as a whole is deferred if any leaf is, else it
 * bounced if any did.
 */
#include "role/deliver/command.h"
#include "role/deliver/local.h"

enum { REASONS_MAX = 1000 };

struct carrying {
    struct run *run;
    const struct local *l;
    uint32_t i;
    struct result_rcpt whole;
    bool any;
};

static int weight(enum outcome o)
{
    return o == OUTCOME_DEFERRED ? 2 : o == OUTCOME_BOUNCED ? 1 : 0;
}

/* A report says why each member of a list failed, not just the first. */
static void add_reason(struct carrying *c, str text)
{
    if (c->whole.text.n + text.n < REASONS_MAX
        && str_find(c->whole.text, text) == STR_NONE)
        c->whole.text = arena_fmt(&c->run->memory, "%.*s; %.*s",
                                  STR(c->whole.text), STR(text));
}

static void add(void *self, const struct result_rcpt *x)
{
    struct carrying *c = self;

    if (c->any && x->outcome == OUTCOME_BOUNCED
        && c->whole.outcome == OUTCOME_BOUNCED)
        add_reason(c, x->text);
    if (!c->any || weight(x->outcome) > weight(c->whole.outcome))
        c->whole = *x;
    c->any = true;
}

static struct owner owner_of(const struct local *l, const struct user *u)
{
    u = u && u->uid ? u : &l->nobody;
    return (struct owner){ .uid = u->uid, .gid = u->gid };
}

static struct result_rcpt to_mailbox(struct task *t, struct carrying *c,
                                     const struct leaf *leaf)
{
    const struct conf *conf = c->l->conf;
    bool file = leaf->kind == LEAF_FILE;
    struct mailbox box = {
        .rules = &c->l->rules,
        .owner = owner_of(c->l, leaf->user),
        .path = leaf->text,
        .user = leaf->names.user_name,
        .sender = &leaf->at->sender,
        .delivered_to = leaf->at->delivered,
        .original = leaf->to.original,
        .delivered = c->l->delivered_in & DELIVERED_FILE,
        .own = !file && conf_bool(conf, P_strict_mailbox_ownership),
        .quota = file ? 0 : c->l->rules.quota,
        .is_file = file,
        .strict = !leaf->root_only,
    };

    return mailbox_deliver(t, c->run, &box);
}

/* The directory a command runs in. */
static err find_dir(struct task *t, struct carrying *c,
                    const struct leaf *leaf, str *dir)
{
    const struct conf *conf = c->l->conf;

    return local_expand(t, &leaf->names,
                        conf_str(conf, P_command_execution_directory),
                        conf_str(conf,
                                 P_execution_directory_expansion_filter),
                        &c->run->memory, dir, NULL);
}

static struct result_rcpt to_command(struct task *t, struct carrying *c,
                                     const struct leaf *leaf)
{
    struct run *r = c->run;
    const struct conf *conf = c->l->conf;
    struct owner owner = owner_of(c->l, leaf->user);
    struct environment env = local_environment(r, leaf);
    struct command_words words =
        command_split(leaf->text, conf_str(conf, P_local_command_shell),
                      &r->memory);
    struct marks marks = { .sender = &leaf->at->sender,
                           .null = S("MAILER-DAEMON"),
                           .original = leaf->to.original,
                           .delivered_to = &leaf->at->delivered };
    struct body body = {
        .run = r,
        .style.head = mailbox_head(t, r,
                                   c->l->delivered_in & DELIVERED_COMMAND
                                       ? "FROD" : "FRO", &marks),
    };
    struct hand_work w = {
        .kind = HAND_COMMAND, .path = leaf->text,
        .argv = words.p, .n_argv = words.n, .env = env.p, .n_env = env.n,
        .time_limit_s = (uint32_t)conf_seconds(conf, P_command_time_limit),
        .size_max = c->l->rules.size_max,
    };
    struct result_rcpt x;

    if (find_dir(t, c, leaf, &w.dir)) {
        run_warn(t, r, str_from(task_why(t)));
        return run_verdict(r, OUTCOME_DEFERRED, "4.3.5",
                           S("mail system configuration error"));
    }
    x = command_run(t, r, &owner, &w, &body);
    if (x.outcome == OUTCOME_SENT)
        x.text = arena_fmt(&r->memory, "delivered to command: %.*s",
                           STR(leaf->text));
    return x;
}

static void carry(struct task *t, struct carrying *c,
                  const struct leaf *leaf)
{
    struct result_rcpt x;

    if (leaf->kind == LEAF_VERDICT)
        x = leaf->verdict;
    else if (leaf->kind == LEAF_COMMAND)
        x = to_command(t, c, leaf);
    else
        x = to_mailbox(t, c, leaf);
    if (leaf->at->resent && !address_is_null(&leaf->at->sender))
        x.report_to = address_external(&leaf->at->sender, &c->run->memory);
    run_say(t, c->run, c->i, &leaf->to, &x);
    add(c, &x);
}

/* An empty list, or one that holds nothing but itself: nobody has got the
 * mail, and who sent it would not know. */
static void for_nobody(struct task *t, struct carrying *c)
{
    c->whole = run_verdict(c->run, OUTCOME_BOUNCED, "5.3.5",
                           S("mail system configuration error: a list or "
                             "alias without any recipient"));
    run_say(t, c->run, c->i, NULL, &c->whole);
}

void local_carry(struct task *t, struct run *r, uint32_t i,
                 const struct plan *plan)
{
    struct carrying c = { .run = r, .l = r->transport->self, .i = i };
    const struct leaf *only = plan->leaves.p;

    if (plan->leaves.n == 1 && only->kind == LEAF_PASS
        && address_same(&only->to.address,
                        &r->job.envelope.recipients.p[i].address)) {
        run_settle(r, i, run_verdict(r, OUTCOME_PASS, "", only->text));
        return;                 /* another agent has the word */
    }
    for (size_t k = 0; k < plan->leaves.n; k++)
        if (plan->leaves.p[k].kind != LEAF_FORWARD
            && plan->leaves.p[k].kind != LEAF_PASS)
            carry(t, &c, &plan->leaves.p[k]);
    local_forward(t, r, i, plan, add, &c);
    if (!c.any)
        for_nobody(t, &c);
    run_settle(r, i, c.whole);
}
