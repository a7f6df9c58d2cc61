/* SPDX-License-Identifier: ISC
 *
 * Opening, sharing and closing of ways to name servers.
 */
#include "role/lookup/resolver.h"

#include "role/name_server.h"

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

static err open_dns(struct task *t, struct resolver *r, const struct conf *c)
{
    struct arena *a = &r->memory;
    struct dns_settings s;

    TRY(name_server_settings(t, c, &s));
    s.hosts = arena_str(a, s.hosts);
    s.root_key = arena_str(a, s.root_key);
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
