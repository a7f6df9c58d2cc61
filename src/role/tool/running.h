/* SPDX-License-Identifier: ISC
 *
 * Whether the mail system runs, by $queue_directory/pid/master.pid: the first
 * line is master's process id.  Master holds a lock on that file as long as
 * it lives: a number alone may have been given to somebody else since.
 */
#ifndef ROLE_TOOL_RUNNING_H
#define ROLE_TOOL_RUNNING_H

#include "conf/conf.h"
#include "rt/rt.h"

/* Master's process id, 0 if the system does not run. */
int running_pid(struct task *t, const struct conf *c);

/* Holds the system stopped while the file is open: "postfix start" refuses
 * then.  ERR_DENIED: it runs. */
err running_hold(struct task *t, const struct conf *c, struct file **out);

/* Sends it a signal; group: to all of its process group. */
err running_signal(struct task *t, int pid, int signo, bool group);

/* Waits until the process is gone; false if it still is there. */
bool running_wait_gone(struct task *t, const struct conf *c, when until);

#endif
