/* SPDX-License-Identifier: ISC
 *
 * Inside rt only: what tasks and worlds are made of, and the seam between the
 * scheduler, which is one, and the two worlds.
 *
 * I1  A task is on the ready list, or parked, or running; never two of them.
 * I2  A parked task with a deadline is in world->timers, others are not.
 * I3  After task_stop every park returns ERR_STOPPED at once.
 */
#ifndef RT_SCHED_H
#define RT_SCHED_H

#include "rt/file.h"
#include "rt/log.h"
#include "rt/sock.h"
#include "rt/task.h"

struct task {
    void *sp;               /* saved stack pointer while not running */
    struct world *world;
    struct link ready;
    struct link all;        /* world->tasks */
    struct link sibling;    /* group->children */
    struct heap_node timer;
    struct task_group *group;
    err (*fn)(struct task *, void *);
    void *arg;
    const char *name;       /* for stop and panic messages */
    const char *log_name;
    uint32_t process;       /* the simulated world's */
    char *why;              /* heap, or NULL */
    char *stack;            /* lowest address of the mapping */
    when parked_at;
    err wake;               /* what task_park returns */
    bool parked, stopped, trimmed, ended;
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
#endif
};

struct log_state {
    enum log_sink sink;
    int fd;
    char host[256];
    int facility;
    int pid;
    struct buf lines;       /* records: u32 size, bytes */
    int64_t stamp_s;        /* the second that stamp[] shows */
    char stamp[16];
};

/* What a world must do.  All functions that take a task may park it. */
struct world_ops {
    bool simulated;

    /* Waits for events until the deadline and wakes tasks; now if it is
     * past.  Sets w->now. */
    void (*poll)(struct world *w, when until);
    int64_t (*wall)(struct world *w);

    /* The monotonic clock as of now, not of this turn. */
    when (*clock)(struct world *w);
    void (*random)(struct world *w, void *p, size_t n);
    void (*offload)(struct task *t, void (*fn)(void *), void *arg);
    void (*log_write)(struct world *w, str lines);

    err (*listen)(struct task *, const struct endpoint *, int,
                  struct sock **);
    err (*accept)(struct task *, struct sock *, when, struct sock **,
                  struct endpoint *);
    err (*connect)(struct task *, const struct endpoint *,
                   const struct endpoint *, when, struct sock **);
    err (*pair)(struct task *, struct sock **, int *);
    err (*sock_adopt)(struct task *, int, struct sock **);
    void (*sock_close)(struct sock *);
    err (*read)(struct task *, struct sock *, void *, size_t, when, size_t *,
                int *);
    err (*read_some)(struct sock *, void *, size_t, size_t *);
    err (*wait_readable)(struct task *, struct sock *, when);
    err (*wait_either)(struct task *, struct sock *, struct sock *, when);
    err (*wait_writable)(struct task *, struct sock *, when);
    err (*write_some)(struct sock *, const struct iovec *, int, int,
                      size_t *);
    bool (*readable)(const struct sock *);
    void (*shutdown)(struct sock *);
    err (*sock_name)(struct sock *, bool peer, struct endpoint *);

    err (*dir_open)(struct task *, struct dir *, str, struct dir **);
    void (*dir_close)(struct dir *);
    err (*dir_make)(struct task *, struct dir *, str, uint32_t);
    err (*dir_remove)(struct task *, struct dir *, str);
    err (*dir_sync)(struct task *, struct dir *);
    err (*dir_list)(struct task *, struct dir *, struct arena *,
                    struct names *);
    err (*dir_space)(struct task *, struct dir *, uint64_t *, uint64_t *);
    err (*file_open)(struct task *, struct dir *, str, int, uint32_t,
                     struct file **);
    err (*file_adopt)(struct task *, int, struct file **);
    int (*file_fd)(const struct file *);
    void (*file_close)(struct file *);
    err (*file_read)(struct task *, struct file *, uint64_t, void *, size_t,
                     size_t *);
    err (*file_write)(struct task *, struct file *, uint64_t, str);
    err (*file_append)(struct task *, struct file *, str);
    err (*file_sync)(struct task *, struct file *);
    err (*file_reread)(struct task *, struct file *);
    err (*file_size_set)(struct task *, struct file *, uint64_t);
    err (*file_stat)(struct task *, struct file *, struct dir *, str,
                     struct file_stat *);
    err (*file_rename)(struct task *, struct dir *, str, struct dir *, str);
    err (*file_link)(struct task *, struct dir *, str, struct dir *, str);
    err (*file_unlink)(struct task *, struct dir *, str);
};

struct world {
    const struct world_ops *ops;
    struct link ready, tasks, hooks;
    struct heap timers;
    when now;
    when swept;             /* last time idle stacks were trimmed */
    bool unswept;           /* there may be some that are not */
    bool tired;             /* a task gave way: look at the network next */
    when run_since;         /* when the running task was first seen to run,
                               zero: not yet */
    void *sp;               /* the scheduler's own, while a task runs */
    struct task *current;
    char *stacks;           /* free list through their first words */
    size_t n_stacks;
    size_t n_tasks;         /* living ones */
    struct log_state log;
    size_t (*choose)(struct world *w, size_t n); /* which ready task runs
                               next; NULL: the first */
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_size;
#endif
};

/* The common head of both worlds' sockets, files and directories. */
struct sock {
    const struct world_ops *ops;
};
struct file {
    const struct world_ops *ops;
};
struct dir {
    const struct world_ops *ops;
};

void world_init(struct world *w, const struct world_ops *ops);
void world_done(struct world *w);

/* Runs the loop until the first task, which runs fn, has ended. */
err world_loop(struct world *w, const char *log_name,
               err (*fn)(struct task *, void *), void *arg);

/* Parks the running task until task_wake or the deadline. */
err task_park(struct task *t, when until);

/* The same for what must be waited for, cancelled or not: parks in spite of an
 * earlier stop and forgets none.  A stop ends it with ERR_STOPPED; the caller
 * looks whether what it waits for has come, else parks again. */
err task_park_through(struct task *t, when until);

/* Makes a parked task ready; harmless if it is not parked. */
void task_wake(struct task *t, err reason);
void task_stop(struct task *t);

/* For a crash in the simulated world: tasks and hooks of a process are no
 * more.  A group that is not the process's own forgets them. */
void tasks_vanish(struct world *w, uint32_t process);

/* stack.c: memory for a task with its stack, and back. */
struct task *task_memory(struct world *w);
void task_memory_free(struct world *w, struct task *t);
void task_memory_trim(struct task *t);
void stacks_drop(struct world *w);

/* switch.c */
void task_switch_prepare(struct task *t, char *top,
                         void (*entry)(struct task *));
void task_switch_in(struct world *w, struct task *t);
void task_switch_out(struct task *t, bool for_ever);
void task_switch_started(struct task *t);

#endif
