/* SPDX-License-Identifier: ISC
 *
 * Deliveries to commands, for local(8) and pipe(8): what is run, and what its
 * end means for the mail.
 */
#ifndef ROLE_DELIVER_COMMAND_H
#define ROLE_DELIVER_COMMAND_H

#include "role/deliver/deliver.h"

/* Runs it as that user with the body on its standard input.  The text of a
 * delivery is what the command said. */
struct result_rcpt command_run(struct task *t, struct run *r,
                               const struct owner *owner,
                               const struct hand_work *w, struct body *body);

/* What the end of a command means; command is how it is quoted.  Pure, but
 * for texts allocated in the run. */
struct result_rcpt command_verdict(struct run *r, const struct hand_done *d,
                                   str command);

/* Splits a command line that needs no shell into its words; else the words
 * that make a shell (empty: /bin/sh) run it. */
struct command_words { const str *p; uint32_t n; };
struct command_words command_split(str line, str shell, struct arena *a);

#endif
