/* SPDX-License-Identifier: ISC
 *
 * Lists in DNS that refuse (RBL, RHSBL) or permit (DNSWL, RHSWL), and the
 * words in which a refusal is put (default_rbl_reply, rbl_reply_maps).
 */
#include "policy/judge.h"

#include "mail/host.h"

/* --- asking --------------------------------------------------------------- */

/* Whether the list has an entry that counts. */
static bool listed(struct task *t, struct judge *j, const struct zone *z,
                   str query, bool *failed)
{
    struct dns_answer x;

    judge_dns(t, j, query, DNS_A, &x);
    *failed = dns_temporary(&x);
    if (*failed)
        judge_warn(t, j, "%.*s: RBL lookup error: Host or domain name not "
                         "found. Name service error for name=%.*s type=A: "
                         "Host not found, try again", STR(query),
                   STR(query));
    for (size_t i = 0; dns_found(&x) && i < x.n; i++)
        if (x.p[i].type == DNS_A && x.p[i].address.kind == ENDPOINT_IP4
            && zone_matches(z, x.p[i].address.ip))
            return true;
    return false;
}

/* What the list says about its entry. */
static str reason_of(struct task *t, struct judge *j, str query)
{
    struct dns_answer x;

    judge_dns(t, j, query, DNS_TXT, &x);
    return dns_found(&x) && x.n > 0 ? table_printable(j->a, x.p[0].data)
                                    : S("");
}

/* --- the reply ------------------------------------------------------------ */

struct listing {
    const struct rule *rule;
    const struct subject *subject;
    str what, reason;
};

static str expanded(struct judge *j, const struct listing *l, str text)
{
    const struct policy_word own[] = {
        { "rbl_code", conf_raw(j->p->conf, P_maps_rbl_reject_code) },
        { "rbl_domain", l->rule->zone.domain },
        { "rbl_class", str_from(l->subject->class) },
        { "rbl_what", l->what },
        { "rbl_reason", l->reason },
        { "rbl_txt", l->reason },
    };

    return judge_expand(j, text, own, sizeof(own) / sizeof(*own));
}

static enum outcome refuse(struct task *t, struct judge *j,
                           const struct listing *l)
{
    str text = conf_raw(j->p->conf, P_default_rbl_reply), own = S("");
    struct reply r;
    err e = ERR_ABSENT;

    if (maps_any(&j->p->rbl_replies))
        e = maps_find(t, &j->p->rbl_replies, l->rule->argument, j->a, &own);
    if (e == OK)
        text = own;
    text = expanded(j, l, text);
    if (!reply_parse(text, &r) || r.code < 400) {
        judge_warn(t, j, "rbl response code configuration error: %.*s",
                   STR(text));
        r = REPLY(450, "4.7.1", "Service unavailable");
    }
    if (!r.dsn[0])
        r = reply_fmt(j->a, r.code, r.code < 500 ? "4.7.1" : "5.7.1", "%.*s",
                      STR(r.text));
    if (str_empty(r.text))
        r.text = S("Service unavailable");
    dsn_fix(r.dsn, l->subject->class);
    return judge_refuse(t, j, r);
}

/* --- the words ------------------------------------------------------------ */

/* The domain of a name or address that a list can be asked about. */
static bool askable(str what, str *domain)
{
    size_t at = str_rchr(what, '@');
    size_t dot;

    *domain = at == STR_NONE ? what : str_skip(what, at + 1);
    dot = str_rchr(*domain, '.');
    return host_valid(*domain, true)
           && str_span(dot == STR_NONE ? *domain : str_skip(*domain, dot + 1),
                       S("0123456789")) != STR_NONE;
}

/* The name to ask for; false: there is nothing to ask. */
static bool query_of(struct judge *j, const struct rule *r, str text,
                     str *query)
{
    bool by_address = r->operation == DO_RBL || r->operation == DO_DNSWL;
    struct endpoint client;
    str domain;

    if (by_address) {
        if (endpoint_parse(j->f->client_address, 0, &client))
            return false;
        *query = dns_reverse_name(&client, r->zone.domain, j->a);
        return true;
    }
    if (str_ieq(text, S("unknown")) || !askable(text, &domain))
        return false;
    *query = arena_fmt(j->a, "%.*s.%.*s", STR(domain), STR(r->zone.domain));
    return true;
}

/* A permitting list does not open a relay. */
static enum outcome permit(struct task *t, struct judge *j,
                           const struct rule *r, const struct subject *s,
                           str query)
{
    bool failed, ours = true;
    enum outcome out = OUT_DUNNO;

    if (j->f->has_recipient)
        out = judge_auth_destination(t, j, &ours);
    if (out != OUT_DUNNO || !ours)
        return out;
    if (listed(t, j, &r->zone, query, &failed))
        return OUT_PERMIT;
    if (failed)
        judge_defer_if_reject(j, judge_reply(j, s, 450, "4.7.1",
                                             S("Service unavailable")));
    return OUT_DUNNO;
}

enum outcome judge_dnslist(struct task *t, struct judge *j,
                           const struct rule *r)
{
    struct listing l = { .rule = r };
    bool by_address = r->operation == DO_RBL || r->operation == DO_DNSWL;
    struct subject s;
    str text, query;
    bool failed;

    if (!judge_about(j, r->about, &text, &s) || str_empty(text)
        || !query_of(j, r, text, &query))
        return OUT_DUNNO;
    l.what = by_address ? j->f->client_address : text;
    if (r->operation == DO_DNSWL || r->operation == DO_RHSWL)
        return permit(t, j, r, &(struct subject){ l.what, s.class }, query);
    if (!listed(t, j, &r->zone, query, &failed))
        return OUT_DUNNO;
    l.subject = &s;
    l.reason = reason_of(t, j, query);
    return refuse(t, j, &l);
}
