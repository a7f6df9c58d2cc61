/* SPDX-License-Identifier: ISC
 *
 * All messages of the queue, from the running queue manager or, when the
 * system is down, from the spool's log itself; and those in maildrop, where
 * the caller may look there.
 */
#ifndef ROLE_TOOL_QUEUE_ROWS_H
#define ROLE_TOOL_QUEUE_ROWS_H

#include "role/queue_state.h"
#include "role/tool/tool.h"

typedef err queue_row_fn(struct task *t, void *self,
                         const struct queue_row *row, struct arena *scratch);

/* Hands over each row; rows live until fn returns.  Says on stderr when it
 * reads the log itself.  An error was said too: the command ends with
 * EX_UNAVAILABLE then. */
struct queue_damage {
    struct arena *memory;
    str lines;              /* what of the log is damaged; empty: nothing */
};
err queue_rows_each(struct task *t, const struct tool_args *args,
                    const struct conf *c, queue_row_fn *fn, void *self,
                    struct queue_damage *damage /* may be NULL */);

/* Looks at the log of a stopped system: hands over each message as it is
 * there, without changing anything.  spool: for reading bodies. */
typedef err spool_list_fn(struct task *t, void *self, struct spool *spool,
                          const struct spool_found *found,
                          const struct queue_state *q);
err spool_list(struct task *t, const struct conf *c, spool_list_fn *fn,
               void *self, struct queue_damage *damage /* may be NULL */);

#endif
