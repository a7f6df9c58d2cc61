/* SPDX-License-Identifier: ISC
 *
 * Worlds: the real one (rt/epoll) and the simulated one (rt/sim).  Role code
 * cannot tell them apart.
 */
#ifndef RT_WORLD_H
#define RT_WORLD_H

#include "rt/task.h"

/* Runs fn as the first task of a real world and returns what it returned,
 * after everything it started has ended. */
err world_run(const char *log_name, err (*fn)(struct task *t, void *arg),
              void *arg);

/* Seconds east of UTC for log lines and Date: fields at this moment. */
int world_zone_s(struct task *t, int64_t wall_us);

#endif
