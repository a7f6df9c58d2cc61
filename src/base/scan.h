/* SPDX-License-Identifier: ISC
 *
 * A cursor over a str: how every parser reads.  All functions are total and
 * bounded by the str; a parser that fails says where by .at.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include "base/str.h"

struct scan {
    str in;
    size_t at;
};

static inline struct scan scan_of(str s)
{
    return (struct scan){ s, 0 };
}

static inline bool scan_done(const struct scan *s)
{
    return s->at >= s->in.n;
}

/* The next byte without taking it, or -1. */
static inline int scan_peek(const struct scan *s)
{
    return s->at < s->in.n ? (unsigned char)s->in.p[s->at] : -1;
}

/* Takes the next byte, or -1. */
static inline int scan_next(struct scan *s)
{
    return s->at < s->in.n ? (unsigned char)s->in.p[s->at++] : -1;
}

/* What is left. */
str scan_rest(const struct scan *s);

/* Takes c (a literal, without regard to case for scan_iword) if it is next. */
bool scan_byte(struct scan *s, char c);
bool scan_word(struct scan *s, str word);
bool scan_iword(struct scan *s, str word);

/* Takes spaces and tabs; returns how many. */
size_t scan_blanks(struct scan *s);

/* Takes bytes while (until) they are among set; may be empty. */
str scan_while(struct scan *s, str set);
str scan_until(struct scan *s, str set);

/* Takes bytes while ok(byte). */
str scan_class(struct scan *s, bool (*ok)(char));

/* Takes decimal digits; false (nothing taken) if none or the value would
 * pass max. */
bool scan_uint(struct scan *s, uint64_t max, uint64_t *n);

/* The whole of s as a decimal number, at most max. */
bool str_uint(str s, uint64_t max, uint64_t *n);

/* The same with an optional sign. */
bool str_int(str s, int64_t *n);

/* The whole of s as hexadecimal. */
bool str_hex(str s, uint64_t max, uint64_t *n);

#endif
