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
 * I3  Of two editions (role/edition.h) at most one is in force; a role that
 *     starts again gets that one, with the bytes that were read for it then.
 * I4  Roles are this program itself, as it was when master was started, even
 *     if another version lies in its place by now.
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
    bool unwanted;          /* not even started, if it was not yet */
    struct process process;
    struct port *control;
    when started;
    uint32_t n_fast_deaths;
    uint64_t turn;      /* when it was given its ports, among all; 0: not yet */
    struct edition *begins; /* started for one that is not in force yet */
    uint32_t offered, ready, refused, taken; /* editions; 0: none */
    bool alive;
    bool ending;        /* its port is closed, the process not yet gone */
};

/* One bound address of one service. */
struct bound {
    struct link link;
    struct arena memory;
    str key;                /* the address */
    const char *path;       /* of a UNIX socket, or NULL */
    int fd;
    uint32_t number;
    uint32_t service;       /* index in the present configuration */
    enum role_kind role;    /* who serves it there */
    uint32_t mode;          /* of a UNIX socket's file */
    uint32_t service_next;  /* while binding: in the coming one */
    enum role_kind role_next;
    uint32_t mode_next;
    bool used, fresh;       /* by the coming one; bound for it */
};

struct log_target {
    enum log_sink sink;
    int fd, facility;       /* fd -1: none */
};

struct reload;
struct master;
struct desk {
    struct master *m;
    struct sock *listener;
};

struct master {
    const struct master_options *o;
    struct arena *memory;
    struct edition *now;    /* in force */
    struct edition *coming; /* while it is opened everywhere */
    struct reload *reload;  /* under way, or NULL */
    struct bell reloaded;   /* rings at its end */
    uint32_t n_editions, n_bounds; /* number them */
    struct link children, bounds;
    uint64_t n_turns;
    struct task_group group;
    struct bell changed;    /* a child answered or ended */
    str failure;            /* why a role ended, while the system starts */
    bool root, serving, stopping;
    uint32_t uid, gid;      /* of mail_owner */
    struct log_target log;
    struct desk desk;
    struct tls_tickets tickets;
    char pass_key[PASS_KEY_SIZE]; /* made at the start, told to authd and
                                     readers: never to a door */
};

/* setup.c: directories, pid file, log. */
err master_directories(struct task *t, struct master *m);
err master_pid_file(struct task *t, struct master *m);
/* Where the log goes by c. */
err master_log_find(struct task *t, const struct conf *c,
                    struct log_target *out);
/* From now on it goes there; what was before is closed. */
void master_log_take(struct task *t, struct master *m,
                     const struct log_target *l);

/* load.c: a configuration with what belongs to it, read and examined. */
err master_load(struct task *t, struct master *m, struct buf *out,
                struct edition **e);
/* A line for the log, and for who asked for a reload, whose out it is (or
 * NULL). */
enum report_kind { REPORT_WARNING, REPORT_ERROR };
void report_line(struct task *t, struct buf *out, enum report_kind kind,
                 str line);

/* bind.c */
/* Binds what m->coming asks for besides what is bound; on an error all is as
 * it was.  Then either of the others has to follow. */
err bounds_prepare(struct task *t, struct master *m);
void bounds_take(struct master *m);
void bounds_drop(struct master *m);
/* Lets go of all. */
void bounds_close(struct master *m);

/* child.c */
void children_start(struct master *m);
/* Starts whom m->coming wants and nobody wanted before. */
void children_add(struct master *m);
/* Lets those end whom m->now does not want. */
void children_remove(struct master *m);
void children_tell(struct master *m, enum control_frame what);
void child_kill(struct child *c);
bool children_ready(const struct master *m);
/* The names of those that are not, in a. */
str children_awaited(const struct master *m, struct arena *a);
void children_stop(struct task *t, struct master *m, int64_t patience_s);

/* hand.c: what a child is given. */
err child_hand_all(struct task *t, struct child *c, struct edition *e);
err child_hand_edition(struct task *t, struct child *c, struct edition *e);
err child_hand_log(struct task *t, struct child *c);
/* CONTROL_PREPARE, _TAKE, _DROP. */
err child_step(struct task *t, struct child *c, enum control_frame what,
               uint32_t edition);
/* A new port between two children. */
err children_connect(struct task *t, struct child *a, struct child *b);

/* ended.c: tells roles of users whose sessions end; whether there were any. */
bool ended_tell(struct task *t, struct master *m);
/* reload.c */
/* The whole of a reload; waits for its turn.  Lines for who asked are
 * appended to out, which may be NULL.  OK: the configuration is in force. */
err master_reload(struct task *t, struct master *m, struct buf *out);
/* A child was lost, or said why it ends, while a reload needs it. */
void reload_lost(struct task *t, struct child *c, str text);

/* desk.c: what `postfix reload` asks, until cancelled. */
err desk_open(struct task *t, struct master *m, struct sock **out);
err desk_run(struct task *t, void *desk);

/* pickup.c: empties maildrop now and then, until cancelled. */
err pickup_run(struct task *t, void *master);

/* keys.c: certificates, keys and the like of a service, read as root; in e's
 * memory, and NULL if there are none.  An err: they cannot be handed over. */
err master_keys_load(struct task *t, struct edition *e, uint32_t service,
                     struct role_keys **out);

/* tickets.c: makes new keys for TLS session tickets now and then, and hands
 * them to who serves TLS, until cancelled. */
void tickets_begin(struct task *t, struct master *m);
err tickets_run(struct task *t, void *master);
void tickets_give(struct child *c);

#endif
