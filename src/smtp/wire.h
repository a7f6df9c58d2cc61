/* SPDX-License-Identifier: ISC
 *
 * Inside smtp's client only: reading replies.
 */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H

#include "smtp/client.h"

/* One reply, its lines joined by blanks, with all codes as they were said.
 * each (may be NULL) sees every line after the first without its code. */
err wire_reply(struct task *t, struct smtp_peer *p, when until,
               struct arena *a, void (*each)(struct smtp_peer *, str),
               struct reply *out);

#endif
