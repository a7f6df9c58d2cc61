/* SPDX-License-Identifier: ISC
 *
 * 8-bit mail for a host that takes seven bits only (RFC 6152 section 3):
 * what is declared 8bit or binary becomes quoted-printable.
 */
#ifndef MAIL_DOWNGRADE_H
#define MAIL_DOWNGRADE_H

#include "base/base.h"

/* Appends the message with every part that says "8bit" or "binary" encoded;
 * what holds parts says "7bit" instead.  Mail that declares nothing is left
 * as it is: nobody could tell how to read it.  Pure. */
void mime_downgrade(str message, struct arena *a, struct buf *to);

/* Appends bytes as quoted-printable; lines end in CR LF. */
void quoted_printable_encode(str bytes, struct buf *to);

#endif
