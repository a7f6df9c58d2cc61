/* SPDX-License-Identifier: ISC
 *
 * Mail addresses as checked values.
 *
 * The internal form is what tables are asked with and what is kept: the local
 * part without quotes, an at sign, the domain ("a b@example.com").  The
 * external form is what SMTP and headers show ("\"a b\"@example.com").  A
 * local part may hold at signs; the domain begins after the last one.
 *
 * I1  No byte below space and no DEL in any of it; 8-bit bytes are
 *     well-formed UTF-8.
 * I2  text is empty (the null address) or has a local part.  There is a
 *     domain iff domain.n > 0, and then text = local "@" domain.
 * I3  local.n <= ADDRESS_LOCAL_MAX, domain.n <= ADDRESS_DOMAIN_MAX.
 * I4  A local part with an at sign in it has a domain behind it, so that the
 *     parts can be told from text alone.
 *
 * RFC 5321 section 4.1.2, RFC 5322 section 3.4, RFC 6531 section 3.3.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/base.h"

enum { ADDRESS_LOCAL_MAX = 1024, ADDRESS_DOMAIN_MAX = 1024,
       ADDRESS_MAX = ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX };

struct address {
    str text;   /* internal form */
    str local;  /* parts of text */
    str domain;
};

#define ADDRESS_NULL ((struct address){ { "", 0 }, { "", 0 }, { "", 0 } })

static inline bool address_is_null(const struct address *x)
{
    return x->text.n == 0;
}

enum address_flags {
    ADDRESS_STRICT = 1,  /* RFC 5321 to the letter: strict_rfc821_envelopes */
    ADDRESS_ASCII = 2,   /* refuse 8-bit bytes (no SMTPUTF8) */
};

/* Takes the path of MAIL FROM: or RCPT TO: and blanks before it: "<>",
 * "<postmaster>", "<@a,@b:user@dom>" (the route is dropped).  Without
 * ADDRESS_STRICT also "user@dom" without brackets, blanks and comments inside
 * them.  ERR_SYNTAX: what is not a path; ERR_LIMIT: too long. */
err address_path(struct scan *s, struct arena *a, int flags,
                 struct address *out);

/* Reads the whole of an external form, bracketed or not, as people write it
 * in tables and on command lines. */
err address_parse(str external, struct arena *a, int flags,
                  struct address *out);

/* Checks an internal form, and copies it into a. */
err address_of(str internal, struct arena *a, struct address *out);

/* The same from parts; an empty domain gives an address without one. */
err address_join(str local, str domain, struct arena *a,
                 struct address *out);

/* The external form, quoted where it must be. */
str address_external(const struct address *x, struct arena *a);

/* The external form of an internal one that was kept as text; what is no
 * address stays as it is. */
str address_shown(str internal, struct arena *a);

/* A local part as it stands in an external form; whether it needs quotes. */
str address_quote(str local, struct arena *a);
bool address_needs_quotes(str local);

/* Equal in meaning: local parts to the byte, domains in any case. */
bool address_same(const struct address *x, const struct address *y);

/* Splits a local part at its first recipient delimiter: "user+ext" into
 * "user" and "+ext".  False, with the whole in *user, if there is nothing to
 * split, which includes mailer-daemon, double-bounce and postmaster, and for
 * the delimiter '-' (owner_request_special) owner-x and x-request. */
bool address_split(str local, str delimiters, bool owner_request_special,
                   str *user, str *extension);

/* What an address list is made of. */
enum address_item_kind { ITEM_MAILBOX, ITEM_GROUP, ITEM_GROUP_END };

struct address_item {
    enum address_item_kind kind;
    bool bad;               /* a mailbox that is no address: null then */
    struct address address; /* ITEM_MAILBOX */
    str name;               /* phrase, or else the last comment; a group's
                               name.  Encoded words are kept as they are. */
    str route;              /* "@a,@b", as written */
    size_t from, to;        /* where the address (with its route, without
                               brackets) stands in the text */
};

/* A walk over the value of a header field, iterative and in one pass. */
struct address_list {
    struct scan in;
    bool in_group;
};

static inline struct address_list address_list_of(str value)
{
    return (struct address_list){ scan_of(value), false };
}

/* The next item, its strings in a; false at the end. */
bool address_list_next(struct address_list *l, struct arena *a,
                       struct address_item *out);

/* Appends a list as it is meant, with its comments and folds left out:
 * "\"Smith, J.\" <j@x.org>, g: a@b.c;".  Names keep their encoded words. */
void address_list_put(struct buf *to, str value);

#endif
