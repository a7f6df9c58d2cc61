/* SPDX-License-Identifier: ISC
 *
 * A row of a queue listing, as postqueue reads it.
 */
#ifndef ROLE_QUEUE_ROW_H
#define ROLE_QUEUE_ROW_H

#include "base/base.h"

struct queue_row_rcpt {
    str address, reason;
};
struct queue_row {
    str queue;              /* "active", "deferred", "hold", "incoming" */
    str id;
    int64_t arrival_us;
    uint64_t size;
    bool forced;
    str sender;
    const struct queue_row_rcpt *rcpts;
    uint32_t n_rcpts;
};
err queue_row_unpack(str packed, struct arena *a, struct queue_row *out);

#endif
