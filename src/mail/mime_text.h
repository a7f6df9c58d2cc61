/* SPDX-License-Identifier: ISC
 *
 * Looking for words in messages as people read them: encodings, charsets and
 * letter case undone.  Works in pieces: a body is never held whole.
 */
#ifndef MAIL_MIME_TEXT_H
#define MAIL_MIME_TEXT_H

#include "mail/mime.h"

/* What is looked for, folded once.  An empty needle is in everything. */
struct mime_needle {
    str folded;
};

/* word is in charset (empty: UTF-8). */
struct mime_needle mime_needle_of(struct arena *a, str word, str charset);

/* Whether a header value, decoded, holds it. */
bool mime_value_holds(str value, const struct mime_needle *n);

/* Whether any text of the message holds it: bodies of text parts and of
 * attached messages' parts, and (headers set) all header fields. */
bool mime_message_holds(str message, const struct mime_part *root,
                        const struct mime_needle *n, bool headers);

/* Appends s (UTF-8) folded. */
void mime_fold(struct buf *to, str s);

#endif
