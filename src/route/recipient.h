/* SPDX-License-Identifier: ISC
 *
 * Whether a recipient (or a sender that says it is one of ours) exists:
 * reject_unlisted_recipient and reject_unlisted_sender (postconf(5),
 * LOCAL_RECIPIENT_README).
 */
#ifndef ROUTE_RECIPIENT_H
#define ROUTE_RECIPIENT_H

#include "mail/reply.h"
#include "route/resolve.h"

/* Looks for the address, as it was resolved, in the tables of its class; those
 * that the error and retry transports wait for are refused too.
 * verdict->code is 0 if it exists or nobody knows, else this is the refusal,
 * such as
 *     550 5.1.1 <x@y>: Recipient address rejected: User unknown in local
 *     recipient table
 * shown is the address as the client wrote it.  Table failures are errs. */
err recipient_check(struct task *t, const struct route *r, bool is_sender,
                    str shown, const struct destination *d,
                    struct arena *a, struct reply *verdict);

#endif
