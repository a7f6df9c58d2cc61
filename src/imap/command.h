/* SPDX-License-Identifier: ISC
 *
 * Reading one command from a connection, literals included (RFC 3501 section
 * 2.2, LITERAL+ of RFC 7888).  A literal's size is looked at before it is
 * read.  The message of an APPEND is not read here: it stays on the
 * connection, announced in .body.
 */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include "imap/args.h"
#include "net/conn.h"

struct imap_literal {
    bool there;
    bool sync;              /* the client waits for "+" */
    uint64_t size;
};

struct imap_command {
    str tag, name;          /* name in capitals; "UID FETCH" as one */
    struct args args;       /* after the name */
    struct imap_literal body;
    bool too_long;
};

enum { IMAP_TAG_MAX = 100 };

struct imap_limits {
    size_t command_max;     /* bytes, literals included */
    size_t literal_max;     /* one of them */
    int64_t idle_s;
};

/* Reads the next command into a.  ERR_SYNTAX: it is none, *out has the tag,
 * "*" if not even that; too_long: a limit was passed (the rest was thrown
 * away).  Else as conn_line. */
err imap_command_read(struct task *t, struct conn *c, struct arena *a,
                      const struct imap_limits *limits,
                      struct imap_command *out);

/* Splits a whole command; pure.  ERR_SYNTAX as above. */
err imap_command_parse(struct arena *a, str text, struct imap_command *out);

/* "{123}", "{123+}", "{123-}" or "~{123}" at the end of a line. */
bool imap_literal_find(str line, struct imap_literal *out);

/* Whether a literal here is the message of an APPEND. */
bool imap_is_append_body(struct arena *a, str text);

/* The arguments of ID (RFC 2971): pairs of strings, or NIL.  What the client
 * says of itself is read and not kept. */
bool imap_id_read(struct args *x);

#endif
