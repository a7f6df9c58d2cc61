/* SPDX-License-Identifier: ISC
 *
 * The stages: which lists are asked when, and what one stage leaves for the
 * next.
 *
 * A refusal that defer_if_permit remembers counts for all later stages of its
 * session: each begins with what the one before had, and may be asked again
 * (HELO may be said twice).  defer_if_reject counts inside its stage only.
 */
#include "policy/judge.h"

/* A stage begins anew, with the deferral that `from' left. */
static void begin(struct judge *j, const struct policy_deferral *from)
{
    j->if_permit = from ? *from : (struct policy_deferral){ 0 };
    j->if_reject = (struct policy_deferral){ 0 };
    j->warn_depth = 0;
    j->asked_sender = j->asked_recipient = false;
}

static const struct policy_deferral *left_by(const struct judge *j, int stage)
{
    return stage < 0 || !j->f->memory ? NULL : j->f->memory->after[stage];
}

static void leave(struct judge *j, enum policy_stage stage)
{
    struct policy_memory *m = j->f->memory;

    if (!m || (!m->after[stage] && !j->if_permit.active))
        return;
    if (!m->after[stage])
        m->after[stage] = arena_new(m->arena, struct policy_deferral);
    *m->after[stage] = j->if_permit;
}

static enum outcome run(struct task *t, struct judge *j,
                        enum list_index list, str name, const char *class)
{
    const struct rule_list *l = &j->p->lists[list];

    return l->n == 0 ? OUT_DUNNO
                     : judge_list(t, j, l, (struct subject){ name, class });
}

static enum outcome client_stage(struct task *t, struct judge *j)
{
    enum outcome out;

    begin(j, NULL);
    out = run(t, j, LIST_CLIENT, j->client, "Client host");
    leave(j, POLICY_CLIENT);
    return out;
}

static enum outcome helo_stage(struct task *t, struct judge *j)
{
    enum outcome out;

    begin(j, left_by(j, POLICY_CLIENT));
    if (str_empty(j->f->helo)) {
        leave(j, POLICY_HELO);
        return OUT_DUNNO;
    }
    out = run(t, j, LIST_HELO, j->f->helo, "Helo command");
    leave(j, POLICY_HELO);
    return out;
}

static enum outcome sender_stage(struct task *t, struct judge *j)
{
    const struct policy_deferral *before = left_by(j, POLICY_HELO);
    enum outcome out;

    if (!before) /* no HELO was said */
        before = left_by(j, POLICY_CLIENT);
    begin(j, before);
    out = run(t, j, LIST_SENDER, j->f->sender.text, "Sender address");
    leave(j, POLICY_SENDER);
    if (out != OUT_REFUSED && j->p->unlisted_sender && !j->asked_sender
        && !j->discard && !address_is_null(&j->f->sender))
        out = judge_unlisted(t, j, true);
    return out;
}

/* Mail would be permitted: what was remembered decides. */
static enum outcome settle(struct task *t, struct judge *j, enum outcome out)
{
    struct policy_deferral *d = &j->if_permit;

    if (out == OUT_REFUSED || !d->active)
        return out;
    return judge_refuse(t, j, reply_fmt(j->a, d->code, d->dsn, "%.*s",
                                        (int)d->n, d->text));
}

static enum outcome delayed(struct task *t, struct judge *j, bool sender)
{
    enum outcome out = OUT_DUNNO;

    if (!j->p->delay_reject)
        return out;
    out = client_stage(t, j);
    if (out != OUT_REFUSED)
        out = helo_stage(t, j);
    if (out != OUT_REFUSED && sender)
        out = sender_stage(t, j);
    return out;
}

static enum outcome recipient_stage(struct task *t, struct judge *j)
{
    const struct policy_deferral *before;
    enum outcome out;
    bool relay_first = j->p->relay_first;
    str to = j->f->recipient.text;

    if (str_ieq(to, S("postmaster")))
        return OUT_DUNNO; /* RFC 5321 section 4.5.1 */
    out = delayed(t, j, true);
    if (out == OUT_REFUSED)
        return out;
    before = left_by(j, POLICY_SENDER);
    begin(j, before);
    out = run(t, j, relay_first ? LIST_RELAY : LIST_RECIPIENT, to,
              "Recipient address");
    if (out != OUT_REFUSED)
        out = run(t, j, relay_first ? LIST_RECIPIENT : LIST_RELAY, to,
                  "Recipient address");
    out = settle(t, j, out);
    if (out != OUT_REFUSED && j->p->unlisted_recipient && !j->asked_recipient
        && !j->discard)
        out = judge_unlisted(t, j, false);
    return out;
}

static enum outcome etrn_stage(struct task *t, struct judge *j)
{
    enum outcome out = delayed(t, j, false);

    if (out == OUT_REFUSED)
        return out;
    begin(j, left_by(j, POLICY_HELO));
    return settle(t, j, run(t, j, LIST_ETRN, j->f->etrn_domain,
                            "Etrn command"));
}

static enum outcome data_stage(struct task *t, struct judge *j,
                               enum list_index list)
{
    begin(j, NULL);
    return settle(t, j, list == LIST_DATA
                            ? run(t, j, list, S("DATA"), "Data command")
                            : run(t, j, list, S("END-OF-MESSAGE"),
                                  "End-of-data"));
}

static void ask(struct task *t, struct judge *j, enum policy_stage stage)
{
    enum outcome out = OUT_DUNNO;

    switch (stage) {
    case POLICY_CLIENT:
        out = client_stage(t, j);
        break;
    case POLICY_HELO:
        out = helo_stage(t, j);
        break;
    case POLICY_SENDER:
        out = sender_stage(t, j);
        break;
    case POLICY_RECIPIENT:
        out = recipient_stage(t, j);
        break;
    case POLICY_DATA:
        out = data_stage(t, j, LIST_DATA);
        break;
    case POLICY_END_OF_DATA:
        out = data_stage(t, j, LIST_END_OF_DATA);
        break;
    default:
        out = etrn_stage(t, j);
        break;
    }
    if (out != OUT_REFUSED)
        j->out->reply = (struct reply){ 0 };
}

err policy_judge(struct task *t, const struct policy *p,
                 enum policy_stage stage, const struct policy_facts *facts,
                 struct arena *a, struct policy_verdict *out)
{
    struct judge *j;

    *out = (struct policy_verdict){ 0 };
    if (p->delay_reject && stage <= POLICY_SENDER)
        return OK;
    j = arena_new(a, struct judge);
    j->p = p;
    j->f = facts;
    j->a = a;
    j->out = out;
    j->client = arena_fmt(a, "%.*s[%.*s]", STR(facts->client_name),
                          STR(facts->client_address));
    j->hold = facts->held;
    j->discard = facts->discarded;
    j->end_of_data = stage == POLICY_END_OF_DATA;
    ask(t, j, stage);
    return j->stopped ? why(t, ERR_STOPPED, "stopped while judging") : OK;
}

err policy_local_headers(struct task *t, const struct policy *p,
                         const struct policy_facts *f, bool *local)
{
    struct endpoint client;
    err e = ERR_ABSENT;

    *local = p->local_sasl && !str_empty(f->sasl_user);
    if (!*local && p->local_networks)
        e = match_list_find(t, p->mynetworks, f->client_name,
                            f->client_address);
    if (!*local && e == ERR_ABSENT)
        e = match_list_find(t, p->local_clients, f->client_name,
                            f->client_address);
    *local = *local || e == OK;
    if (!*local && p->local_interfaces
        && !endpoint_parse(f->client_address, 0, &client))
        for (size_t i = 0; i < p->route->n_own; i++)
            *local |= endpoint_same_address(&client, &p->route->own[i]);
    return e == ERR_ABSENT || *local ? OK : e;
}
