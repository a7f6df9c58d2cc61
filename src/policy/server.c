/* SPDX-License-Identifier: ISC
 *
 * check_..._{a,mx,ns}_access: a table is asked about the hosts that serve a
 * domain, and about their addresses.  OK from such a table says nothing about
 * the client and is not believed.
 */
#include "policy/judge.h"

#include "mail/host.h"

enum { SERVERS_MAX = 100 };

/* The hosts to ask about; none: nothing is known. */
struct servers {
    const str *names;
    size_t n;
    bool hosts_too;         /* the names themselves are keys */
    str asked_of;           /* what was said, for warnings */
};

static const char *kind_of(const struct rule *r)
{
    return r->operation == DO_ACCESS_MX ? "MX"
         : r->operation == DO_ACCESS_NS ? "NS" : "A";
}

static void take_names(struct judge *j, const struct dns_answer *x,
                       struct servers *out)
{
    str *names = arena_array(j->a, str, x->n + 1);

    out->n = 0;
    for (size_t i = 0; i < x->n && out->n < SERVERS_MAX; i++)
        if (!str_empty(x->p[i].name) && !str_eq(x->p[i].name, S(".")))
            names[out->n++] = x->p[i].name;
    out->names = names;
}

static void itself(struct judge *j, str domain, struct servers *out)
{
    str *names = arena_array(j->a, str, 1);

    names[0] = domain;
    out->names = names;
    out->n = 1;
}

/* Name servers are those of the nearest domain that has some. */
static str find_ns(struct task *t, struct judge *j, str domain,
                   struct dns_answer *out)
{
    size_t dot;

    judge_dns(t, j, domain, DNS_NS, out);
    while ((out->outcome == DNS_NO_DATA || out->outcome == DNS_NO_NAME)
           && (dot = str_chr(domain, '.')) != STR_NONE) {
        domain = str_skip(domain, dot + 1);
        judge_dns(t, j, domain, DNS_NS, out);
    }
    return domain;
}

static bool find_servers(struct task *t, struct judge *j,
                         const struct rule *r, str domain,
                         struct servers *out)
{
    struct dns_answer x = { .outcome = DNS_FOUND };
    const char *fault;
    str asked = domain;

    out->hosts_too = r->operation != DO_ACCESS_A;
    if (r->operation == DO_ACCESS_A) {
        itself(j, domain, out);
        return true;
    }
    if (r->operation == DO_ACCESS_NS)
        asked = find_ns(t, j, domain, &x);
    else
        judge_dns(t, j, domain, DNS_MX, &x);
    if (dns_found(&x)) {
        take_names(j, &x, out);
        return true;
    }
    if (r->operation == DO_ACCESS_MX && !dns_temporary(&x)) {
        itself(j, domain, out);
        return true;
    }
    fault = dns_temporary(&x) ? "Host not found, try again"
            : x.outcome == DNS_NO_NAME ? "Host not found"
            : "Host found but no data record of requested type";
    if (!dns_temporary(&x))
        asked = out->asked_of;
    judge_warn(t, j, "Unable to look up %s host for %.*s: %s", kind_of(r),
               STR(asked), fault);
    return false;
}

/* Whether the address is of a kind that inet_protocols names. */
static bool counts(const struct judge *j, const struct dns_record *x)
{
    return (x->type == DNS_A && j->p->ip4)
           || (x->type == DNS_AAAA && j->p->ip6);
}

static bool any_counts(const struct judge *j, const struct dns_answer *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (counts(j, &x->p[i]))
            return true;
    return false;
}

/* The addresses of one host. */
static enum outcome by_host(struct task *t, struct judge *j,
                            const struct rule *r, str host,
                            const struct subject *s, bool *found)
{
    struct dns_answer x;
    enum outcome out;
    err e = ERR_END;

    *found = false;
    if (j->p->dns)
        e = dns_host(t, j->p->dns, host, after_s(t, DNS_WAIT_S), j->a, &x);
    if (e == ERR_STOPPED)
        j->stopped = true;
    if (e || !dns_found(&x) || !any_counts(j, &x)) {
        if (r->operation == DO_ACCESS_A)
            return OUT_DUNNO;
        judge_warn(t, j, "Unable to look up %s host %.*s for %s %.*s: %s",
                   kind_of(r), STR(host), s->class, STR(s->name),
                   e || dns_temporary(&x)
                       ? "Temporary failure in name resolution"
                       : x.outcome == DNS_NO_NAME
                       ? "Name or service not known"
                       : "No address associated with hostname");
        return OUT_DUNNO;
    }
    for (size_t i = 0; i < x.n; i++) {
        if (!counts(j, &x.p[i]))
            continue;
        out = access_address(t, j, r, endpoint_address(&x.p[i].address, j->a),
                             s, found);
        if (*found)
            return out;
    }
    return OUT_DUNNO;
}

static enum outcome by_servers(struct task *t, struct judge *j,
                               const struct rule *r, str text,
                               const struct subject *s)
{
    size_t at = str_rchr(text, '@');
    str domain = at == STR_NONE ? text : str_skip(text, at + 1);
    struct servers servers = { .asked_of = text };
    enum outcome out;
    bool found;

    if (!find_servers(t, j, r, domain, &servers))
        return OUT_DUNNO;
    for (size_t i = 0; i < servers.n && !j->stopped; i++) {
        if (servers.hosts_too) {
            out = access_domain(t, j, r, servers.names[i], s, &found);
            if (found)
                return out;
        }
        out = by_host(t, j, r, servers.names[i], s, &found);
        if (found)
            return out;
    }
    return OUT_DUNNO;
}

/* "[192.0.2.1]" is asked about itself. */
static enum outcome by_literal(struct task *t, struct judge *j,
                               const struct rule *r, str domain,
                               const struct subject *s)
{
    str address;
    bool found;

    if (r->operation == DO_ACCESS_NS || !host_literal(domain, &address))
        return OUT_DUNNO;
    return access_address(t, j, r, address, s, &found);
}

enum outcome judge_server(struct task *t, struct judge *j,
                          const struct rule *r)
{
    struct subject s;
    str text, domain;
    size_t at;

    if (!judge_about(j, r->about, &text, &s) || str_empty(text))
        return OUT_DUNNO;
    if ((r->about == ABOUT_CLIENT || r->about == ABOUT_REVERSE)
        && str_ieq(text, S("unknown")))
        return OUT_DUNNO;
    at = str_rchr(text, '@');
    if (at == STR_NONE
        && (r->about == ABOUT_SENDER || r->about == ABOUT_RECIPIENT))
        return OUT_DUNNO;
    domain = at == STR_NONE ? text : str_skip(text, at + 1);
    j->never_permit = true;
    j->never_why = arena_fmt(j->a, "%.*s returns OK for %.*s", STR(r->word),
                             STR(text));
    if (str_starts(domain, S("[")))
        return by_literal(t, j, r, domain, &s);
    return by_servers(t, j, r, text, &s);
}
