/* SPDX-License-Identifier: ISC
 *
 * Watching files and directories for changes.  A process has one hub; a
 * watch is a set of paths that somebody waits for.
 *
 * A watch is a hint: it may wake without need, and where the system has no
 * more watches to give it wakes every POLL_S seconds instead.
 */
#ifndef RT_WATCH_H
#define RT_WATCH_H

#include "rt/file.h"
#include "rt/sock.h"

struct watch_hub;
struct watch;

/* Opened in a, closed with it. */
err watch_hub_open(struct task *t, struct arena *a, struct watch_hub **out);

/* Serves the hub; a task of its own for as long as watches are used. */
err watch_hub_run(struct task *t, void *hub);

/* A watch of no path yet; hub NULL: one that only polls. */
struct watch *watch_new(struct watch_hub *hub);
void watch_close(struct watch *w); /* NULL is fine */

/* Adds a path below dir: entries made, removed, renamed, written. */
err watch_add(struct task *t, struct watch *w, struct dir *dir, str path);

/* OK when something changed since the last wait (or may have). */
err watch_wait(struct task *t, struct watch *w, when until);

/* The same, or when s has input: OK in both cases.  watch_changed says
 * whether it was the watch, and forgets it. */
err watch_wait_sock(struct task *t, struct watch *w, struct sock *s,
                    when until);
bool watch_changed(struct task *t, struct watch *w);

#endif
