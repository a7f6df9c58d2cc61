/* SPDX-License-Identifier: ISC
 *
 * The items of an alias' value (aliases(5)), of a line of a .forward or of an
 * :include: file.  What they come to is local(8)'s: role/deliver.
 */
#ifndef ROUTE_ALIAS_H
#define ROUTE_ALIAS_H

#include "route/route.h"

enum alias_kind {
    ALIAS_USER,     /* "\\name": its mailbox, not its alias or .forward */
    ALIAS_FORWARD,  /* an address, here or elsewhere */
    ALIAS_COMMAND,  /* "|command" */
    ALIAS_FILE,     /* "/file", "~/file" */
    ALIAS_INCLUDE,  /* ":include:/file" */
    ALIAS_BAD,      /* what is none of these */
};

struct alias_action {
    enum alias_kind kind;
    struct address address; /* USER, FORWARD: in standard form */
    str text;               /* COMMAND: without "|"; FILE, INCLUDE: a path;
                               BAD: the item */
};

struct alias_actions {
    vec_of(struct alias_action) list;
};

/* Where an item may stand; allow_mail_to_commands and _files are sums. */
enum alias_from { ALIAS_FROM_ALIAS = 1, ALIAS_FROM_FORWARD = 2,
                  ALIAS_FROM_INCLUDE = 4 };

/* Reads a list (mail/member.h) and adds its items. */
void alias_items(const struct route *r, str text, struct arena *a,
                 struct alias_actions *out);

#endif
