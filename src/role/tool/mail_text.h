/* SPDX-License-Identifier: ISC
 *
 * The text of a message as people pipe it into sendmail, made into a message
 * for the server: line ends, the line with a single dot, the mbox separator,
 * header fields that are for nobody's eyes, recipients in the header, a From:
 * that is missing.  Pure.
 *
 * M1  Every line of the result ends in CR LF; header and body are apart by an
 *     empty line if there is a body.
 */
#ifndef ROLE_TOOL_MAIL_TEXT_H
#define ROLE_TOOL_MAIL_TEXT_H

#include "mail/address.h"
#include "mail/header.h"

enum fix_line_ends { FIX_ALWAYS, FIX_STRICT, FIX_NEVER };

struct mail_text_options {
    bool keep_dots;         /* -i: a single dot does not end the input */
    bool take_recipients;   /* -t */
    enum fix_line_ends fix; /* sendmail_fix_line_endings */
    str from;               /* added as From: if there is none; empty: not */
};

struct mail_text {
    vec_of(str) recipients; /* -t: in the order of the header, internal form;
                               they may be no addresses */
    bool eightbit;
};

/* Whether a CR at the end of a line is part of its end. */
bool mail_text_strips(str input, enum fix_line_ends fix);

/* Appends the message to *to; *out is in a. */
void mail_text_make(str input, const struct mail_text_options *o,
                    struct arena *a, struct buf *to, struct mail_text *out);

/* The value of a From: field. obsolete: header_from_format.  sender is in
 * external form, empty for the null sender. */
str mail_text_from(str full_name, str sender, bool obsolete,
                   struct arena *a);

#endif
