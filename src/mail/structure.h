/* SPDX-License-Identifier: ISC
 *
 * What IMAP says about the shape of a message: ENVELOPE, BODY and
 * BODYSTRUCTURE (RFC 3501 section 7.4.2), as text ready to send, and the
 * strings they are made of.
 */
#ifndef MAIL_STRUCTURE_H
#define MAIL_STRUCTURE_H

#include "mail/mime.h"

/* Once a text is longer than LISTS_MAX no further addresses go into it;
 * TEXT_MAX is what callers give it room for. */
enum { STRUCTURE_LISTS_MAX = 12 << 20, STRUCTURE_TEXT_MAX = 16 << 20 };

/* Appends s as an IMAP string: quoted where that can hold it, else a
 * literal.  NULs are left out. */
void structure_string(struct buf *to, str s);

/* The same, NIL when s is empty. */
void structure_nstring(struct buf *to, str s);

/* Appends "(date subject from ...)" for a header. */
void structure_envelope(struct buf *to, struct arena *scratch, str header);

/* Appends the body structure of a part and all below it; extended:
 * BODYSTRUCTURE, else BODY. */
void structure_body(struct buf *to, struct arena *scratch, str message,
                    const struct mime_part *root, bool extended);

#endif
