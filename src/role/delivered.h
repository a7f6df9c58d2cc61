/* SPDX-License-Identifier: ISC
 *
 * The line that log analysers live on: one a recipient and try.
 *
 *   ID: to=<x>, orig_to=<y>, relay=host[addr]:port, delay=1.2,
 *       delays=0.1/0/0.9/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok)
 *
 * delays: before the queue manager, in it, connecting, transmitting.
 */
#ifndef ROLE_DELIVERED_H
#define ROLE_DELIVERED_H

#include "spool/face.h"

struct delivery_line {
    str queue_id;
    int64_t arrival_us, dispatch_us;
    int64_t connected_us;   /* 0: no connection was made for it */
    int64_t start_us;       /* when the worker took the job up; 0: now */
    bool soft_bounce;       /* failures are deferrals (soft_bounce) */
    uint32_t n_used;        /* transactions on this connection, 0 or 1: none */
};

void delivery_say(struct task *t, const char *log_name,
                  const struct delivery_line *line, const struct recipient *r,
                  const struct result_rcpt *result);

#endif
