/* SPDX-License-Identifier: ISC
 *
 * Tasks: fibers with straight-line code.  A function can suspend iff its
 * first parameter is struct task *.  Nobody stores a task pointer.
 *
 * Every wait on somebody else has its time limit in the call, as a point in
 * time, so that a dialogue can share one.  A wait that ends early says how:
 * ERR_LATE (the deadline), ERR_STOPPED (this task was cancelled; from then on
 * every wait says so).
 */
#ifndef RT_TASK_H
#define RT_TASK_H

#include "base/base.h"

struct task;
struct world;

/* A point in monotonic time, in microseconds; never zero, so that zero can
 * mean "none yet" in structures. */
typedef int64_t when;
#define NEVER INT64_MAX

/* The monotonic clock as of this loop turn; the clock on the wall, in
 * microseconds since 1970. */
when rt_now(struct task *t);
int64_t rt_wall(struct task *t);

/* Points in time from now on; s < 0 or huge gives NEVER. */
when after_s(struct task *t, int64_t s);
when after_ms(struct task *t, int64_t ms);

void rt_random(struct task *t, void *p, size_t n);
uint64_t rt_random_below(struct task *t, uint64_t below);

/* Says why, once, where it is understood; returns e.  The sentence rides on
 * the task until the next why(); task_why() reads it ("" if none). */
err why(struct task *t, err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *task_why(struct task *t);

/* Lets other ready tasks run. */
err task_yield(struct task *t);

/* For loops that are long because of what somebody else chose: lets others
 * run once this task has had the processor for a few milliseconds, the
 * network included.  Costs a look at the clock.  It is a wait, so what is
 * borrowed from others does not survive it; being cancelled is no error
 * here, so that a change can be finished (then nobody is let in any more). */
void task_breathe(struct task *t);
err task_sleep(struct task *t, when until);

/* Whether this process can take on another task that opens so many
 * descriptors, and keep some for everything else.  Who takes on work that
 * can be refused asks first. */
bool rt_room(struct task *t, uint32_t n_fds);

/* Whether this task was cancelled: for long computations. */
bool task_stopped(struct task *t);

/* Runs fn(arg) on a helper thread and waits for its end, whatever happens:
 * fn must end by itself.  fn gets no task and may block. */
void offload(struct task *t, void (*fn)(void *), void *arg);

/* A bell: tasks wait at it, others ring.  All zero is a valid bell.  Rings
 * are not remembered: wait in a loop around the condition. */
struct bell_waiter;
struct bell {
    struct bell_waiter *first, *last;
};
err bell_wait(struct task *t, struct bell *b, when until);
void bell_ring(struct bell *b);     /* wakes the longest waiting, if any */
void bell_ring_all(struct bell *b);
bool bell_waited(const struct bell *b);

/* Children live in a group on their parent's stack.  Closing it cancels them
 * and waits: nothing of them is left afterwards. */
struct task_group {
    struct world *world;
    struct link children;
    struct task *parent;    /* whose log name and limits they inherit */
    struct bell ended;      /* rings at each child's end */
    size_t n;               /* living children */
    err first;              /* the first error a child returned */
};
void group_open(struct task *t, struct task_group *g);
void group_go(struct task_group *g, const char *name,
              err (*fn)(struct task *t, void *arg), void *arg);

/* Waits until no child (fewer than n children) is left. */
err group_wait(struct task *t, struct task_group *g, when until);
err group_wait_below(struct task *t, struct task_group *g, size_t n, when until);

/* Cancels the children without waiting; closing waits too. */
void group_stop(struct task_group *g);
void group_close(struct task *t, struct task_group *g);

/* fn(arg) runs at the end of each loop turn, after the ready tasks and before
 * the world sleeps: channels flush and batches commit there.  It must not
 * wait.  Hooks run in order of rank. */
struct turn_hook {
    struct link link;
    void (*fn)(void *arg);
    void *arg;
    int rank;
    uint32_t process;   /* the simulated world's */
};
void turn_hook_add(struct task *t, struct turn_hook *h, int rank,
                   void (*fn)(void *), void *arg);
void turn_hook_del(struct turn_hook *h);

#endif
