/* SPDX-License-Identifier: ISC
 *
 * Who calls a command, what they may, and commands that call each other.
 */
#ifndef ROLE_TOOL_CALLER_H
#define ROLE_TOOL_CALLER_H

#include "role/tool/tool.h"

/* The caller's login name, or empty if the system knows none. */
str caller_name(struct arena *a);

/* The full name that the system has for them, or empty. */
str caller_full_name(struct arena *a);

/* Whether the caller is on one of the lists authorized_mailq_users,
 * authorized_flush_users, authorized_submit_users. */
err caller_allowed(struct task *t, const struct conf *c, enum param list);

/* As tool_conf(), but a set-group-id command called by somebody who is not
 * root takes a configuration directory of the caller's only if
 * alternate_config_directories or multi_instance_directories of the default
 * one list it. */
err caller_conf(struct task *t, struct arena *a, const struct tool_args *args,
                const char *dir, struct conf **out);

/* Whether the caller is root or owns the queue directory. */
bool caller_owns_queue(struct task *t, const struct conf *c);

/* Runs our own argv[0], beside this program or in ../sbin, if it is
 * set-group-id and we are neither root nor of its group: it may what we may
 * not.  -1: there is none, else its exit status.  argv is NULL-ended;
 * stdin_fd: -1 for ours. */
int caller_helper(struct task *t, const char *const *argv, int stdin_fd);

/* Calls another command: by such a helper, or else fn here. */
int caller_run(struct task *t, const struct conf *c, tool_fn *fn,
               const char *const *argv);

#endif
