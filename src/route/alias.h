/* SPDX-License-Identifier: ISC
 *
 * What a local name stands for: aliases(5), with nested aliases, :include:
 * files, owners and extensions, opened into a flat list of deliveries.  The
 * local delivery carries them out (local(8)).
 *
 * I1  Every name is expanded once at most for each owner; a name that stands
 *     in its own expansion means the user, not the alias.
 * I2  Lists are bounded: ALIAS_ACTIONS_MAX actions, ALIAS_DEPTH_MAX names
 *     inside one another.
 */
#ifndef ROUTE_ALIAS_H
#define ROUTE_ALIAS_H

#include "mail/reply.h"
#include "route/route.h"

enum { ALIAS_ACTIONS_MAX = 100000, ALIAS_DEPTH_MAX = 100 };

enum alias_kind {
    ALIAS_USER,     /* a local name that is no alias: mailbox or .forward */
    ALIAS_FORWARD,  /* an address elsewhere: a new message */
    ALIAS_COMMAND,  /* "|command" */
    ALIAS_FILE,     /* "/file" */
    ALIAS_INCLUDE,  /* only from alias_items: ":include:/file" */
};

struct alias_action {
    enum alias_kind kind;
    struct address address; /* USER (as local@domain), FORWARD */
    str text;               /* COMMAND: without "|"; FILE, INCLUDE: a path */
    str owner;              /* sender override "owner-list@domain" from here
                               on, or empty */
    str alias;              /* the alias it came from, or empty */
    str file;               /* the :include: file it came from, or empty */
};

struct alias_actions {
    vec_of(struct alias_action) list;
};

/* Reads an alias' value, or a line of a .forward or :include: file: items
 * with commas between, quoted or not.  Owners and origins stay empty.
 * ERR_SYNTAX with *where when an item is none. */
err alias_items(const struct route *r, str text, struct arena *a,
                struct alias_actions *out, str *where);

/* What the expansion needs beside the route. */
struct aliases {
    const struct route *route;
    struct maps maps;       /* alias_maps */
    bool owner_special;     /* owner_request_special */
    bool expand_owner;      /* expand_owner_alias */
    int commands, files;    /* from where allowed: sums of enum alias_from */
    size_t include_max;     /* bytes of one :include: file */
};
enum alias_from { ALIAS_FROM_ALIAS = 1, ALIAS_FROM_FORWARD = 2,
                  ALIAS_FROM_INCLUDE = 4 };

err aliases_open(struct task *t, struct arena *a, const struct route *r,
                 struct tables *tables, struct aliases **out);

/* Expands user@domain, which is local.  Names without alias come back as
 * ALIAS_USER, so the result is never empty unless *fault says why.  Table
 * and file failures of the moment are errs (defer the mail); a fault is for
 * good (5.x.x) or asks for a later try (4.x.x). */
err alias_expand(struct task *t, const struct aliases *al,
                 const struct address *x, struct arena *a,
                 struct alias_actions *out, struct reply *fault);

#endif
