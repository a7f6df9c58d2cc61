/* SPDX-License-Identifier: ISC
 *
 * Resolving.  Sites in the user part of our own addresses are unwrapped
 * first, so that user%other@us is what it means, a request to relay.
 */
#include "route/resolve.h"

#include "mail/host.h"
#include "route/rewrite.h"

enum { UNWRAP_MAX = 100 };

/* An address while it is resolved. */
struct question {
    const struct route *r;
    struct arena *a;
    const struct address *sender;
};

void resolve_split(str text, str *transport, str *nexthop)
{
    size_t colon;

    text = str_trim(text);
    colon = str_chr(text, ':');
    *transport = str_trim(str_head(text, colon == STR_NONE ? text.n : colon));
    *nexthop = str_trim(str_skip(text, colon == STR_NONE ? text.n
                                                         : colon + 1));
}

/* The site inside a local part of ours becomes the domain; false: there is
 * none.  What is no address any more makes *bad true. */
static bool unwrap(const struct route *r, const struct address *x,
                   struct arena *a, struct address *out, bool *bad)
{
    str local = x->local, text;
    size_t at = str_rchr(local, '@'), percent = str_rchr(local, '%');
    size_t bang = str_chr(local, '!');

    if (at != STR_NONE && r->dequoted)
        text = local;
    else if (r->swap_bangpath && bang != STR_NONE)
        text = arena_fmt(a, "%.*s@%.*s", STR(str_skip(local, bang + 1)),
                         STR(str_head(local, bang)));
    else if (r->percent_hack && percent != STR_NONE)
        text = arena_fmt(a, "%.*s@%.*s", STR(str_head(local, percent)),
                         STR(str_skip(local, percent + 1)));
    else
        return false;
    *bad = address_of(text, a, out) != OK;
    if (!*bad)
        *out = rewrite_standard(r, REWRITE_LOCAL, out, a);
    return true;
}

/* Without the dot that a domain may end with; a second dot stays and is
 * found bad. */
static struct address without_dot(const struct address *x, struct arena *a)
{
    struct address y;

    if (x->domain.n < 2 || !str_ends(x->domain, S(".")) ||
        address_of(str_head(x->text, x->text.n - 1), a, &y))
        return *x;
    return y;
}

static err unwrap_all(struct task *t, struct question *q, struct address *x,
                      bool *bad)
{
    for (int i = 0; i < UNWRAP_MAX && !*bad; i++) {
        err e;
        if (x->domain.n == 0) /* completing it is turned off: it is ours */
            *bad = address_join(x->local, q->r->myhostname, q->a, x) != OK;
        *x = without_dot(x, q->a);
        e = route_domain_local(t, q->r, x->domain);
        if (e == ERR_ABSENT)
            return OK;
        TRY(e);
        if (!unwrap(q->r, x, q->a, x, bad))
            return OK;
    }
    *bad = true;
    return OK;
}

/* Gives a numeric address its domain, and judges it. */
static bool is_bad(struct question *q, struct address *x)
{
    const struct route *r = q->r;

    if (x->domain.n == 0 || x->local.n == 0 ||
        (x->local.p[0] == '-' && !r->min_user))
        return true;
    if (x->domain.p[0] == '[')
        return !host_literal(x->domain, NULL);
    if (host_address_valid(x->domain)) {
        str literal = arena_fmt(q->a, host_ip4_valid(x->domain)
                                          ? "[%.*s]" : "[IPv6:%.*s]",
                                STR(x->domain));
        return !r->numeric_domain ||
               address_join(x->local, literal, q->a, x);
    }
    return !host_valid(x->domain, true);
}

err resolve_domain(struct task *t, const struct route *r, str domain,
                   enum address_class *out)
{
    const struct { struct match_list *list; enum address_class class; }
    lists[] = {
        { r->virtual_alias_domains, CLASS_ALIAS },
        { r->virtual_mailbox_domains, CLASS_MAILBOX },
        { r->relay_domains, CLASS_RELAY },
    };
    err e = route_domain_local(t, r, domain);

    if (e != ERR_ABSENT) {
        *out = CLASS_LOCAL;
        return e;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        e = match_list_find(t, lists[i].list, domain, S(""));
        if (e == ERR_ABSENT)
            continue;
        *out = lists[i].class;
        return e;
    }
    *out = CLASS_DEFAULT;
    return OK;
}

/* What a table says about the sender: by address, then by @domain.  DUNNO is
 * as good as nothing. */
static err ask_sender(struct task *t, struct question *q,
                      const struct maps *m, str null_key, str *value)
{
    err e;

    if (!q->sender || !maps_any(m))
        return ERR_ABSENT;
    if (address_is_null(q->sender))
        e = maps_find(t, m, null_key, q->a, value);
    else
        e = maps_find_address(t, m, q->sender->text, q->r->delimiters,
                              MAPS_FULL | MAPS_AT_DOMAIN, q->a, value, NULL);
    if (!e && str_ieq(str_trim(*value), S("DUNNO")))
        return ERR_ABSENT;
    return e;
}

/* Transport and next hop of mail that leaves. */
static err leave(struct task *t, struct question *q, str transport,
                 struct destination *d)
{
    const struct route *r = q->r;
    str host;
    err e;

    resolve_split(transport, &d->transport, &d->nexthop);
    if (d->nexthop.n)
        return OK;
    e = ask_sender(t, q, &r->sender_relayhost, r->null_sender_relayhost_key,
                   &host);
    if (e && e != ERR_ABSENT)
        return e;
    if (!e && str_trim(host).n)
        d->nexthop = str_trim(host);
    else if (r->relayhost.n)
        d->nexthop = r->relayhost;
    else
        d->nexthop = arena_lower(q->a, d->recipient.domain);
    return OK;
}

static str unknown_alias(struct question *q)
{
    return q->r->show_table_name
               ? S("5.1.1 User unknown in virtual alias table")
               : S("5.1.1 User unknown");
}

/* The destination that the class of an address gives it. */
static err by_class(struct task *t, struct question *q,
                    struct destination *d)
{
    const struct route *r = q->r;
    str transport = r->default_transport;
    err e;

    switch (d->class) {
    case CLASS_LOCAL:
        resolve_split(r->local_transport, &d->transport, &d->nexthop);
        if (d->nexthop.n == 0)
            d->nexthop = r->myhostname;
        return OK;
    case CLASS_ALIAS:
        d->transport = S("error");
        d->nexthop = unknown_alias(q);
        return OK;
    case CLASS_MAILBOX:
        resolve_split(r->virtual_transport, &d->transport, &d->nexthop);
        if (d->nexthop.n == 0)
            d->nexthop = arena_lower(q->a, d->recipient.domain);
        return OK;
    case CLASS_RELAY:
        return leave(t, q, r->relay_transport, d);
    case CLASS_DEFAULT:
        e = ask_sender(t, q, &r->sender_transport, r->null_sender_transport_key,
                       &transport);
        if (e && e != ERR_ABSENT)
            return e;
        return leave(t, q, e ? r->default_transport : transport, d);
    }
    must_not_reach();
}

/* transport(5): the address, its domain and parents, "*". */
static err ask_transport(struct task *t, struct question *q,
                         const struct address *x, str *value)
{
    const struct maps *m = &q->r->transport;
    err e;

    if (!maps_any(m))
        return ERR_ABSENT;
    e = maps_find_address(t, m, x->text, q->r->delimiters,
                          MAPS_FULL | MAPS_DOMAIN | q->r->transport_parents,
                          q->a, value, NULL);
    if (e == ERR_ABSENT)
        e = maps_find(t, m, S("*"), q->a, value);
    return e;
}

static bool is_undeliverable(str transport)
{
    return str_eq(transport, S("error")) || str_eq(transport, S("retry"));
}

static err by_transport(struct task *t, struct question *q,
                        struct destination *d)
{
    str value, transport, nexthop;
    err e = ask_transport(t, q, &d->recipient, &value);

    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    resolve_split(value, &transport, &nexthop);
    if (transport.n) {
        d->transport = transport;
        d->nexthop = nexthop.n ? nexthop
                     : is_undeliverable(transport)
                         ? S("Address is undeliverable")
                         : arena_lower(q->a, d->recipient.domain);
    } else if (nexthop.n) {
        d->nexthop = nexthop;
    }
    return OK;
}

/* relocated(5): who moved is told so, whatever the rest says. */
static err by_relocation(struct task *t, struct question *q,
                         struct destination *d)
{
    const struct address *x = &d->recipient;
    int flags = MAPS_FULL | MAPS_AT_DOMAIN;
    str where;
    err e;

    if (!maps_any(&q->r->relocated))
        return OK;
    e = route_domain_own(t, q->r, x->domain);
    if (e && e != ERR_ABSENT)
        return e;
    e = maps_find_address(t, &q->r->relocated, x->text, q->r->delimiters,
                          flags | (e ? 0 : MAPS_USER), q->a, &where, NULL);
    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    d->transport = S("error");
    d->nexthop = arena_fmt(q->a, "5.1.6 User has moved to %.*s",
                           STR(str_head(where, 500)));
    return OK;
}

/* Who is meant, routes of ours undone, and whether that is an address. */
static err read_address(struct task *t, struct question *q,
                        struct address *x, bool *bad)
{
    const struct route *r = q->r;

    if (address_is_null(x) && address_of(r->empty_recipient, q->a, x))
        return why(t, ERR_SYNTAX, "bad empty_address_recipient: %.*s",
                   STR(r->empty_recipient));
    *bad = false;
    TRY(unwrap_all(t, q, x, bad));
    *bad = *bad || is_bad(q, x);
    return OK;
}

err resolve_syntax(struct task *t, const struct route *r,
                   const struct address *in, struct arena *a, bool *bad)
{
    struct question q = { r, a, NULL };
    struct address x = *in;

    return read_address(t, &q, &x, bad);
}

err resolve(struct task *t, const struct route *r,
            const struct address *sender, const struct address *in,
            struct arena *a, struct destination *out)
{
    struct question q = { r, a, sender };
    struct destination d = { .recipient = *in };
    struct address x = *in;

    TRY(read_address(t, &q, &x, &d.bad));
    d.recipient = x;
    d.class = CLASS_DEFAULT;
    if (d.bad) {
        d.transport = S("error");
        d.nexthop = S("5.1.3 bad address syntax");
        *out = d;
        return OK;
    }
    TRY(resolve_domain(t, r, x.domain, &d.class));
    d.routed = d.class != CLASS_LOCAL &&
               str_any(x.local, S("@%!")) != STR_NONE;
    TRY(by_class(t, &q, &d));
    TRY(by_transport(t, &q, &d));
    TRY(by_relocation(t, &q, &d));
    *out = d;
    return OK;
}
