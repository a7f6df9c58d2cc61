/* SPDX-License-Identifier: ISC
 *
 * Words about names: of the client, in HELO, in addresses; and words that
 * permit by where a client is or who it is.
 */
#include "policy/judge.h"

#include "mail/host.h"

static int code(const struct judge *j, enum param p)
{
    return (int)conf_int(j->p->conf, p);
}

/* --- the client ----------------------------------------------------------- */

static enum outcome in_networks(struct task *t, struct judge *j)
{
    err e = match_list_find(t, j->p->mynetworks, j->f->client_name,
                            j->f->client_address);

    if (e == OK)
        return OUT_PERMIT;
    return e == ERR_ABSENT ? OUT_DUNNO
                           : judge_table_error(t, j, j->here.name);
}

static enum outcome on_interface(const struct judge *j)
{
    struct endpoint client;

    if (endpoint_parse(j->f->client_address, 0, &client))
        return OUT_DUNNO;
    for (size_t i = 0; i < j->p->route->n_own; i++)
        if (endpoint_same_address(&client, &j->p->route->own[i]))
            return OUT_PERMIT;
    return OUT_DUNNO;
}

/* permit_tls_clientcerts: whoever holds a key that is listed, or shows a
 * certificate that is. */
static enum outcome listed_certificate(struct task *t, struct judge *j)
{
    const struct tls_facts *f = j->f->tls;
    str value;
    err e = maps_find(t, &j->p->certificates, f->peer_fingerprint, j->a,
                      &value);

    if (e == ERR_ABSENT)
        e = maps_find(t, &j->p->certificates, f->peer_key_fingerprint, j->a,
                      &value);
    if (e == OK)
        return OUT_PERMIT;
    return e == ERR_ABSENT ? OUT_DUNNO
                           : judge_table_error(t, j, j->here.name);
}

static enum outcome unknown_client(struct task *t, struct judge *j,
                                   bool reverse)
{
    const struct policy_facts *f = j->f;
    bool known = reverse ? !str_ieq(f->reverse_name, S("unknown"))
                         : f->name_status == 0;

    if (known)
        return OUT_DUNNO;
    return judge_refuse(
        t, j, reply_fmt(j->a, f->name_status == 4
                                  ? 450
                                  : code(j, P_unknown_client_reject_code),
                        reverse ? "4.7.1" : "4.7.25",
                        "Client host rejected: cannot find your %shostname, "
                        "[%.*s]", reverse ? "reverse " : "",
                        STR(f->client_address)));
}

/* --- HELO ----------------------------------------------------------------- */

/* One dot at the end does not count. */
static str undotted(str name)
{
    if (str_ends(name, S(".")) && !str_ends(name, S("..")))
        return str_head(name, name.n - 1);
    return name;
}

static bool utf8(const struct judge *j)
{
    return j->f->mail_params.smtputf8;
}

static enum outcome bad_literal(struct task *t, struct judge *j,
                                const struct subject *s, str name)
{
    if (name.p[0] != '[')
        name = arena_fmt(j->a, "[%.*s]", STR(name));
    if (host_literal(name, NULL))
        return OUT_DUNNO;
    return judge_refuse_subject(t, j, s,
                                code(j, P_invalid_hostname_reject_code),
                                "5.5.2", S("invalid ip address"));
}

static enum outcome unknown_host(struct task *t, struct judge *j,
                                 const struct subject *s, str name)
{
    static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX };
    bool temporary = false;
    struct dns_answer x;

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (!host_valid(name, utf8(j)))
            break;
        judge_dns(t, j, name, types[i], &x);
        if (dns_found(&x))
            return OUT_DUNNO;
        temporary = temporary || dns_temporary(&x);
    }
    if (temporary)
        return judge_defer_if_permit(
            t, j, j->p->helo_tempfail,
            judge_reply(j, s, 450, "4.7.1", S("Host not found")));
    return judge_refuse_subject(t, j, s,
                                code(j, P_unknown_hostname_reject_code),
                                "4.7.1", S("Host not found"));
}

static enum outcome helo(struct task *t, struct judge *j,
                         const struct rule *r, const struct subject *s,
                         str name)
{
    str bare = undotted(name);

    if (name.p[0] == '[')
        return bad_literal(t, j, s, name);
    switch (r->operation) {
    case DO_INVALID_HOST:
        if (host_valid(bare, utf8(j)) || host_address_valid(bare))
            return OUT_DUNNO;
        return judge_refuse_subject(t, j, s,
                                    code(j, P_invalid_hostname_reject_code),
                                    "5.5.2", S("Invalid name"));
    case DO_NON_FQDN_HOST:
        if (host_valid(bare, utf8(j)) && str_chr(bare, '.') != STR_NONE)
            return OUT_DUNNO;
        return judge_refuse_subject(t, j, s, code(j, P_non_fqdn_reject_code),
                                    "5.5.2",
                                    S("need fully-qualified hostname"));
    default:
        return unknown_host(t, j, s, name);
    }
}

static enum outcome naked_address(struct task *t, struct judge *j,
                                  const struct rule *r,
                                  const struct subject *s, str name)
{
    enum outcome out;

    judge_warn(t, j, "restriction %.*s is deprecated. Use permit_mynetworks "
                     "or permit_sasl_authenticated instead", STR(r->word));
    if (str_span(name, S("0123456789.:")) != STR_NONE)
        return OUT_DUNNO;
    out = bad_literal(t, j, s, name);
    return out == OUT_DUNNO ? OUT_PERMIT : out;
}

/* --- addresses ------------------------------------------------------------ */

static bool is_sender(const struct rule *r)
{
    return r->about == ABOUT_SENDER;
}

static enum outcome non_fqdn_address(struct task *t, struct judge *j,
                                     const struct subject *s, str text)
{
    size_t at = str_rchr(text, '@');
    str domain = at == STR_NONE ? S("") : str_skip(text, at + 1);

    if (str_starts(domain, S("[")) && str_ends(domain, S("]")))
        return OUT_DUNNO;
    domain = undotted(domain);
    if (host_valid(domain, utf8(j)) && str_chr(domain, '.') != STR_NONE)
        return OUT_DUNNO;
    return judge_refuse_subject(t, j, s, code(j, P_non_fqdn_reject_code),
                                "5.5.2", S("need fully-qualified address"));
}

/* "." as the only mail host of a domain (RFC 7505). */
static bool null_mx(const struct dns_answer *x)
{
    return dns_found(x) && x->n == 1
           && (str_empty(x->p[0].name) || str_eq(x->p[0].name, S(".")));
}

static enum outcome no_mail_there(struct task *t, struct judge *j,
                                  const struct rule *r,
                                  const struct subject *s, str domain)
{
    return judge_refuse_subject(
        t, j, s, is_sender(r) ? 550 : 556,
        is_sender(r) ? "4.7.27" : "4.1.10",
        arena_fmt(j->a, "Domain %.*s does not accept mail (nullMX)",
                  STR(domain)));
}

static enum outcome unknown_mail_host(struct task *t, struct judge *j,
                                      const struct rule *r,
                                      const struct subject *s, str domain)
{
    static const enum dns_type types[] = { DNS_MX, DNS_A, DNS_AAAA };
    const char *dsn = is_sender(r) ? "4.1.8" : "4.1.2";
    bool temporary = false;
    struct dns_answer x;

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        judge_dns(t, j, domain, types[i], &x);
        if (types[i] == DNS_MX && null_mx(&x))
            return no_mail_there(t, j, r, s, domain);
        if (dns_found(&x))
            return OUT_DUNNO;
        temporary = temporary || dns_temporary(&x);
    }
    if (temporary)
        return judge_defer_if_permit(
            t, j, j->p->address_tempfail,
            judge_reply(j, s, 450, dsn, S("Domain not found")));
    return judge_refuse_subject(t, j, s,
                                code(j, P_unknown_address_reject_code), dsn,
                                S("Domain not found"));
}

static enum outcome unknown_domain(struct task *t, struct judge *j,
                                   const struct rule *r,
                                   const struct subject *s)
{
    const struct judged_address *x;
    str domain;

    if (judge_resolve(t, j, is_sender(r), &x))
        return judge_table_error(t, j, s->name);
    domain = x->destination.recipient.domain;
    if (str_empty(domain) || domain.p[0] == '['
        || x->destination.class == CLASS_LOCAL
        || x->destination.class == CLASS_ALIAS
        || x->destination.class == CLASS_MAILBOX)
        return OUT_DUNNO;
    return unknown_mail_host(t, j, r, s, domain);
}

enum outcome judge_names(struct task *t, struct judge *j,
                         const struct rule *r)
{
    const struct policy_facts *f = j->f;
    struct subject s;
    str text;

    if (!judge_about(j, r->about, &text, &s))
        return OUT_DUNNO;
    switch (r->operation) {
    case DO_PERMIT_MYNETWORKS:
        return in_networks(t, j);
    case DO_PERMIT_INTERFACES:
        return on_interface(j);
    case DO_PERMIT_SASL:
        return OUT_PERMIT;
    case DO_PERMIT_ANY_CERT:
        return f->tls->peer_verified ? OUT_PERMIT : OUT_DUNNO;
    case DO_PERMIT_CERT:
        return listed_certificate(t, j);
    case DO_UNKNOWN_CLIENT:
    case DO_UNKNOWN_REVERSE:
        return unknown_client(t, j, r->operation == DO_UNKNOWN_REVERSE);
    case DO_PERMIT_NAKED_IP:
        return naked_address(t, j, r, &s, text);
    case DO_NON_FQDN_ADDRESS:
        return str_empty(text) ? OUT_DUNNO
                               : non_fqdn_address(t, j, &s, text);
    case DO_UNKNOWN_DOMAIN:
        return str_empty(text) ? OUT_DUNNO : unknown_domain(t, j, r, &s);
    default:
        return helo(t, j, r, &s, text);
    }
}
