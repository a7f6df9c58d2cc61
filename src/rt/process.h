/* SPDX-License-Identifier: ISC
 *
 * Processes and signals.
 */
#ifndef RT_PROCESS_H
#define RT_PROCESS_H

#include "rt/sock.h"

struct process {
    int pid;
    int pidfd;
};

/* What a new process is given.  No shell is ever involved. */
struct process_plan {
    const char *path;               /* of the program; NULL: argv[0] */
    int program;                    /* of process_self(): run instead of path;
                                       0: none */
    const char *const *argv;        /* NULL-ended */
    const char *const *env;         /* "NAME=value", NULL-ended */
    const int *fds;                 /* become descriptors 0, 1, 2, ...; -1:
                                       /dev/null */
    int n_fds;
    bool set_ids;                   /* change to uid/gid, groups dropped */
    uint32_t uid, gid;
    bool read_all;                  /* with set_ids, by root: may still read
                                       every file and directory */
    const char *dir;                /* working directory, NULL: unchanged */
    bool new_session;
    uint64_t file_size_max;         /* of files it writes; 0: as we may */
};

err process_start(struct task *t, const struct process_plan *plan,
                  struct process *out);

/* A descriptor that stands for the running program, the caller's to close; 0
 * if there is none.  Users who cannot reach the program's path can run it, and
 * it stays this program when its file is replaced. */
int process_self(void);

/* Raises the soft limit of open files to the hard one, for this process and
 * those it starts. */
void process_files_raise(void);

/* Waits for its end; *status is as from waitpid(2). */
err process_wait(struct task *t, struct process *p, when until, int *status);
err process_signal(struct process *p, int signo);

/* Blocks the signals (a bit mask of 1 << signo) for this process and waits
 * for the next of them. */
struct signals;
err signals_open(struct task *t, uint64_t mask, struct signals **out);
err signals_wait(struct task *t, struct signals *s, when until, int *signo);
void signals_close(struct signals *s);

#endif
