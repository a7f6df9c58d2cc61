/* SPDX-License-Identifier: ISC
 *
 * The members of an address list: the one reader for virtual_alias_maps and
 * canonical maps, aliases(5), .forward, :include: files, and the arguments
 * and recipient fields that sendmail(1) takes.
 *
 * Members are apart by commas, semicolons, or by nothing but the end of a
 * word: "a b@c" are two, as are "\"a\"b".  What stands before <...> is a name
 * and means nothing, as does what stands before ":" if a ";" follows
 * somewhere.  A member may be no address: a command or file name where such
 * are taken, or nonsense, which is for the caller to say; its neighbours are
 * not touched by it.
 */
#ifndef MAIL_MEMBER_H
#define MAIL_MEMBER_H

#include "mail/address.h"

struct member {
    str text;       /* as meant, quotes gone; all white space between words
                       is gone too */
    bool null;      /* "<>" */
    bool escaped;   /* its first word began with a backslash */
};

struct members {
    vec_of(struct member) list;
};

/* Adds the members of a list, in their order.  Total: every text has some
 * meaning, an empty one has no members. */
void members_read(str text, struct arena *a, struct members *out);

/* A member as an address, without a source route; an empty one is the null
 * address.  ERR_SYNTAX or ERR_LIMIT: it is none. */
err member_address(const struct member *m, struct arena *a,
                   struct address *out);

/* An address to keep in the place of one that is none, so that it bounces as
 * "bad address syntax" and its neighbours get their mail: the text, as far as
 * it can be shown, at a domain that cannot be. */
struct address member_unusable(str text, struct arena *a);

#endif
