/* SPDX-License-Identifier: ISC
 *
 * What becomes of an envelope when mail comes in (cleanup(8)): sender and
 * recipients in standard form, canonical mapping, masquerading, automatic
 * BCC, virtual aliases (virtual(5)), duplicates dropped.
 *
 *     struct expansion x;
 *     expand_begin(&x, r, a, flags, &envelope);
 *     TRY(expand_sender(t, &x, &sender, &fault));
 *     TRY(expand_recipient(t, &x, &recipient, &fault));   each of them
 *     TRY(expand_end(t, &x, &fault));
 *
 * I1  A fault is the message's end: nothing of it is in doubt, the client is
 *     told to try again or that it is refused.
 */
#ifndef ROUTE_EXPAND_H
#define ROUTE_EXPAND_H

#include "mail/envelope.h"
#include "mail/reply.h"
#include "route/rewrite.h"

enum expand_flags {
    EXPAND_NO_MAPPINGS = 1, /* receive_override_options=no_address_mappings */
    EXPAND_NO_BCC = 2,      /* mail of the system's own, and forwarded mail */
};

struct expansion {
    const struct route *route;
    struct arena *a;
    int flags;
    struct envelope *envelope; /* sender and recipients are added to it */
    struct map *seen;          /* recipients that are in it */
};

void expand_begin(struct expansion *x, const struct route *r, struct arena *a,
                  int flags, struct envelope *envelope);

/* These fail with an err when a table failed: the message is to be refused
 * with 451 4.3.0.  A non-zero fault->code is a verdict.  The sender comes
 * first: it adds sender_bcc_maps' recipient. */
err expand_sender(struct task *t, struct expansion *x,
                  const struct address *sender, struct reply *fault);

/* rc->original is what the client said; when it is empty it becomes the
 * address as it is here.  The address itself need not be in standard form. */
err expand_recipient(struct task *t, struct expansion *x,
                     const struct recipient *rc, struct reply *fault);

/* Adds always_bcc. */
err expand_end(struct task *t, struct expansion *x, struct reply *fault);

/* The virtual aliases of one address in standard form: at least itself. */
err expand_virtual(struct task *t, const struct route *r,
                   const struct address *x, struct arena *a,
                   struct addresses *out, struct reply *fault);

#endif
