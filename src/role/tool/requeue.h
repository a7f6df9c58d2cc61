/* SPDX-License-Identifier: ISC
 *
 * postsuper -r: mail passes the rewriting again as if it came in now.
 */
#ifndef ROLE_TOOL_REQUEUE_H
#define ROLE_TOOL_REQUEUE_H

#include "role/tool/queue_edit.h"

/* Moves a message to maildrop, from where pickup takes it like any other:
 * addresses of the recipients that have not got it are mapped anew, from what
 * they are now; headers in the context they came in.  *n: 1 if that was done;
 * 0 if there is no such message, or it is being delivered just now. */
err requeue(struct task *t, const struct conf *c, struct queue_edit *e,
            str id, uint32_t *n);

#endif
