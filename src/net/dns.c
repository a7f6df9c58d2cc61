/* SPDX-License-Identifier: ISC
 *
 * What is asked of every kind of struct dns, and what is made of its answers:
 * the addresses of a host, the names of a client.
 */
#include "net/dns_local.h"

#include "mail/host.h"

static const struct dns_answer no_name = { .outcome = DNS_NO_NAME };

err dns_ask(struct task *t, struct dns *d, str name, enum dns_type type,
            when until, struct arena *a, struct dns_answer *out)
{
    str asked;

    must(d->magic == DNS_MAGIC);
    if (!dns_name_make(name, a, &asked)) {
        *out = no_name;
        return OK;
    }
    return d->ops->ask(t, d, asked, type, until, a, out);
}

/* --- a host's addresses -------------------------------------------------- */

struct half {
    struct dns *d;
    str name;
    when until;
    struct arena *a;
    struct dns_answer answer;
};

static err ask_ip6(struct task *t, void *arg)
{
    struct half *h = arg;

    if (h->d->ops->ask(t, h->d, h->name, DNS_AAAA, h->until, h->a,
                       &h->answer))
        h->answer = (struct dns_answer){ .outcome = DNS_TRY_AGAIN };
    return OK;
}

/* One answer from those for IPv4 and IPv6. */
static void join(const struct dns_answer *x, const struct dns_answer *y,
                 struct arena *a, struct dns_answer *out)
{
    vec_of(struct dns_record) all = { 0 };

    for (size_t i = 0; i < x->n; i++)
        vec_push(a, &all, x->p[i]);
    for (size_t i = 0; i < y->n; i++)
        vec_push(a, &all, y->p[i]);
    out->p = all.p;
    out->n = all.n;
    out->secure = x->secure && y->secure;
    out->ttl = x->ttl < y->ttl ? x->ttl : y->ttl;
    out->outcome = all.n > 0 ? DNS_FOUND
                 : dns_temporary(x) || dns_temporary(y) ? DNS_TRY_AGAIN
                 : x->outcome == DNS_NO_NAME && y->outcome == DNS_NO_NAME
                     ? DNS_NO_NAME : DNS_NO_DATA;
}

static err host_by_asking(struct task *t, struct dns *d, str name, when until,
                          struct arena *a, struct dns_answer *out)
{
    struct half six = { d, name, until, a,
                        { .outcome = DNS_TRY_AGAIN } };
    struct dns_answer four = { .outcome = DNS_TRY_AGAIN };
    struct task_group g;
    err e;

    group_open(t, &g);
    group_go(&g, "dns", ask_ip6, &six);
    e = d->ops->ask(t, d, name, DNS_A, until, a, &four);
    if (e != ERR_STOPPED && group_wait(t, &g, until) == ERR_STOPPED)
        e = ERR_STOPPED;
    group_close(t, &g);
    if (e && (e == ERR_STOPPED || !dns_found(&six.answer)))
        return e;
    join(&four, &six.answer, a, out);
    return OK;
}

/* An address written as text stands for itself. */
static bool literal(str name, struct arena *a, struct dns_answer *out)
{
    struct dns_record *r;
    struct endpoint e;

    if (!host_address_valid(name) || endpoint_parse(name, 0, &e))
        return false;
    r = arena_new(a, struct dns_record);
    r->type = e.kind == ENDPOINT_IP6 ? DNS_AAAA : DNS_A;
    r->address = e;
    *out = (struct dns_answer){ .outcome = DNS_FOUND, .p = r, .n = 1 };
    return true;
}

err dns_host(struct task *t, struct dns *d, str name, when until,
             struct arena *a, struct dns_answer *out)
{
    str asked;

    must(d->magic == DNS_MAGIC);
    if (literal(name, a, out))
        return OK;
    if (!dns_name_make(name, a, &asked)) {
        *out = no_name;
        return OK;
    }
    if (d->ops->host)
        return d->ops->host(t, d, asked, until, a, out);
    if (d->hosts) {
        hosts_refresh(t, d->hosts);
        if (hosts_find(d->hosts, asked, a, out))
            return OK;
    }
    return host_by_asking(t, d, asked, until, a, out);
}

/* --- a client's names ---------------------------------------------------- */

str dns_reverse_name(const struct endpoint *e, str suffix, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *ip = e->ip;
    char nibbles[64];

    if (e->kind == ENDPOINT_IP4)
        return arena_fmt(a, "%u.%u.%u.%u.%.*s", ip[3], ip[2], ip[1], ip[0],
                         STR(suffix.n ? suffix : S("in-addr.arpa")));
    for (size_t i = 0; i < 16; i++) {
        char *p = nibbles + 4 * (15 - i);
        p[0] = digits[ip[i] & 15];
        p[2] = digits[ip[i] >> 4];
        p[1] = p[3] = '.';
    }
    return arena_cat(a, str_of(nibbles, sizeof(nibbles)),
                     suffix.n ? suffix : S("ip6.arpa"));
}

/* The name that an address has, good or not. */
static err name_of(struct task *t, struct dns *d, const struct endpoint *e,
                   when until, struct arena *a, str *name, int *status)
{
    struct dns_answer ptr;

    *status = 0;
    if (d->hosts) {
        hosts_refresh(t, d->hosts);
        if (hosts_name(d->hosts, e, a, name))
            return OK;
    }
    TRY(d->ops->ask(t, d, dns_reverse_name(e, S(""), a), DNS_PTR, until, a,
                    &ptr));
    if (dns_found(&ptr) && host_valid(ptr.p[0].name, false))
        *name = ptr.p[0].name;
    else
        *status = dns_temporary(&ptr) ? 4 : 5;
    return OK;
}

static bool leads_to(const struct dns_answer *x, const struct endpoint *e)
{
    for (size_t i = 0; i < x->n; i++)
        if (endpoint_same_address(&x->p[i].address, e))
            return true;
    return false;
}

static err client_by_asking(struct task *t, struct dns *d,
                            const struct endpoint *client, when until,
                            struct arena *a, struct dns_names *out)
{
    struct dns_answer forward;
    str found;

    TRY(name_of(t, d, client, until, a, &found, &out->status));
    if (out->status)
        return OK;
    out->reverse = found;
    TRY(dns_host(t, d, found, until, a, &forward));
    if (leads_to(&forward, client))
        out->name = found;
    else
        out->status = dns_temporary(&forward) ? 4 : 5;
    return OK;
}

err dns_client(struct task *t, struct dns *d, const struct endpoint *client,
               when until, struct arena *a, struct dns_names *out)
{
    struct dns_names n = { S("unknown"), S("unknown"), 5 };
    err e = OK;

    must(d->magic == DNS_MAGIC);
    if (client->kind == ENDPOINT_IP4 || client->kind == ENDPOINT_IP6)
        e = (d->ops->client ? d->ops->client : client_by_asking)(
            t, d, client, until, a, &n);
    if (e == ERR_STOPPED)
        return e;
    if (e) { /* reverse is known even if there was no time for the way back */
        n.name = S("unknown");
        n.status = 4;
    }
    *out = n;
    return OK;
}
