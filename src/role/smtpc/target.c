/* SPDX-License-Identifier: ISC
 *
 * Where a next hop is: "[host]:port" the host itself, "[192.0.2.1]" an
 * address, "domain" its mail exchangers by preference, else the domain itself
 * (RFC 5321 section 5.1; null MX: RFC 7505); "unix:path" for LMTP.
 *
 * T1  Mail does not come back to us: where one of our own addresses is among
 *     the exchangers, those of its preference and worse are left out.
 */
#include "role/smtpc/smtpc.h"

#include "mail/host.h"
#include "role/events.h"

enum { DNS_WAIT_S = 60, EXCHANGERS_MAX = 100, SMTP_PORT = 25, LMTP_PORT = 24,
       SECURE_PORT = 465, SUBMISSION_PORT = 587 };

struct hop_name {
    str host;
    bool brackets;
    uint16_t port;
};

static bool port_of(str text, uint16_t *port)
{
    uint64_t n;

    if (str_uint(text, 65535, &n) && n > 0) {
        *port = (uint16_t)n;
        return true;
    }
    *port = str_ieq(text, S("smtp")) ? SMTP_PORT
          : str_ieq(text, S("lmtp")) ? LMTP_PORT
          : str_ieq(text, S("submission")) ? SUBMISSION_PORT
          : str_ieq(text, S("smtps")) || str_ieq(text, S("submissions"))
                ? SECURE_PORT : 0;
    return *port != 0;
}

static bool hop_parse(str nexthop, uint16_t preset, struct hop_name *out)
{
    str rest = nexthop;
    size_t end;

    *out = (struct hop_name){ .port = preset };
    if (str_starts(rest, S("inet:")))
        rest = str_skip(rest, 5);
    if (rest.n && rest.p[0] == '[') {
        end = str_chr(rest, ']');
        if (end == STR_NONE)
            return false;
        out->brackets = true;
        out->host = str_head(str_skip(rest, 1), end - 1);
        rest = str_skip(rest, end + 1);
        if (rest.n == 0)
            return out->host.n > 0;
        return rest.p[0] == ':' && port_of(str_skip(rest, 1), &out->port);
    }
    end = str_rchr(rest, ':');
    if (end != STR_NONE && !port_of(str_skip(rest, end + 1), &out->port))
        return false;
    out->host = str_head(rest, end);
    return out->host.n > 0;
}

/* What a search has found so far. */
struct search {
    struct task *t;
    struct client *c;
    const struct client_settings *l;
    struct arena *a;
    str site;
    bool detect;            /* look for ourselves: the standard port */
    struct targets *out;
};

static err nothing(struct search *s, const char *dsn, str reason)
{
    s->out->permanent = dsn[0] == '5';
    memcpy(s->out->dsn, dsn, 6);
    s->out->reason = reason;
    return OK;
}

static void add(struct search *s, str host, const struct endpoint *at,
                uint16_t port, int preference)
{
    struct target tg = { .host = host, .site = s->site, .at = *at,
                         .preference = preference };

    if (at->kind == ENDPOINT_IP4 ? !s->l->ip4
                                 : at->kind == ENDPOINT_IP6 && !s->l->ip6)
        return;
    tg.at.port = port;
    vec_push(s->a, &s->out->list, tg);
}

/* All addresses of a host.  An address in a host's place is what people write
 * into MX records, and is taken for what they mean. */
static err add_host(struct search *s, str host, uint16_t port, int preference,
                    enum dns_outcome *outcome)
{
    struct dns_answer found = { 0 };
    struct endpoint at;
    err e;

    if (!endpoint_parse(host, port, &at)) {
        *outcome = DNS_FOUND;
        say(s->t, smtpc_numeric_mx, STR(s->site), STR(host));
        add(s, host, &at, port, preference);
        return OK;
    }
    e = dns_host(s->t, s->c->dns, host, after_s(s->t, DNS_WAIT_S), s->a,
                 &found);
    if (e == ERR_STOPPED)
        return e;
    *outcome = e ? DNS_TRY_AGAIN : found.outcome;
    for (size_t i = 0; !e && i < found.n; i++)
        add(s, host, &found.p[i].address, port, preference);
    return OK;
}

static err no_host(struct search *s, str host, enum dns_outcome outcome,
                   const char *type)
{
    const char *text = outcome == DNS_NO_NAME ? "Host not found"
                     : outcome == DNS_NO_DATA || outcome == DNS_FOUND
                           ? "Host found but no data record of requested type"
                           : "Host not found, try again";

    return nothing(s, outcome == DNS_TRY_AGAIN || outcome == DNS_BOGUS
                          ? "4.4.3" : "5.4.4",
                   arena_fmt(s->a, "Host or domain name not found. Name "
                             "service error for name=%.*s type=%s: %s",
                             STR(host), type, text));
}

static const char *address_type(const struct search *s)
{
    return s->l->ip6 ? "AAAA" : "A";
}

/* --- order ---------------------------------------------------------------- */

static bool is_own(const struct search *s, const struct endpoint *e)
{
    for (size_t i = 0; i < s->l->n_own; i++)
        if (endpoint_same_address(&s->l->own[i], e))
            return true;
    return false;
}

/* T1.  *own: our best preference; INT32_MAX: none. */
static void drop_own(struct search *s, size_t from, int *own)
{
    struct targets *o = s->out;
    size_t n = from;

    *own = INT32_MAX;
    for (size_t i = from; i < o->list.n; i++)
        if (s->detect && is_own(s, &o->list.p[i].at)
            && o->list.p[i].preference < *own)
            *own = o->list.p[i].preference;
    for (size_t i = from; i < o->list.n; i++)
        if (o->list.p[i].preference < *own)
            o->list.p[n++] = o->list.p[i];
    o->list.n = n;
}

static bool is_preferred(const struct search *s, const struct target *tg)
{
    return s->l->prefer == ADDRESS_ANY
           || (s->l->prefer == ADDRESS_IP4) == (tg->at.kind == ENDPOINT_IP4);
}

static bool comes_before(const struct search *s, const struct target *x,
                         const struct target *y)
{
    if (x->preference != y->preference)
        return x->preference < y->preference;
    return is_preferred(s, x) && !is_preferred(s, y);
}

/* Those of a site by preference, equal ones in any order; at most as many as
 * smtp_mx_address_limit has it.  Insertion sort: there are few. */
static void order(struct search *s, size_t from)
{
    struct target *p = s->out->list.p;
    size_t n = s->out->list.n;

    for (size_t i = from; s->l->shuffle && i < n; i++) {
        size_t j = from + (size_t)rt_random_below(s->t, i - from + 1);
        struct target x = p[i];
        p[i] = p[j];
        p[j] = x;
    }
    for (size_t i = from + 1; i < n; i++) {
        struct target x = p[i];
        size_t j = i;
        for (; j > from && comes_before(s, &x, &p[j - 1]); j--)
            p[j] = p[j - 1];
        p[j] = x;
    }
    if (n - from > s->l->addresses_max)
        s->out->list.n = from + s->l->addresses_max;
}

static err loops(struct search *s)
{
    return nothing(s, "5.4.6", arena_fmt(s->a, "mail for %.*s loops back to "
                                         "myself", STR(s->site)));
}

/* --- kinds of next hops --------------------------------------------------- */

static err by_host(struct search *s, const struct hop_name *name)
{
    size_t from = s->out->list.n;
    enum dns_outcome outcome;
    int own;

    TRY(add_host(s, name->host, name->port, 0, &outcome));
    if (s->out->list.n == from)
        return no_host(s, name->host, outcome, address_type(s));
    drop_own(s, from, &own);
    if (s->out->list.n == from)
        return loops(s);
    order(s, from);
    return OK;
}

static err by_exchangers(struct search *s, const struct hop_name *name,
                         const struct dns_answer *mx)
{
    size_t from = s->out->list.n;
    enum dns_outcome outcome = DNS_NO_DATA;
    bool again = false;
    int own, best = INT32_MAX;

    for (size_t i = 0; i < mx->n && i < EXCHANGERS_MAX; i++) {
        const struct dns_record *r = &mx->p[i];
        best = r->preference < best ? r->preference : best;
        TRY(add_host(s, r->name, name->port, r->preference, &outcome));
        again |= outcome == DNS_TRY_AGAIN || outcome == DNS_BOGUS;
    }
    if (s->out->list.n == from && again)
        return no_host(s, mx->p[0].name, DNS_TRY_AGAIN, address_type(s));
    if (s->out->list.n == from)
        return nothing(s, s->l->defer_no_address ? "4.4.4" : "5.4.4",
                       arena_fmt(s->a, "no MX host for %.*s has a valid "
                                 "address record", STR(name->host)));
    drop_own(s, from, &own);
    if (s->out->list.n == from && own > best)
        return nothing(s, "4.4.4", arena_fmt(s->a, "unable to find primary "
                                             "relay for %.*s",
                                             STR(name->host)));
    if (s->out->list.n == from)
        return loops(s);
    order(s, from);
    return OK;
}

static err by_domain(struct search *s, const struct hop_name *name)
{
    struct dns_answer mx = { 0 };
    err e;

    if (s->l->no_dns)
        return by_host(s, name);
    e = dns_ask(s->t, s->c->dns, name->host, DNS_MX,
                after_s(s->t, DNS_WAIT_S), s->a, &mx);
    if (e == ERR_STOPPED)
        return e;
    if (e || mx.outcome == DNS_TRY_AGAIN || mx.outcome == DNS_BOGUS)
        return no_host(s, name->host, DNS_TRY_AGAIN, "MX");
    if (mx.outcome == DNS_FOUND && mx.n == 1
        && (str_empty(mx.p[0].name) || str_eq(mx.p[0].name, S("."))))
        return nothing(s, "5.1.0",
                       arena_fmt(s->a, "Domain %.*s does not accept mail "
                                 "(nullMX)", STR(name->host)));
    return mx.outcome == DNS_FOUND && mx.n > 0 ? by_exchangers(s, name, &mx)
                                               : by_host(s, name);
}

static err by_path(struct search *s, str path)
{
    str full = path.n && path.p[0] == '/' ? path
             : arena_fmt(s->a, "%.*s/%.*s",
                         STR(conf_str(s->l->conf, P_queue_directory)),
                         STR(path));
    struct target tg = { .host = conf_str(s->l->conf, P_myhostname),
                         .site = s->site, .path = path };

    if (endpoint_unix(full, &tg.at))
        return nothing(s, "4.3.5", S("bad socket name"));
    vec_push(s->a, &s->out->list, tg);
    return OK;
}

static err by_site(struct search *s)
{
    struct hop_name name;
    struct endpoint at;

    if (str_starts(s->site, S("unix:")))
        return by_path(s, str_skip(s->site, 5));
    if (!hop_parse(s->site, s->l->port, &name))
        return nothing(s, "4.3.5",
                       arena_fmt(s->a, "invalid next-hop destination: %.*s",
                                 STR(s->site)));
    s->detect = !s->l->lmtp && name.port == SMTP_PORT;
    if (!endpoint_parse(name.host, name.port, &at)) {
        if (s->detect && is_own(s, &at))
            return loops(s);
        add(s, endpoint_address(&at, s->a), &at, name.port, 0);
        return s->out->list.n > 0 ? OK
             : nothing(s, "4.4.4", S("the address family is not enabled"));
    }
    return name.brackets || s->l->lmtp ? by_host(s, &name)
                                       : by_domain(s, &name);
}

err targets_find(struct task *t, struct client *c,
                 const struct client_settings *l, str nexthop,
                 struct arena *a, struct targets *out)
{
    struct search s = { .t = t, .c = c, .l = l, .a = a, .out = out };
    str all[] = { nexthop, l->fallback };

    *out = (struct targets){ 0 };
    TRY(nothing(&s, "4.3.5", S("no next-hop destination")));
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        str rest = all[i];
        while (str_token(&rest, S(", \t\r\n"), &s.site))
            TRY(by_site(&s));
    }
    return OK;
}
