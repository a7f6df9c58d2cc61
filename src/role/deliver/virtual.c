/* SPDX-License-Identifier: ISC
 *
 * virtual(8): mailboxes that tables name, owned by user ids that tables name.
 */
#include "role/deliver/deliver.h"

#include "auth/auth.h"
#include "mail/reply.h"
#include "role/deliver/mailbox.h"
#include "role/deliver/room.h"
#include "role/events.h"
#include "store/deliver.h"

enum { QUOTA_WAIT_S = 30 };

struct virtual {
    struct maps mailboxes, uids, gids, aliases;
    str base, delimiters, host;
    uint32_t minimum_uid;
    bool quotas;            /* a source of users knows some */
    struct mailbox_rules rules;
};

static err open_maps(struct task *t, struct transport *tr, enum param p,
                     struct maps *out)
{
    struct setup *s = tr->setup;

    return maps_open_flags(t, s->tables, s->memory, conf_param(p)->name,
                           conf_str(tr->conf, p), TABLE_NO_GROUPS, out);
}

/* Users of the system have no quota of ours. */
static bool quotas_known(const struct conf *c)
{
    struct conf_items all = conf_items(c, P_auth_sources);

    for (size_t i = 0; i < all.n; i++)
        if (!str_eq(all.p[i], S("shadow")))
            return true;
    return false;
}

static err virtual_open(struct task *t, struct transport *tr)
{
    struct virtual *v = arena_new(tr->setup->memory, struct virtual);
    const struct conf *c = tr->conf;

    v->base = conf_str(c, P_virtual_mailbox_base);
    v->delimiters = conf_str(c, P_recipient_delimiter);
    v->minimum_uid = (uint32_t)conf_int(c, P_virtual_minimum_uid);
    TRY(mailbox_rules_read(t, c, P_virtual_mailbox_lock,
                           P_virtual_mailbox_limit, &v->rules));
    v->quotas = tr->setup->deliver->auth && quotas_known(c);
    TRY(open_maps(t, tr, P_virtual_mailbox_maps, &v->mailboxes));
    TRY(open_maps(t, tr, P_virtual_uid_maps, &v->uids));
    TRY(open_maps(t, tr, P_virtual_gid_maps, &v->gids));
    TRY(maps_open(t, tr->setup->tables, tr->setup->memory,
                  conf_param(P_virtual_alias_maps)->name,
                  conf_str(tr->conf, P_virtual_alias_maps), &v->aliases));
    tr->self = v;
    return OK;
}

static err find(struct task *t, struct run *r, const struct maps *m,
                str address, str *value)
{
    const struct virtual *v = r->transport->self;

    return maps_find_address(t, m, address, v->delimiters,
                             MAPS_FULL | MAPS_AT_DOMAIN, &r->memory, value,
                             NULL);
}

/* A user or group id from its table.  False: *x says what is wrong. */
static bool find_id(struct task *t, struct run *r, const struct maps *m,
                    const char *what, str address, uint64_t least,
                    uint32_t *id, struct result_rcpt *x)
{
    uint64_t n;
    str value;
    err e = find(t, r, m, address, &value);
    str wrong;

    if (e && e != ERR_ABSENT) {
        *x = run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                         S("temporary table failure"));
        wrong = arena_str(&r->memory, str_from(task_why(t)));
    } else {
        *x = run_verdict(r, OUTCOME_DEFERRED, "4.3.5",
                         S("mail system configuration error"));
        if (!e && str_uint(str_trim(value), UINT32_MAX - 1, &n)
            && n >= least) {
            *id = (uint32_t)n;
            return true;
        }
        wrong = e ? arena_fmt(&r->memory, "recipient %.*s: not found in "
                              "%.*s", STR(address), STR(m->title))
                  : arena_fmt(&r->memory, "recipient %.*s: bad %s %.*s in "
                              "%.*s", STR(address), what, STR(value),
                              STR(m->title));
    }
    run_warn(t, r, wrong);
    return false;
}

/* The quota of whom the mailbox is, with or without the address' extension;
 * mailstore_quota for whom no source gives one, and for users of the host 0
 * without it: the one that stands in the Maildir. */
static err find_quota(struct task *t, struct run *r, const struct address *to,
                      uint64_t *quota)
{
    const struct virtual *v = r->transport->self;
    struct auth *auth = r->transport->setup->deliver->auth;
    when until = after_s(t, QUOTA_WAIT_S);
    struct auth_question q = { .service = S("smtp"), .user = to->text };
    str user, extension;
    struct auth_user found;
    err e;

    *quota = v->rules.quota;
    if (!v->quotas)
        return OK;
    e = auth_find(t, auth, &q, until, &r->memory, &found);
    if (e == ERR_ABSENT
        && address_split(to->local, v->delimiters, false, &user,
                         &extension)) {
        q.user = arena_fmt(&r->memory, "%.*s@%.*s", STR(user),
                           STR(to->domain));
        e = auth_find(t, auth, &q, until, &r->memory, &found);
    }
    if (e == ERR_ABSENT)
        return OK;
    if (!e)
        *quota = found.quota ? found.quota
                 : v->rules.quota ? v->rules.quota : QUOTA_NONE;
    return e;
}

/* The recipient's mailbox.  False: *x says why there is none, or none now. */
static bool find_box(struct task *t, struct run *r,
                     const struct recipient *to, struct mailbox *box,
                     struct result_rcpt *x)
{
    const struct virtual *v = r->transport->self;
    str address = arena_lower(&r->memory, to->address.text), value;
    err e = find(t, r, &v->mailboxes, address, &value);

    *box = (struct mailbox){
        .rules = &v->rules,
        .user = address,
        .delivered_to = to->address,
        .original = to->original,
        .delivered = true,
        .own = conf_bool(r->transport->conf, P_strict_mailbox_ownership),
        .make_dirs = true,
    };
    if (e == ERR_ABSENT) {
        *x = run_verdict(r, OUTCOME_BOUNCED, "5.1.1",
                         arena_fmt(&r->memory, "unknown user: \"%.*s\"",
                                   STR(address)));
        return false;
    }
    if (e) {
        run_warn(t, r, str_from(task_why(t)));
        *x = run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                         S("temporary table failure"));
        return false;
    }
    if (!find_id(t, r, &v->uids, "uid", address, v->minimum_uid,
                 &box->owner.uid, x)
        || !find_id(t, r, &v->gids, "gid", address, 1, &box->owner.gid, x))
        return false;
    if (find_quota(t, r, &to->address, &box->quota)) {
        run_warn(t, r, str_from(task_why(t)));
        *x = run_verdict(r, OUTCOME_DEFERRED, "4.3.0",
                         S("the user's quota is not known now"));
        return false;
    }
    box->path = arena_fmt(&r->memory, "%.*s/%.*s", STR(v->base), STR(value));
    return true;
}

static struct result_rcpt deliver_one(struct task *t, struct run *r,
                                      const struct recipient *to)
{
    struct mailbox box;
    struct result_rcpt x;

    return find_box(t, r, to, &box, &x) ? mailbox_deliver(t, r, &box) : x;
}

/* An alias is somebody else's mailbox, or several. */
bool virtual_room(struct task *t, struct run *r, const struct address *to,
                  uint64_t size)
{
    const struct virtual *v = r->transport->self;
    struct recipient rcpt = { .address = *to };
    struct mailbox box;
    struct result_rcpt x;
    str address = arena_lower(&r->memory, to->text), value;

    if (find(t, r, &v->aliases, address, &value) != ERR_ABSENT
        || find(t, r, &v->mailboxes, address, &value))
        return true;
    return !find_box(t, r, &rcpt, &box, &x)
           || mailbox_room(t, r, &box, size);
}

static void virtual_deliver(struct task *t, struct run *r)
{
    const struct envelope *env = &r->job.envelope;

    for (uint32_t i = 0; i < env->recipients.n; i++) {
        const struct recipient *to = &env->recipients.p[i];
        struct result_rcpt x = deliver_one(t, r, to);
        run_settle(r, i, x);
        run_say(t, r, i, NULL, &x);
    }
}

const struct agent agent_virtual = {
    S_INIT("virtual"), virtual_open, virtual_deliver, true,
};
