/* SPDX-License-Identifier: ISC
 *
 * The simulated world, as tests see it: a virtual clock, one seed for all
 * chance, sockets as pipes, a disk in memory.  Tasks form processes that can
 * be killed alone or together with the machine.  Two runs of one seed are the
 * same to the last event.
 *
 * Process 0 is the test itself: it is never hurt by faults.
 */
#ifndef RT_SIM_H
#define RT_SIM_H

#include "rt/rt.h"

/* Chances are in a million per operation; all zero is a perfect world. */
struct sim_faults {
    uint32_t write_fails, sync_fails;   /* EIO */
    uint32_t sync_slow;                 /* seconds instead of milliseconds */
    uint32_t reset, refuse, slow;       /* of connections through the net:
                                           a write breaks it; nobody answers
                                           a connect; a piece is late */
    uint64_t capacity;                  /* of the disk, 0: without end */
    bool sync_lies;                     /* OK, but nothing is durable */
};

struct sim_options {
    uint64_t seed;
    void (*trace)(void *self, str line); /* NULL: nobody listens */
    void *self;
};

/* Runs fn as the first task of process 0.  *hash is of all that happened. */
err sim_run(const struct sim_options *o, err (*fn)(struct task *, void *),
            void *arg, uint64_t *hash);

struct sim_faults *sim_faults(struct task *t);

/* A line of the trace; "%..." costs nothing when nobody listens. */
void sim_say(struct task *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A number of a process to be; what is made between sim_act_as(number) and
 * sim_act_as(what that returned) belongs to it. */
uint32_t sim_process_new(struct task *t);
uint32_t sim_act_as(struct task *t, uint32_t process);

/* The first task of a process.  When it is killed the group forgets it. */
void sim_process_go(struct task *t, struct task_group *g, uint32_t process,
                    const char *name, err (*fn)(struct task *, void *),
                    void *arg);

/* kill -9: its tasks are no more, its sockets close, what it wrote stays. */
void sim_process_kill(struct task *t, uint32_t process);

/* The machine stops: every process but 0 is gone, its peers hear of it late,
 * and what was not synced is kept, lost or garbage, sector by sector. */
void sim_power_loss(struct task *t);

/* The page of the file that offset lies in cannot be read any more, until it
 * is written again. */
void sim_page_break(struct file *f, uint64_t offset);

/* What the run has met so far, for the report. */
struct sim_counts {
    uint64_t turns, syncs, bytes_synced, sectors_lost, resets, connections;
};
const struct sim_counts *sim_counts(struct task *t);

#endif
