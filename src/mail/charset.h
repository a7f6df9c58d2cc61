/* SPDX-License-Identifier: ISC
 *
 * Text in other character sets as UTF-8.  UTF-8, US-ASCII, ISO 8859,
 * Windows-125x and KOI8 are tables here; the rest (Shift_JIS, GB18030, ...)
 * is iconv's, whose only door this is, and unknown where a sandbox keeps it
 * from its tables.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/base.h"

struct charset;

/* A converter for text in pieces, closed with a; NULL if the charset is not
 * known.  An empty name means US-ASCII that may really be UTF-8. */
struct charset *charset_open(struct arena *a, str name);

/* Appends piece in UTF-8; what has no meaning becomes U+FFFD.  An incomplete
 * character at the end is kept for the next piece, unless last. */
void charset_convert(struct charset *c, str piece, bool last,
                     struct buf *to);

/* The whole of s at once; if the charset is not known, as if it were
 * UTF-8. */
void charset_to_utf8(str name, str s, struct buf *to);

/* Whether charset_open would know it. */
bool charset_known(str name);

/* A code point without case, as text search sees it: simple folding of the
 * Latin, Greek, Cyrillic and Armenian letters. */
uint32_t charset_fold(uint32_t code);

#endif
