/* SPDX-License-Identifier: ISC
 *
 * Address to destination: class, transport, next hop (trivial-rewrite(8),
 * transport(5), ADDRESS_CLASS_README).
 */
#ifndef ROUTE_RESOLVE_H
#define ROUTE_RESOLVE_H

#include "route/route.h"

enum address_class {
    CLASS_LOCAL,    /* mydestination, own interfaces */
    CLASS_ALIAS,    /* virtual_alias_domains: no mailboxes of their own */
    CLASS_MAILBOX,  /* virtual_mailbox_domains */
    CLASS_RELAY,    /* relay_domains */
    CLASS_DEFAULT,  /* the rest of the world */
};

struct destination {
    enum address_class class;
    bool bad;           /* no valid address: transport is error */
    bool routed;        /* the user part names a further site: a%b@c, a!b@c,
                           "a@b"@c */
    str transport;      /* "smtp", "local", "error", ... */
    str nexthop;        /* "example.com", "[192.0.2.1]:25"; for error and
                           retry a text that may begin with a DSN code */
    struct address recipient; /* what is sent to the next hop */
};

/* x in standard form; sender may be NULL (unknown), then sender-dependent
 * tables are not asked.  Fails only when a table does, with why(). */
err resolve(struct task *t, const struct route *r,
            const struct address *sender, const struct address *x,
            struct arena *a, struct destination *out);

/* Whether resolve() would call x, in standard form, bad; asks no more than
 * what of ours is inside it. */
err resolve_syntax(struct task *t, const struct route *r,
                   const struct address *x, struct arena *a, bool *bad);

/* "transport:nexthop" into its parts, either may be empty. */
void resolve_split(str text, str *transport, str *nexthop);

/* Whether a domain is one we take mail for at all, and as what. */
err resolve_domain(struct task *t, const struct route *r, str domain,
                   enum address_class *out);

#endif
