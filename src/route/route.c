/* SPDX-License-Identifier: ISC
 *
 * Opening a route.
 */
#include "route/route.h"

#include "mail/host.h"

#include <string.h>

/* What route_open carries about. */
struct opening {
    struct arena *a;
    const struct conf *c;
    struct tables *tables;
};

static err open_maps(struct task *t, struct opening *o, enum param p,
                     struct maps *out)
{
    return maps_open(t, o->tables, o->a, conf_param(p)->name,
                     conf_raw(o->c, p), out);
}

/* Tables whose results say how mail is transported must not be built from
 * what a client sent. */
static err open_safe_maps(struct task *t, struct opening *o, enum param p,
                          struct maps *out)
{
    return maps_open_flags(t, o->tables, o->a, conf_param(p)->name,
                           conf_raw(o->c, p), TABLE_NO_GROUPS, out);
}

static bool has_item(const struct conf *c, enum param p, str item)
{
    struct conf_items items = conf_items(c, p);

    for (size_t i = 0; i < items.n; i++)
        if (str_ieq(items.p[i], item))
            return true;
    return false;
}

/* The sum of the names that a list parameter holds. */
struct name_bit {
    str name;
    int bit;
};

static err read_bits(struct task *t, const struct conf *c, enum param p,
                     const struct name_bit *names, size_t n, int *out)
{
    struct conf_items items = conf_items(c, p);
    int bits = 0;

    for (size_t i = 0; i < items.n; i++) {
        size_t k = 0;
        while (k < n && !str_ieq(items.p[i], names[k].name))
            k++;
        if (k == n)
            return why(t, ERR_SYNTAX, "%.*s: bad value \"%.*s\"",
                       STR(conf_param(p)->name), STR(items.p[i]));
        bits |= names[k].bit;
    }
    *out = bits;
    return OK;
}

static err read_places(struct task *t, const struct conf *c, enum param p,
                       int *out)
{
    static const struct name_bit names[] = {
        { S_INIT("envelope_sender"), PLACE_ENVELOPE_SENDER },
        { S_INIT("envelope_recipient"), PLACE_ENVELOPE_RECIPIENT },
        { S_INIT("header_sender"), PLACE_HEADER_SENDER },
        { S_INIT("header_recipient"), PLACE_HEADER_RECIPIENT },
    };

    return read_bits(t, c, p, names, sizeof(names) / sizeof(*names), out);
}

static err read_propagate(struct task *t, const struct conf *c, int *out)
{
    static const struct name_bit names[] = {
        { S_INIT("canonical"), PROPAGATE_CANONICAL },
        { S_INIT("virtual"), PROPAGATE_VIRTUAL },
        { S_INIT("alias"), PROPAGATE_ALIAS },
        { S_INIT("forward"), PROPAGATE_FORWARD },
        { S_INIT("include"), PROPAGATE_INCLUDE },
        { S_INIT("generic"), PROPAGATE_GENERIC },
    };

    return read_bits(t, c, P_propagate_unmatched_extensions, names,
                     sizeof(names) / sizeof(*names), out);
}

static err open_rewriting(struct task *t, struct opening *o, struct route *r)
{
    const struct conf *c = o->c;
    struct conf_items items;
    str *lowered;

    r->myhostname = conf_raw(c, P_myhostname);
    r->mydomain = conf_raw(c, P_mydomain);
    r->myorigin = conf_raw(c, P_myorigin);
    r->remote_domain = conf_raw(c, P_remote_header_rewrite_domain);
    r->delimiters = conf_raw(c, P_recipient_delimiter);
    r->at_myorigin = conf_bool(c, P_append_at_myorigin);
    r->dot_mydomain = conf_bool(c, P_append_dot_mydomain);
    r->swap_bangpath = conf_bool(c, P_swap_bangpath);
    r->percent_hack = conf_bool(c, P_allow_percent_hack);
    r->owner_request_special = conf_bool(c, P_owner_request_special);
    TRY(read_propagate(t, c, &r->propagate));
    TRY(open_maps(t, o, P_canonical_maps, &r->canonical));
    TRY(open_maps(t, o, P_sender_canonical_maps, &r->sender_canonical));
    TRY(open_maps(t, o, P_recipient_canonical_maps, &r->recipient_canonical));
    TRY(read_places(t, c, P_canonical_classes, &r->canonical_places));
    TRY(read_places(t, c, P_sender_canonical_classes,
                    &r->sender_canonical_places));
    TRY(read_places(t, c, P_recipient_canonical_classes,
                    &r->recipient_canonical_places));
    TRY(read_places(t, c, P_masquerade_classes, &r->masquerade_places));
    items = conf_items(c, P_masquerade_domains);
    lowered = arena_array(o->a, str, items.n);
    for (size_t i = 0; i < items.n; i++)
        lowered[i] = arena_lower(o->a, items.p[i]);
    r->masquerade = lowered;
    r->n_masquerade = items.n;
    items = conf_items(c, P_masquerade_exceptions);
    r->masquerade_except = items.p;
    r->n_masquerade_except = items.n;
    return OK;
}

static err open_expansion(struct task *t, struct opening *o, struct route *r)
{
    const struct conf *c = o->c;

    TRY(open_maps(t, o, P_virtual_alias_maps, &r->virtual_alias));
    r->virtual_expansion_max =
        (size_t)conf_int(c, P_virtual_alias_expansion_limit);
    r->virtual_recursion_max =
        (size_t)conf_int(c, P_virtual_alias_recursion_limit);
    r->virtual_length_max =
        (size_t)conf_int(c, P_virtual_alias_address_length_limit);
    r->always_bcc = conf_raw(c, P_always_bcc);
    r->original_recipient = conf_bool(c, P_enable_original_recipient);
    TRY(open_maps(t, o, P_sender_bcc_maps, &r->sender_bcc));
    TRY(open_maps(t, o, P_recipient_bcc_maps, &r->recipient_bcc));
    TRY(open_maps(t, o, P_smtp_generic_maps, &r->smtp_generic));
    return open_maps(t, o, P_lmtp_generic_maps, &r->lmtp_generic);
}

static err open_list(struct task *t, struct opening *o, enum param p,
                     enum match_kind kind, struct match_list **out)
{
    str name = conf_param(p)->name;
    bool parents = has_item(o->c, P_parent_domain_matches_subdomains, name);

    return match_list_open(t, o->tables, o->a, name, conf_raw(o->c, p), kind,
                           parents, out);
}

struct endpoints {
    vec_of(struct endpoint) list;
};

static void add_interface(struct arena *a, const struct conf_interface *i,
                          struct endpoints *to)
{
    struct endpoint e = { .kind = i->ipv6 ? ENDPOINT_IP6 : ENDPOINT_IP4 };

    memcpy(e.ip, i->address, i->ipv6 ? 16 : 4);
    vec_push(a, &to->list, e);
}

/* Adds the addresses among items: "192.0.2.1", "[::1]"; names are not asked
 * for, mydestination is their place. */

static void add_addresses(struct arena *a, const str *items, size_t n,
                          struct endpoints *to)
{
    for (size_t i = 0; i < n; i++) {
        str item = items[i];
        struct endpoint e;
        if (str_ieq(item, S("loopback-only"))) {
            str both[] = { S("127.0.0.1"), S("::1") };
            add_addresses(a, both, 2, to); /* one level: no such item in it */
        } else if (endpoint_parse(item, 0, &e) == OK) {
            vec_push(a, &to->list, e);
        }
    }
}

size_t route_own_addresses(struct arena *a, const struct conf *c,
                           const struct endpoint **out)
{
    struct conf_items inet = conf_items(c, P_inet_interfaces);
    struct conf_items proxy = conf_items(c, P_proxy_interfaces);
    const struct conf_facts *facts = conf_facts(c);
    struct endpoints own = { 0 };

    add_addresses(a, inet.p, inet.n, &own);
    add_addresses(a, proxy.p, proxy.n, &own);
    if (has_item(c, P_inet_interfaces, S("all"))) {
        str loop = S("loopback-only");
        add_addresses(a, &loop, 1, &own);
        for (size_t i = 0; i < facts->n_interfaces; i++)
            add_interface(a, &facts->interfaces[i], &own);
    }
    *out = own.list.p;
    return own.list.n;
}

static err open_classes(struct task *t, struct opening *o, struct route *r)
{
    const struct conf *c = o->c;
    str empty = conf_raw(c, P_empty_address_recipient);

    TRY(open_list(t, o, P_mydestination, MATCH_STRING, &r->mydestination));
    TRY(open_list(t, o, P_virtual_alias_domains, MATCH_STRING,
                  &r->virtual_alias_domains));
    TRY(open_list(t, o, P_virtual_mailbox_domains, MATCH_STRING,
                  &r->virtual_mailbox_domains));
    TRY(open_list(t, o, P_relay_domains, MATCH_DOMAIN, &r->relay_domains));
    r->n_own = route_own_addresses(o->a, c, &r->own);
    r->numeric_domain = conf_bool(c, P_resolve_numeric_domain);
    r->dequoted = conf_bool(c, P_resolve_dequoted_address);
    r->min_user = conf_bool(c, P_allow_min_user);
    r->double_bounce = conf_raw(c, P_double_bounce_sender);
    r->empty_recipient = str_chr(empty, '@') == STR_NONE
                             ? arena_fmt(o->a, "%.*s@%.*s", STR(empty),
                                         STR(r->myhostname))
                             : empty;
    return OK;
}

static err open_destinations(struct task *t, struct opening *o,
                             struct route *r)
{
    const struct conf *c = o->c;

    r->local_transport = conf_raw(c, P_local_transport);
    r->virtual_transport = conf_raw(c, P_virtual_transport);
    r->relay_transport = conf_raw(c, P_relay_transport);
    r->default_transport = conf_raw(c, P_default_transport);
    r->relayhost = conf_raw(c, P_relayhost);
    r->null_sender_relayhost_key =
        conf_raw(c, P_empty_address_relayhost_maps_lookup_key);
    r->null_sender_transport_key =
        conf_raw(c, P_empty_address_default_transport_maps_lookup_key);
    r->show_table_name = conf_bool(c, P_show_user_unknown_table_name);
    r->transport_parents = has_item(c, P_parent_domain_matches_subdomains,
                                    S("transport_maps"))
                               ? MAPS_PARENT_DOMAINS : MAPS_DOT_PARENTS;
    TRY(open_safe_maps(t, o, P_transport_maps, &r->transport));
    TRY(open_safe_maps(t, o, P_sender_dependent_relayhost_maps,
                       &r->sender_relayhost));
    TRY(open_safe_maps(t, o, P_sender_dependent_default_transport_maps,
                       &r->sender_transport));
    return open_maps(t, o, P_relocated_maps, &r->relocated);
}

static err open_recipients(struct task *t, struct opening *o, struct route *r)
{
    const struct conf *c = o->c;

    TRY(open_maps(t, o, P_local_recipient_maps, &r->local_recipient));
    TRY(open_maps(t, o, P_virtual_mailbox_maps, &r->virtual_mailbox));
    TRY(open_maps(t, o, P_relay_recipient_maps, &r->relay_recipient));
    r->local_code = conf_int(c, P_unknown_local_recipient_reject_code);
    r->alias_code = conf_int(c, P_unknown_virtual_alias_reject_code);
    r->mailbox_code = conf_int(c, P_unknown_virtual_mailbox_reject_code);
    r->relay_code = conf_int(c, P_unknown_relay_recipient_reject_code);
    return OK;
}

err route_open(struct task *t, struct arena *a, const struct conf *c,
               struct tables *tables, struct route **out)
{
    struct opening o = { a, c, tables };
    struct route *r = arena_new(a, struct route);

    r->conf = c;
    TRY(open_rewriting(t, &o, r));
    TRY(open_expansion(t, &o, r));
    TRY(open_classes(t, &o, r));
    TRY(open_destinations(t, &o, r));
    TRY(open_recipients(t, &o, r));
    *out = r;
    return OK;
}

static bool literal_is_own(const struct route *r, str domain)
{
    struct endpoint e;
    str inside;

    if (!host_literal(domain, &inside) || endpoint_parse(inside, 0, &e))
        return false;
    for (size_t i = 0; i < r->n_own; i++)
        if (endpoint_same_address(&e, &r->own[i]))
            return true;
    return false;
}

err route_domain_local(struct task *t, const struct route *r, str domain)
{
    if (str_ends(domain, S(".")))
        domain = str_head(domain, domain.n - 1);
    if (domain.n && domain.p[0] == '[')
        return literal_is_own(r, domain) ? OK : ERR_ABSENT;
    return match_list_find(t, r->mydestination, domain, S(""));
}

err route_domain_own(struct task *t, const struct route *r, str domain)
{
    if (str_ieq(domain, r->myorigin))
        return OK;
    return route_domain_local(t, r, domain);
}
