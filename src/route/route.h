/* SPDX-License-Identifier: ISC
 *
 * Where mail goes: what all questions about addresses need of one snapshot
 * of the configuration, read and opened once.
 *
 *     route/rewrite.h    what an address becomes when mail comes in
 *     route/expand.h     the same for a whole envelope: BCC, virtual aliases
 *     route/resolve.h    class, transport and next hop of an address
 *     route/recipient.h  whether a recipient exists
 *     route/alias.h      what an alias of aliases(5) stands for
 *
 * I1  A struct route is never changed after route_open.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "conf/conf.h"
#include "mail/address.h"
#include "rt/rt.h"
#include "table/table.h"

/* Where an address stands: canonical_classes and its like are sums. */
enum address_place {
    PLACE_ENVELOPE_SENDER = 1,
    PLACE_ENVELOPE_RECIPIENT = 2,
    PLACE_HEADER_SENDER = 4,
    PLACE_HEADER_RECIPIENT = 8,
};

/* Tables that copy an address extension from the key to the result. */
enum propagate {
    PROPAGATE_CANONICAL = 1,
    PROPAGATE_VIRTUAL = 2,
    PROPAGATE_ALIAS = 4,
    PROPAGATE_FORWARD = 8,
    PROPAGATE_INCLUDE = 16,
    PROPAGATE_GENERIC = 32,
};

struct route {
    const struct conf *conf;

    /* Standard form. */
    str myhostname, mydomain, myorigin, remote_domain, delimiters;
    bool at_myorigin, dot_mydomain, swap_bangpath, percent_hack;
    bool owner_request_special;
    int propagate;              /* sum of enum propagate */

    /* Tables of incoming mail. */
    struct maps canonical, sender_canonical, recipient_canonical;
    int canonical_places, sender_canonical_places, recipient_canonical_places;
    const str *masquerade;      /* domains, lower case, "!" kept */
    size_t n_masquerade;
    const str *masquerade_except;
    size_t n_masquerade_except;
    int masquerade_places;
    struct maps virtual_alias;
    size_t virtual_expansion_max, virtual_recursion_max, virtual_length_max;
    str always_bcc;
    struct maps sender_bcc, recipient_bcc;
    bool original_recipient;    /* enable_original_recipient */

    /* Classes. */
    struct match_list *mydestination, *virtual_alias_domains,
                      *virtual_mailbox_domains, *relay_domains;
    const struct endpoint *own; /* addresses of inet and proxy interfaces */
    size_t n_own;
    bool numeric_domain, dequoted, min_user;
    str empty_recipient;        /* with a domain */
    str double_bounce;

    /* Destinations. */
    str local_transport, virtual_transport, relay_transport,
        default_transport, relayhost;
    struct maps transport, sender_relayhost, sender_transport, relocated;
    int transport_parents;      /* MAPS_PARENT_DOMAINS or MAPS_DOT_PARENTS */
    str null_sender_relayhost_key, null_sender_transport_key;
    bool show_table_name;

    /* Recipients. */
    struct maps local_recipient, virtual_mailbox, relay_recipient;
    int64_t local_code, alias_code, mailbox_code, relay_code;

    /* Outgoing. */
    struct maps smtp_generic, lmtp_generic;
};

/* Reads and opens everything; allocated in a, tables live in tables.  Waits
 * for files.  Fails with why() when a table cannot be opened. */
err route_open(struct task *t, struct arena *a, const struct conf *c,
               struct tables *tables, struct route **out);

/* Whether a domain is delivered by local_transport: it is in mydestination,
 * or the address literal of an own interface.  OK, ERR_ABSENT or a table's
 * failure. */
err route_domain_local(struct task *t, const struct route *r, str domain);

/* Whether bare user names are looked up for this domain: local, or
 * $myorigin. */
err route_domain_own(struct task *t, const struct route *r, str domain);

/* Addresses that are ours: of inet_interfaces and proxy_interfaces.  In a. */
size_t route_own_addresses(struct arena *a, const struct conf *c,
                           const struct endpoint **out);

#endif
