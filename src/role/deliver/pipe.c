/* SPDX-License-Identifier: ISC
 *
 * pipe(8): mail given to a command that a line of master.cf names.
 *
 * With flags D or O each recipient has a delivery of its own, whatever the
 * recipient limit, since its fields are for one.
 */
#include "role/deliver/command.h"
#include "role/deliver/local.h"
#include "role/deliver/pipe_args.h"

#include <paths.h>

enum { SAID_MAX = 100 };

struct pipe {
    struct pipe_args args;
    struct owner owner;
    uint32_t time_limit_s;
    vec_of(str) env;
};

/* PATH, and what export_environment sets. */
static void read_environment(struct arena *a, const struct conf *c,
                             struct pipe *p)
{
    struct conf_items items = conf_items(c, P_export_environment);

    vec_push(a, &p->env, S("PATH=" _PATH_DEFPATH));
    for (size_t i = 0; i < items.n; i++) {
        str x = items.p[i];
        if (x.n > 1 && x.p[0] == '{')
            x = str_trim(str_head(str_skip(x, 1), x.n - 2));
        if (str_chr(x, '=') != STR_NONE)
            vec_push(a, &p->env, x);
        else if (str_eq(x, S("MAIL_CONFIG")))
            vec_push(a, &p->env, arena_cat(a, S("MAIL_CONFIG="),
                                           conf_dir(c)));
    }
}

static err pipe_open(struct task *t, struct transport *tr)
{
    struct arena *a = tr->setup->memory;
    struct pipe *p = arena_new(a, struct pipe);
    struct user u;
    str complaint;

    if (pipe_args_read(tr->service, a, &p->args, &complaint))
        return why(t, ERR_SYNTAX, "%.*s", STR(complaint));
    TRY(local_user_parse(t, tr, p->args.user, a, &u));
    p->owner = (struct owner){ u.uid, u.gid, p->args.chroot };
    p->time_limit_s = (uint32_t)conf_transport_seconds(
        tr->conf, tr->name, S("_time_limit"), P_command_time_limit);
    read_environment(a, tr->conf, p);
    tr->self = p;
    return OK;
}

static struct result_rcpt run_it(struct task *t, struct run *r,
                                 const struct recipient *to, size_t n)
{
    const struct pipe *p = r->transport->self;
    const struct pipe_args *args = &p->args;
    const struct conf *c = r->transport->conf;
    struct pipe_facts facts = {
        .envelope = &r->job.envelope, .recipients = to, .n_recipients = n,
        .queue_id = r->job.queue_id, .nexthop = r->job.nexthop,
        .delimiters = conf_str(c, P_recipient_delimiter),
        .owner_request_special = conf_bool(c, P_owner_request_special),
    };
    char which[5] = { 0 };
    size_t n_which = 0;
    struct marks marks = { .null = args->null_sender,
                           .null_path = args->null_sender,
                           .original = to->original,
                           .delivered_to = &to->address };
    struct body body = { .run = r, .style = {
        .eol = args->eol, .dots = args->dots,
        .quote_from = args->quote_from, .blank_end = args->blank_end } };
    struct pipe_argv argv = { { 0 } };
    struct hand_work w = {
        .kind = HAND_COMMAND, .path = args->command,
        .dir = args->directory, .time_limit_s = p->time_limit_s,
        .env = p->env.p, .n_env = (uint32_t)p->env.n,
    };

    if (args->from_line)
        which[n_which++] = 'F';
    if (args->return_path)
        which[n_which++] = 'R';
    if (args->original_to)
        which[n_which++] = 'O';
    if (args->delivered_to)
        which[n_which++] = 'D';
    body.style.head = mailbox_head(t, r, which, &marks);
    pipe_args_expand(args, &facts, &r->memory, &argv);
    w.argv = argv.list.p;
    w.n_argv = (uint32_t)argv.list.n;
    return command_run(t, r, &p->owner, &w, &body);
}

static struct result_rcpt deliver(struct task *t, struct run *r,
                                  const struct recipient *to, size_t n)
{
    const struct pipe *p = r->transport->self;
    struct arena *a = &r->memory;
    struct result_rcpt x;
    bool looped = false;
    str said;

    if (p->args.size_max && r->job.envelope.size > p->args.size_max)
        return run_verdict(r, OUTCOME_BOUNCED, "5.2.3",
                           S("message too large"));
    if (p->args.delivered_to
        && body_was_delivered_to(t, r, address_external(&to->address, a),
                                 &looped))
        return run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                           S("the message could not be read"));
    if (looped)
        return run_verdict(r, OUTCOME_BOUNCED, "5.4.6",
                           arena_fmt(a, "mail forwarding loop for %.*s",
                                     STR(to->address.text)));
    x = run_it(t, r, to, n);
    if (x.outcome != OUTCOME_SENT)
        return x;
    x.how = p->args.final ? SENT_DELIVERED : SENT_RELAYED;
    said = str_head(x.text, SAID_MAX);
    x.text = said.n ? arena_fmt(a, "delivered via %.*s service (%.*s)",
                                STR(r->transport->name), STR(said))
                    : arena_fmt(a, "delivered via %.*s service",
                                STR(r->transport->name));
    return x;
}

static void pipe_deliver(struct task *t, struct run *r)
{
    const struct pipe *p = r->transport->self;
    const struct envelope *env = &r->job.envelope;

    if (!p->args.delivered_to && !p->args.original_to) {
        run_settle_all(t, r, deliver(t, r, env->recipients.p,
                                     env->recipients.n));
        return;
    }
    for (uint32_t i = 0; i < env->recipients.n; i++) {
        struct result_rcpt x = deliver(t, r, &env->recipients.p[i], 1);
        run_settle(r, i, x);
        run_say(t, r, i, NULL, &x);
    }
}

const struct agent agent_pipe = {
    S_INIT("pipe"), pipe_open, pipe_deliver, false,
};
