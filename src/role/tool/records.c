/* SPDX-License-Identifier: ISC
 *
 * Asking for the records of this host and of its domains.
 */
#include "role/tool/records.h"

#include "role/name_server.h"

enum { ASK_S = 5 };

err records_with_dns(struct task *t, struct records *r,
                     void (*fn)(struct task *t, struct records *r, void *arg),
                     void *arg)
{
    struct dns_settings s;
    struct task_group g;

    r->host = conf_str(r->conf, P_myhostname);
    TRY(name_server_settings(t, r->conf, &s));
    TRY(dns_open(t, r->a, &s, &r->dns));
    group_open(t, &g);
    group_go(&g, "dns", dns_run, r->dns);
    fn(t, r, arg);
    group_close(t, &g);
    return OK;
}

void records_add(struct records *r, struct record x)
{
    vec_push(r->a, &r->list, x);
}

bool records_ask(struct task *t, struct records *r, str name,
                 enum dns_type type, struct dns_answer *out,
                 enum record_state *state)
{
    when until = after_s(t, ASK_S);

    *state = RECORD_UNKNOWN;
    if (r->silent)
        return false;
    if (r->until < until)
        until = r->until;
    if (dns_ask(t, r->dns, name, type, until, r->a, out)) {
        r->silent = true;
        return false;
    }
    if (dns_temporary(out))
        return false;
    *state = dns_found(out) && out->n > 0 ? RECORD_OK : RECORD_MISSING;
    return *state == RECORD_OK;
}

static str and_then(struct records *r, str list, str more)
{
    return str_empty(list) ? more
                           : arena_fmt(r->a, "%.*s, %.*s", STR(list),
                                       STR(more));
}

/* --- the host ------------------------------------------------------------- */

/* Addresses that nobody outside can reach, those of RFC 5737 and 3849 for
 * documentation among them. */
static bool is_inner(const struct endpoint *e)
{
    static const unsigned char documents[][3] = {
        { 192, 0, 2 }, { 198, 51, 100 }, { 203, 0, 113 },
    };
    const unsigned char *p = e->ip;

    for (size_t i = 0; e->kind == ENDPOINT_IP4 && i < 3; i++)
        if (!memcmp(p, documents[i], 3))
            return true;

    if (e->kind == ENDPOINT_IP4)
        return p[0] == 0 || p[0] == 10 || p[0] == 127
               || (p[0] == 100 && (p[1] & 0xc0) == 64)
               || (p[0] == 169 && p[1] == 254)
               || (p[0] == 172 && (p[1] & 0xf0) == 16)
               || (p[0] == 192 && p[1] == 168);
    return (p[0] & 0xe0) != 0x20 /* global unicast is 2000::/3 */
           || !memcmp(p, "\x20\x01\x0d\xb8", 4);
}

static bool listens_on(const struct records *r, const struct endpoint *e)
{
    struct conf_items items = conf_items(r->conf, P_inet_interfaces);
    struct endpoint at;

    for (size_t i = 0; i < items.n; i++)
        if (str_ieq(items.p[i], S("all"))
            || (!endpoint_parse(items.p[i], 0, &at)
                && endpoint_same_address(&at, e)))
            return true;
    return false;
}

/* The addresses of kind that the host is known under outside. */
static str own_addresses(struct records *r, enum endpoint_kind kind,
                         struct addresses *out)
{
    const struct conf_facts *facts = conf_facts(r->conf);
    struct conf_items proxies = conf_items(r->conf, P_proxy_interfaces);
    struct endpoint at;
    str text = S("");

    for (size_t i = 0; i < facts->n_interfaces; i++) {
        const struct conf_interface *f = &facts->interfaces[i];
        at = (struct endpoint){ .kind = f->ipv6 ? ENDPOINT_IP6
                                                : ENDPOINT_IP4 };
        memcpy(at.ip, f->address, sizeof(at.ip));
        if (at.kind == kind && !is_inner(&at) && listens_on(r, &at))
            vec_push(r->a, out, at);
    }
    for (size_t i = 0; i < proxies.n; i++)
        if (!endpoint_parse(proxies.p[i], 0, &at) && at.kind == kind)
            vec_push(r->a, out, at);
    for (size_t i = 0; i < out->n; i++)
        text = and_then(r, text, endpoint_address(&out->p[i], r->a));
    return text;
}

static bool has_any(const struct addresses *own, const struct dns_answer *said)
{
    for (size_t i = 0; i < own->n; i++)
        for (size_t k = 0; k < said->n; k++)
            if (endpoint_same_address(&own->p[i], &said->p[k].address))
                return true;
    return false;
}

/* A or AAAA.  IPv6 is wanted only of who has it. */
static void look_at_addresses(struct task *t, struct records *r, bool ip6)
{
    enum endpoint_kind kind = ip6 ? ENDPOINT_IP6 : ENDPOINT_IP4;
    struct record x = { .type = ip6 ? "AAAA" : "A", .name = r->host };
    struct addresses own = { 0 };
    struct dns_answer said;

    x.wanted = own_addresses(r, kind, &own);
    if (records_ask(t, r, r->host, ip6 ? DNS_AAAA : DNS_A, &said, &x.state)) {
        for (size_t i = 0; i < said.n; i++) {
            vec_push(r->a, &r->addresses, said.p[i].address);
            x.found = and_then(r, x.found,
                               endpoint_address(&said.p[i].address, r->a));
        }
        if (own.n > 0 && !has_any(&own, &said))
            x.state = RECORD_DIFFERS;
        else
            x.wanted = x.found;
    } else if (ip6 && own.n == 0) {
        return;
    } else if (own.n == 0) {
        x.wanted = S("(the address of this host)");
    }
    records_add(r, x);
}

static str with_dot(struct records *r, str name)
{
    return str_ends(name, S(".")) ? name : arena_cat(r->a, name, S("."));
}

static void look_at_name(struct task *t, struct records *r,
                         const struct endpoint *address)
{
    struct record x = {
        .type = "PTR", .name = dns_reverse_name(address, S(""), r->a),
        .wanted = with_dot(r, r->host),
    };
    struct dns_answer said;

    if (records_ask(t, r, x.name, DNS_PTR, &said, &x.state)) {
        x.state = RECORD_DIFFERS;
        for (size_t i = 0; i < said.n; i++) {
            x.found = and_then(r, x.found, with_dot(r, said.p[i].name));
            if (str_ieq(said.p[i].name, r->host))
                x.state = RECORD_OK;
        }
    }
    records_add(r, x);
}

void records_of_host(struct task *t, struct records *r)
{
    size_t n;

    look_at_addresses(t, r, false);
    look_at_addresses(t, r, true);
    n = r->addresses.n;
    for (size_t i = 0; i < n; i++)
        look_at_name(t, r, &r->addresses.p[i]);
}

/* --- a domain ------------------------------------------------------------- */

void records_of_domain(struct task *t, struct records *r, str domain)
{
    struct record x = { .type = "MX", .name = domain };
    struct dns_answer said;

    x.wanted = arena_cat(r->a, S("10 "), with_dot(r, r->host));
    if (records_ask(t, r, domain, DNS_MX, &said, &x.state)) {
        x.state = RECORD_DIFFERS;
        for (size_t i = 0; i < said.n; i++) {
            x.found = and_then(r, x.found,
                               arena_fmt(r->a, "%u %.*s",
                                         said.p[i].preference,
                                         STR(with_dot(r, said.p[i].name))));
            if (str_ieq(said.p[i].name, r->host))
                x.state = RECORD_OK;
        }
    }
    records_add(r, x);
    records_spf(t, r, domain, x.state != RECORD_DIFFERS);
}
