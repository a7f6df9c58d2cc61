/* SPDX-License-Identifier: ISC
 *
 * Words about where mail goes: whether we take mail for a place at all, and
 * whether its user exists.
 */
#include "policy/judge.h"

static bool final_class(enum address_class c)
{
    return c == CLASS_LOCAL || c == CLASS_ALIAS || c == CLASS_MAILBOX;
}

enum outcome judge_auth_destination(struct task *t, struct judge *j,
                                    bool *ours)
{
    const struct judged_address *x;
    const struct destination *d;

    *ours = false;
    if (judge_resolve(t, j, false, &x))
        return judge_table_error(t, j, j->f->recipient.text);
    d = &x->destination;
    *ours = str_empty(d->recipient.domain)
            || ((!d->routed || j->p->untrusted_route)
                && (final_class(d->class) || d->class == CLASS_RELAY));
    return OUT_DUNNO;
}

static enum outcome unauth_destination(struct task *t, struct judge *j,
                                       const struct subject *s, int code,
                                       const char *dsn)
{
    bool ours;
    enum outcome out = judge_auth_destination(t, j, &ours);

    if (out != OUT_DUNNO || ours)
        return out;
    return judge_refuse(t, j, reply_fmt(j->a, code, dsn,
                                        "<%.*s>: Relay access denied",
                                        STR(s->name)));
}

/* --- backup MX ------------------------------------------------------------ */

/* Whether one of a host's addresses is of ours; or, with networks, whether
 * all of them are in that list. */
static bool host_is(struct task *t, struct judge *j, str host,
                    const struct match_list *networks)
{
    struct dns_answer x;
    err e = ERR_END;

    if (j->p->dns)
        e = dns_host(t, j->p->dns, host, after_s(t, DNS_WAIT_S), j->a, &x);
    if (e == ERR_STOPPED)
        j->stopped = true;
    if (e || !dns_found(&x))
        return false;
    for (size_t i = 0; i < x.n; i++) {
        const struct endpoint *at = &x.p[i].address;
        if (networks && match_list_find(t, networks, host,
                                        endpoint_address(at, j->a)))
            return false;
        for (size_t k = 0; !networks && k < j->p->route->n_own; k++)
            if (endpoint_same_address(at, &j->p->route->own[k]))
                return true;
    }
    return networks != NULL;
}

/* Whether we are among the mail hosts, and (permit_mx_backup_networks) the
 * best of them are where they may be. */
static bool is_backup(struct task *t, struct judge *j,
                      const struct dns_answer *x)
{
    bool listed = false;
    uint16_t best = UINT16_MAX;

    for (size_t i = 0; i < x->n; i++) {
        if (x->p[i].preference < best)
            best = x->p[i].preference;
        listed = listed || host_is(t, j, x->p[i].name, NULL);
    }
    for (size_t i = 0; listed && j->p->mx_backup_networks && i < x->n; i++)
        if (x->p[i].preference == best
            && !host_is(t, j, x->p[i].name, j->p->mx_backup_networks))
            return false;
    return listed;
}

static enum outcome mx_backup(struct task *t, struct judge *j,
                              const struct subject *s)
{
    const struct judged_address *x;
    const struct destination *d;
    struct dns_answer mx;
    str domain;

    if (judge_resolve(t, j, false, &x))
        return judge_table_error(t, j, s->name);
    d = &x->destination;
    domain = d->recipient.domain;
    if (str_empty(domain) || final_class(d->class)
        || d->class == CLASS_RELAY)
        return OUT_PERMIT;
    if ((d->routed && !j->p->untrusted_route) || domain.p[0] == '[')
        return OUT_DUNNO;
    judge_dns(t, j, domain, DNS_MX, &mx);
    if (dns_temporary(&mx)) {
        judge_defer_if_reject(j, judge_reply(
            j, s, 450, "4.4.4", S("Unable to look up mail exchanger "
                                  "information: Host not found, try "
                                  "again")));
        return OUT_DUNNO;
    }
    if (!dns_found(&mx))
        return OUT_DUNNO;
    return is_backup(t, j, &mx) ? OUT_PERMIT : OUT_DUNNO;
}

/* --- unknown users -------------------------------------------------------- */

enum outcome judge_unlisted(struct task *t, struct judge *j, bool is_sender)
{
    const struct judged_address *x;
    struct reply r = { 0 };
    str shown = is_sender ? j->f->sender.text : j->f->recipient.text;

    if (judge_resolve(t, j, is_sender, &x))
        return judge_table_error(t, j, shown);
    if (recipient_check(t, j->p->route, is_sender, shown, &x->destination,
                        j->a, &r))
        return judge_table_error(t, j, shown);
    return r.code ? judge_refuse(t, j, r) : OUT_DUNNO;
}

enum outcome judge_destination(struct task *t, struct judge *j,
                               const struct rule *r)
{
    int code = (int)conf_int(j->p->conf, P_relay_domains_reject_code);
    struct subject s;
    enum outcome out;
    bool ours, *asked;
    str text;

    if (!judge_about(j, r->about, &text, &s))
        return OUT_DUNNO;
    switch (r->operation) {
    case DO_PERMIT_AUTH_DESTINATION:
        out = judge_auth_destination(t, j, &ours);
        return out == OUT_DUNNO && ours ? OUT_PERMIT : out;
    case DO_UNAUTH_DESTINATION:
        return unauth_destination(t, j, &s, code, "5.7.1");
    case DO_DEFER_UNAUTH_DESTINATION:
        return unauth_destination(t, j, &s, code - 100, "4.7.1");
    case DO_PERMIT_MX_BACKUP:
        return mx_backup(t, j, &s);
    default:
        asked = r->about == ABOUT_SENDER ? &j->asked_sender
                                         : &j->asked_recipient;
        if (str_empty(text) || *asked)
            return OUT_DUNNO;
        *asked = j->warn_depth == 0;
        return judge_unlisted(t, j, r->about == ABOUT_SENDER);
    }
}
