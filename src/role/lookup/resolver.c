/* SPDX-License-Identifier: ISC
 *
 * Opening, sharing and closing of ways to name servers.
 */
#include "role/lookup/resolver.h"

struct resolver {
    struct link link;
    struct resolvers *of;
    struct arena memory;
    struct task_group group;    /* dns_run */
    str words;                  /* of the configuration: who says the same
                                   shares it */
    struct dns *dns;
    size_t n_users;
};

void resolvers_init(struct resolvers *rs, struct role *r)
{
    rs->role = r;
    list_init(&rs->all);
}

/* lookup_dns_server: "192.0.2.1", "[2001:db8::1]:53", "127.0.0.1:5353". */
static err server_of(struct task *t, str text, struct endpoint *out)
{
    size_t end = str_chr(text, ']'), colon = str_rchr(text, ':');
    uint64_t port = 53;
    str address = text;

    if (colon != STR_NONE && colon != str_chr(text, ':') && end == STR_NONE)
        colon = STR_NONE; /* IPv6 without a port */
    if (colon != STR_NONE && (end == STR_NONE || colon > end)) {
        address = str_head(text, colon);
        if (!str_uint(str_skip(text, colon + 1), 65535, &port))
            port = 0;
    }
    if (port == 0 || endpoint_parse(address, (uint16_t)port, out))
        return why(t, ERR_SYNTAX, "lookup_dns_server: bad address \"%.*s\"",
                   STR(text));
    return OK;
}

static err open_dns(struct task *t, struct resolver *r, const struct conf *c)
{
    str server = conf_str(c, P_lookup_dns_server);
    struct arena *a = &r->memory;
    struct dns_settings s = {
        .hosts = arena_str(a, conf_str(c, P_lookup_hosts_file)),
        .root_key = arena_str(a, conf_str(c, P_lookup_trust_anchor_file)),
    };

    if (!str_empty(server))
        TRY(server_of(t, server, &s.server));
    return dns_open(t, a, &s, &r->dns);
}

static str words_of(const struct conf *c, struct arena *a)
{
    return arena_fmt(a, "%.*s\n%.*s\n%.*s",
                     STR(conf_str(c, P_lookup_dns_server)),
                     STR(conf_str(c, P_lookup_hosts_file)),
                     STR(conf_str(c, P_lookup_trust_anchor_file)));
}

static void leave(void *resolver)
{
    struct resolver *r = resolver;

    must(r->n_users > 0);
    if (--r->n_users == 0)
        role_changed(r->of->role); /* it sweeps */
}

static void hold(struct resolver *r, struct edition *e)
{
    r->n_users++;
    arena_own(&e->memory, leave, r);
}

static struct resolver *find(const struct resolvers *rs, str words)
{
    list_each(l, &rs->all) {
        struct resolver *r = container_of(l, struct resolver, link);
        if (str_eq(r->words, words))
            return r;
    }
    return NULL;
}

err resolver_of(struct task *t, struct resolvers *rs, struct edition *e,
                struct resolver **out)
{
    str words = words_of(e->conf, &e->memory);
    struct resolver *r = find(rs, words);

    if (!r) {
        r = heap_new(struct resolver);
        r->of = rs;
        arena_init(&r->memory, 0);
        r->words = arena_str(&r->memory, words);
        err failed = open_dns(t, r, e->conf);
        if (failed) {
            arena_reset(&r->memory);
            heap_free(r);
            return failed;
        }
        group_open(t, &r->group);
        group_go(&r->group, "dns", dns_run, r->dns);
        list_add_last(&rs->all, &r->link);
    }
    hold(r, e);
    *out = r;
    return OK;
}

struct dns *resolver_dns(const struct resolver *r)
{
    return r->dns;
}

/* Off the list first: its end is waited for. */
static void resolver_close(struct task *t, struct resolver *r)
{
    list_del(&r->link);
    group_close(t, &r->group);
    arena_reset(&r->memory);
    heap_free(r);
}

static struct resolver *unused(const struct resolvers *rs)
{
    list_each(l, &rs->all) {
        struct resolver *r = container_of(l, struct resolver, link);
        if (r->n_users == 0)
            return r;
    }
    return NULL;
}

void resolvers_sweep(struct task *t, struct resolvers *rs)
{
    struct resolver *r;

    while ((r = unused(rs)))
        resolver_close(t, r);
}

void resolvers_close(struct task *t, struct resolvers *rs)
{
    resolvers_sweep(t, rs);
    must(list_empty(&rs->all));
}
