/* SPDX-License-Identifier: ISC
 *
 * Verdicts: what is said about somebody's mail (RFC 5321 replies with the
 * enhanced codes of RFC 3463).  A verdict is a value; an err is about us.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/base.h"

struct reply {
    int code;       /* 250, 451, 550 ... */
    char dsn[12];   /* "2.1.0", NUL-ended; empty: none is sent */
    str text;       /* without codes; LF separates lines of a multi-line one */
};

#define REPLY(code_, dsn_, text_) ((struct reply){ (code_), dsn_, S(text_) })

/* Formatted text in a. */
struct reply reply_fmt(struct arena *a, int code, const char *dsn,
                       const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static inline bool reply_good(struct reply r)
{
    return r.code < 400;
}

static inline bool reply_temporary(struct reply r)
{
    return r.code / 100 == 4;
}

/* Reads "550 5.1.1 text" (both codes optional as Postfix' access(5) and
 * remote servers write them); false if there is no code at its start. */
bool reply_parse(str line, struct reply *out);

/* How many bytes at the start of s are an enhanced status code ("5.1.1")
 * followed by white space or the end; 0 if there is none. */
size_t dsn_span(str s);

#endif
