/* SPDX-License-Identifier: ISC
 *
 * Words of structured header fields (RFC 5322 section 3.2): white space,
 * comments, atoms, quoted strings, domain literals, specials.  Addresses in
 * SMTP paths and in headers, and parameters of MIME fields, are read with
 * these.
 *
 * I1  Lexemes are adjacent: together they are the whole input.
 * I2  Comments nest by a counter; nothing here recurses.
 */
#ifndef MAIL_LEX_H
#define MAIL_LEX_H

#include "base/base.h"

enum lex_kind {
    LEX_END,
    LEX_SPACE,      /* blanks and line ends */
    LEX_COMMENT,    /* with its parentheses, nested ones inside */
    LEX_ATOM,       /* a backslash outside quotes takes the next byte along */
    LEX_QUOTED,     /* with its quotes */
    LEX_LITERAL,    /* with its brackets */
    LEX_SPECIAL,    /* one byte of special */
};

struct lexeme {
    enum lex_kind kind;
    size_t from, to;    /* bytes [from, to) of the input */
    char special;       /* LEX_SPECIAL: which; else 0 */
    bool open;          /* the closing quote or bracket is missing */
};

/* RFC 5322 specials without those that open a lexeme of their own. */
#define LEX_SPECIALS S("<>,;:@.)]")

/* Takes the next lexeme.  What is a special is decided by specials, so that
 * MIME's tspecials can be read too (then dots belong to atoms). */
struct lexeme lex_next(struct scan *s, str specials);

/* Appends what a lexeme means: quoted strings and comments lose their marks
 * and backslashes, line ends in them are dropped; others are kept. */
void lex_value(struct buf *to, str in, const struct lexeme *x);

#endif
