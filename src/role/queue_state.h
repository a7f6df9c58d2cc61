/* SPDX-License-Identifier: ISC
 *
 * A message of the spool read without a queue manager: what its ENV record
 * and notes say.  The commands that work on a stopped system read with this.
 *
 * ENV's payload: the packed envelope as a string | state, which is missing
 * right after intake.  Notes: QUEUE_NOTE_STATE the state, QUEUE_NOTE_DONE
 * numbers of recipients that are done.
 *
 * State: u8 version | u8 hold | u8 delay notice was sent | i64 next try |
 * u32 attempts | u32 recipients | for each: u8 status, str dsn, str reason.
 */
#ifndef ROLE_QUEUE_STATE_H
#define ROLE_QUEUE_STATE_H

#include "mail/envelope.h"
#include "mail/queue_id.h"
#include "role/queue_row.h"
#include "spool/spool.h"

enum { QUEUE_STATE_VERSION = 1, QUEUE_NOTE_STATE = 1, QUEUE_NOTE_DONE = 2 };

enum queue_rcpt_status { QUEUE_RCPT_OPEN, QUEUE_RCPT_DONE, QUEUE_RCPT_FAILED,
                         QUEUE_RCPT_DEFERRED };

struct queue_state_rcpt {
    enum queue_rcpt_status status;
    str dsn, reason;
};

struct queue_state {
    uint64_t number;
    struct queue_id id;
    struct envelope envelope;
    bool hold, delay_noticed;
    int64_t next_us;
    uint32_t attempts;
    struct queue_state_rcpt *rcpts; /* as many as envelope.recipients */
};

/* Everything is copied into a.  long_ids: enable_long_queue_ids. */
err queue_state_read(const struct spool_found *f, bool long_ids,
                     struct arena *a, struct queue_state *out);

/* The state alone, as a note holds it. */
void queue_state_pack(const struct queue_state *q, struct buf *to);

/* "hold", "incoming" or "deferred". */
str queue_state_queue(const struct queue_state *q, int64_t now_us);

/* The same message as a row of a listing; the array is in a. */
void queue_state_row(const struct queue_state *q, int64_t now_us,
                     struct arena *a, struct queue_row *out);

#endif
