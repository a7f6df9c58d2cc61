/* SPDX-License-Identifier: ISC
 *
 * The text of a message on the wire (RFC 5321 section 4.5.2): dots, line
 * ends, the end.  Pure, streaming, both directions.
 *
 * I1  Only CR LF . CR LF ends a message.  A bare LF counts as a line end of
 *     the text and never as part of that (smtpd_forbid_bare_newline =
 *     normalize); a bare CR becomes a space.
 * I2  What comes out of the decoder has no bare CR and no bare LF.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include "base/base.h"

enum dot_state {
    DOT_LINE,       /* at the start of a line after CR LF (or of the text) */
    DOT_LINE_LF,    /* the same after a bare LF */
    DOT_DOT,        /* "." at the start of a line after CR LF */
    DOT_DOT_CR,     /* "." CR likewise */
    DOT_TEXT,       /* inside a line */
    DOT_CR,         /* after a CR inside a line */
    DOT_END,
};

struct dot_decoder {
    enum dot_state state;
    bool plain;     /* BDAT: no dots, no end */
};

/* Decodes from *in until something must be handed out: the bytes are either
 * a part of the input or a constant.  Empty when *in is used up or the state
 * is DOT_END. */
str dot_decode(struct dot_decoder *d, str *in);

/* The last line of a BDAT message may lack its end: what is missing. */
str dot_finish(struct dot_decoder *d);

/* Appends bytes with leading dots doubled.  *line: whether the next byte
 * begins a line; starts true. */
void dot_encode(struct buf *to, str bytes, bool *line);

#endif
