/* SPDX-License-Identifier: ISC
 *
 * Master: binds, starts roles, hands over what they need, starts them again.
 * It runs as root (or as an ordinary user on high ports) and never reads a
 * byte from the network.
 *
 * I1  A listening socket is bound once and kept over reloads and crashes: no
 *     connection is refused meanwhile.
 * I2  Two roles that talk share a socket pair made here; when one of them
 *     starts again both get new ends.
 */
#ifndef ROLE_MASTER_MASTER_H
#define ROLE_MASTER_MASTER_H

#include "role/role.h"

struct child {
    struct link link;
    struct master *m;
    enum role_kind kind;
    uint32_t number;        /* among its kind; a reader's: its user id */
    uint32_t gid;           /* a reader's */
    bool once;              /* not started again when it ends */
    struct process process;
    struct port *control;
    when started;
    uint32_t n_fast_deaths;
    uint64_t turn;      /* when it was given its ports, among all; 0: not yet */
    bool alive, ready;
    bool ending;        /* its port is closed, the process not yet gone */
};

/* One bound address of one service. */
struct bound {
    struct link link;
    str key;                /* service type, name and address */
    int fd;
    uint32_t service;       /* index in the present configuration */
    str command;
    uint32_t service_next;  /* while binding: in the coming one */
    str command_next;
    bool used, fresh;       /* by the coming one; bound for it */
};

struct master {
    const struct master_options *o;
    struct arena *memory;
    struct arena conf_memory;
    struct conf *conf;
    const struct conf *coming; /* while its sockets are bound */
    struct link children, bounds;
    uint64_t n_turns;
    struct task_group group;
    struct bell changed;    /* a child became ready or ended */
    str failure;            /* why a role ended, while the system starts */
    bool root, serving, stopping;
    uint32_t uid, gid;      /* of mail_owner */
    enum log_sink sink;
    int log_fd, log_facility;
    struct tls_tickets tickets;
    char pass_key[PASS_KEY_SIZE]; /* made at the start, told to authd and
                                     readers: never to a door */
};

/* setup.c: directories, pid file, log. */
err master_directories(struct task *t, struct master *m);
err master_pid_file(struct task *t, struct master *m);
err master_log_open(struct task *t, struct master *m);

/* bind.c */
/* Binds what c asks for and lets go of what it does not; on an error all
 * stays as it was. */
err master_bind(struct task *t, struct master *m, const struct conf *c);
void master_unbind(struct master *m);

/* child.c */
err children_start(struct task *t, struct master *m);
void children_configure(struct task *t, struct master *m);
void children_tell(struct master *m, enum control_frame what);
bool children_ready(const struct master *m);
/* The names of those that are not, in m's memory. */
str children_awaited(const struct master *m);
void children_stop(struct task *t, struct master *m, int64_t patience_s);

/* hand.c: what a child is given. */
err child_hand_all(struct task *t, struct child *c);
err child_hand_configuration(struct task *t, struct child *c);
/* A new port between two children. */
err children_connect(struct task *t, struct child *a, struct child *b);

/* ended.c: tells roles of users whose sessions end; whether there were any. */
bool ended_tell(struct task *t, struct master *m);

/* pickup.c: empties maildrop now and then, until cancelled. */
err pickup_run(struct task *t, void *master);

/* keys.c: certificates, keys and the like of a service, read as root. */
bool master_keys_load(struct task *t, struct master *m,
                      const struct service *s, struct arena *a,
                      struct role_keys *out);

/* tickets.c: makes new keys for TLS session tickets now and then, and hands
 * them to who serves TLS, until cancelled. */
void tickets_begin(struct task *t, struct master *m);
err tickets_run(struct task *t, void *master);
err tickets_give(struct task *t, struct child *c);

#endif
