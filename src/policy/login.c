/* SPDX-License-Identifier: ISC
 *
 * Who may use which sender address (smtpd_sender_login_maps).
 */
#include "policy/judge.h"

/* The owners of the sender; ERR_ABSENT: nobody's. */
static err owners_of(struct task *t, struct judge *j, str *owners)
{
    const struct judged_address *x;
    int flags = MAPS_FULL | MAPS_AT_DOMAIN;
    err e;

    TRY(judge_resolve(t, j, true, &x));
    e = route_domain_own(t, j->p->route, x->destination.recipient.domain);
    if (e && e != ERR_ABSENT)
        return e;
    return maps_find_address(t, &j->p->login, x->destination.recipient.text,
                             j->p->route->delimiters,
                             flags | (e ? 0 : MAPS_USER), j->a, owners,
                             NULL);
}

static bool among(str owners, str user)
{
    str owner;

    while (str_token(&owners, S(", \t\r\n"), &owner))
        if (str_ieq(owner, user))
            return true;
    return false;
}

static enum outcome refuse(struct task *t, struct judge *j, str reason)
{
    return judge_refuse(
        t, j, reply_fmt(j->a, 553, "5.7.1",
                        "<%.*s>: Sender address rejected: %.*s",
                        STR(j->f->sender.text), STR(reason)));
}

/* The client is logged in: is the sender its own? */
static enum outcome logged_in(struct task *t, struct judge *j,
                              bool known_only)
{
    str user = j->f->sasl_user, owners = S("");
    err e = owners_of(t, j, &owners);

    if (e && e != ERR_ABSENT)
        return judge_table_error(t, j, j->f->sender.text);
    if ((e == ERR_ABSENT && known_only) || (!e && among(owners, user)))
        return OUT_DUNNO;
    return refuse(t, j, arena_fmt(j->a, "not owned by user %.*s",
                                  STR(user)));
}

/* It is not: is the sender somebody's? */
static enum outcome not_logged_in(struct task *t, struct judge *j)
{
    str owners;
    err e = owners_of(t, j, &owners);

    if (e == ERR_ABSENT)
        return OUT_DUNNO;
    if (e)
        return judge_table_error(t, j, j->f->sender.text);
    return refuse(t, j, S("not logged in"));
}

/* reject_sender_login_mismatch stands for two words. */
static enum outcome without_sasl(struct task *t, struct judge *j,
                                 const struct rule *r)
{
    bool both = r->operation == DO_LOGIN_MISMATCH;
    str first = both ? S("reject_authenticated_sender_login_mismatch")
                     : r->word;

    judge_warn(t, j, "restriction `%.*s' ignored: no SASL support",
               STR(first));
    if (both)
        judge_warn(t, j, "restriction `%s' ignored: no SASL support",
                   "reject_unauthenticated_sender_login_mismatch");
    return OUT_DUNNO;
}

enum outcome judge_login(struct task *t, struct judge *j,
                         const struct rule *r)
{
    bool logged = !str_empty(j->f->sasl_user);

    if (!j->p->sasl)
        return without_sasl(t, j, r);
    if (!j->f->has_sender || address_is_null(&j->f->sender)
        || !maps_any(&j->p->login))
        return OUT_DUNNO;
    if (logged && r->operation != DO_LOGIN_UNAUTHENTICATED)
        return logged_in(t, j, r->operation == DO_LOGIN_KNOWN);
    if (!logged && r->operation != DO_LOGIN_AUTHENTICATED)
        return not_logged_in(t, j);
    return OUT_DUNNO;
}
