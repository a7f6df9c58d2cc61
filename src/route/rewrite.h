/* SPDX-License-Identifier: ISC
 *
 * What addresses become when mail comes in and when it goes out: standard
 * form, canonical and generic mapping, masquerading, in envelopes and in
 * header fields (trivial-rewrite(8), canonical(5), generic(5)).
 */
#ifndef ROUTE_REWRITE_H
#define ROUTE_REWRITE_H

#include "mail/header.h"
#include "route/route.h"

/* Whose domain completes an address: ours, remote_header_rewrite_domain (its
 * absence means that headers are left alone), or none. */
enum rewrite_context { REWRITE_LOCAL, REWRITE_REMOTE, REWRITE_NONE };

/* Standard form: bang paths and percent signs turned, "@$myorigin" and
 * ".$mydomain" appended, a trailing dot dropped.  Null stays null.  What
 * would become too long stays as it is. */
struct address rewrite_standard(const struct route *r,
                                enum rewrite_context context,
                                const struct address *x, struct arena *a);

struct addresses {
    vec_of(struct address) list;
};

enum map_how {
    MAP_PROPAGATE = 1,   /* an unmatched extension is copied */
    MAP_SHOWN_FIRST = 2, /* MAPS_SHOWN_FIRST: canonical(5), virtual(5) */
};

/* Looks an address up in tables in the order of canonical(5) and virtual(5)
 * and gives the result's addresses in standard form; "@domain" keeps the
 * user.  ERR_ABSENT: not in
 * the tables; anything else: they failed, and why() says how. */
err rewrite_map(struct task *t, const struct route *r, const struct maps *m,
                int how, const struct address *x, struct arena *a,
                struct addresses *out);

/* canonical(5) tables and masquerading for an address in standard form, as
 * its place asks for. */
err rewrite_canonical(struct task *t, const struct route *r,
                      enum address_place place, const struct address *x,
                      struct arena *a, struct address *out);

/* masquerade_domains. */
struct address rewrite_masquerade(const struct route *r,
                                  const struct address *x, struct arena *a);

/* What is done to the addresses of a header field. */
struct header_rewriting {
    enum rewrite_context context;
    bool mappings;              /* canonical and masquerade too */
    const struct maps *generic; /* instead of all that: outgoing mail */
};

/* The field with its addresses rewritten, all else as it was; *changed says
 * whether there is any difference, else *raw is field->raw. */
err rewrite_header(struct task *t, const struct route *r,
                   const struct header_rewriting *how,
                   const struct header_field *field, struct arena *a,
                   str *raw, bool *changed);

/* smtp_generic_maps or lmtp_generic_maps for one address. */
err rewrite_generic(struct task *t, const struct route *r,
                    const struct maps *generic, const struct address *x,
                    struct arena *a, struct address *out);

#endif
