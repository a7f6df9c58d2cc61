/* SPDX-License-Identifier: ISC
 *
 * Deliveries on this host: local(8), virtual(8), pipe(8).
 *
 *   planner   this process: ports to the queue manager, tables, bodies of
 *             messages; decides user, mailbox and command.  Runs as
 *             mail_owner, reads files that anybody may read, writes none and
 *             starts nothing.
 *   spawner   spawner.h: keeps root's rights, reads nothing.
 *   hands     hand.h: one process for each user that gets mail, kept for
 *             max_idle; they write, run and read as that user.
 *
 * A job's life: unpacked into a run (an arena and a task of its own), given
 * to its transport's agent, which settles each recipient: a line in the log
 * and a row of the result.
 *
 * I1  A recipient is settled as sent only after its hand said so, and a hand
 *     says so after the sync.
 * I2  What a run refers to (setup, ports, segments) lives until it ends.
 * I3  Everything that goes wrong here defers mail; only a verdict of the
 *     mailbox, the command or the tables bounces it.
 */
#ifndef ROLE_DELIVER_DELIVER_H
#define ROLE_DELIVER_DELIVER_H

#include "mail/header.h"
#include "role/deliver/hand.h"
#include "role/role.h"
#include "route/alias.h"
#include "spool/face.h"

struct deliver;
struct run;

/* --- setup.c: what a configuration means for us -------------------------- */

struct transport;

struct agent {
    str command;                /* of master.cf: "local", "virtual", "pipe" */
    err (*open)(struct task *t, struct transport *tr);
    void (*deliver)(struct task *t, struct run *r); /* settles everybody */
    bool final;                 /* what it delivers has arrived */
};

/* One line of master.cf. */
struct transport {
    struct link link;
    struct setup *setup;
    const struct service *service;
    const struct agent *agent;
    const struct conf *conf;    /* with the line's -o options */
    str name;
    const char *log_name;       /* "postfix/local" */
    str broken;                 /* why its mail is deferred, or empty */
    void *self;                 /* the agent's */
};

struct setup {
    struct deliver *deliver;
    struct arena *memory;       /* the edition's */
    const struct conf *conf;
    struct tables *tables;
    struct link transports;
};

/* e->self is it then. */
err setup_open(struct task *t, void *deliver, struct edition *e);
struct transport *setup_find(const struct setup *s, str name);

extern const struct agent agent_virtual, agent_local, agent_pipe;

/* --- hands.c: the planner's side of hands -------------------------------- */

struct auth;
struct hand;
struct owner {                  /* who a delivery is done as */
    uint32_t uid, gid;
    str chroot;                 /* pipe only */
};

/* A hand that is this user; kept until hand_give.  An err is temporary, but
 * ERR_DENIED: that user cannot be served; why() says so in both cases. */
err hand_take(struct task *t, struct deliver *d, const struct owner *o,
              struct hand **out);
void hand_give(struct hand *h);

/* The whole of a delivery: sends the work, then what write gives, and waits
 * for its end.  The text is in a. */
struct hand_body;
struct hand_source {
    void *self;
    err (*write)(struct task *t, void *self, struct hand_body *to);
};
err hand_body_add(struct task *t, struct hand_body *to, str bytes);
err hand_do(struct task *t, struct hand *h, const struct hand_work *w,
            const struct hand_source *source, struct arena *a,
            struct hand_done *out);

/* Reads the first file that is there. */
err hand_read(struct task *t, struct hand *h, const struct hand_read *r,
              struct arena *a, struct hand_text *out);

/* Lets all hands end and waits for it: those that run a command end that,
 * after a while. */
void hands_end(struct task *t, struct deliver *d, when until);
void hands_close(struct task *t, struct deliver *d);

/* --- run.c: one job ------------------------------------------------------ */

/* A port to the queue manager, and the segments it gave over it. */
struct jobs_port {
    struct deliver *deliver;
    struct port *port;
    struct map segments;        /* number -> struct segment */
    struct link asking;         /* pieces: whose places are asked for */
    size_t n_runs;
    bool ended;
};

struct run {
    struct jobs_port *from;
    struct deliver *deliver;
    struct edition *edition;    /* in force when the job came */
    struct setup *setup;        /* its */
    struct transport *transport;
    uint64_t id;
    struct arena memory;
    struct job job;
    int64_t start_us;
    struct result_rcpt *results;
    bool has_header;            /* delivered_to was read */
    vec_of(str) delivered_to;   /* addresses, lower case */
};

err jobs_run(struct task *t, void *jobs_port);

/* Settles recipient i: the result's row.  Text and relay are kept as they
 * are, so they live in the run. */
void run_settle(struct run *r, uint32_t i, struct result_rcpt x);
/* A line in the log about recipient i, or about where its mail went (leaf,
 * which may be NULL). */
void run_say(struct task *t, struct run *r, uint32_t i,
             const struct recipient *leaf, const struct result_rcpt *x);
/* The same verdict and line for all of them. */
void run_settle_all(struct task *t, struct run *r, struct result_rcpt x);

struct result_rcpt run_verdict(struct run *r, enum outcome outcome,
                               const char *dsn, str text);
/* A deferral with the reason that rides on the task. */
struct result_rcpt run_no_hand(struct task *t, struct run *r);
/* A warning in the log, under the transport's name. */
void run_warn(struct task *t, struct run *r, str text);

/* --- body.c: the message's bytes ----------------------------------------- */

/* How the bytes shall look. */
struct body_style {
    str head;                   /* goes before it: header fields with LF */
    str eol;                    /* empty: LF */
    bool dots;                  /* "." before lines that begin with one */
    bool quote_from;            /* ">" before "From " */
    bool blank_end;             /* an empty line at the end */
};
struct body {
    struct run *run;
    struct body_style style;
};
struct hand_source body_source(struct body *b);

/* A state of the conversion; pure. */
struct body_lines {
    struct body_style style;
    bool cr;                    /* a CR was seen and not given on */
    bool in_line;               /* not at a line's start */
    size_t matched;             /* of "From " at the line's start */
    char last;
};
void body_lines_init(struct body_lines *l, const struct body_style *style);
/* Appends what piece becomes: at most BODY_GROWTH times its size and some. */
enum { BODY_GROWTH = 10 };
void body_lines_add(struct body_lines *l, str piece, struct buf *to);
void body_lines_end(struct body_lines *l, struct buf *to);

/* Bytes as they are stored, in pieces; stops at what each does not give OK. */
err body_each(struct task *t, struct run *r,
              err (*each)(struct task *t, void *self, str piece),
              void *self);

/* Reads the header once; whether it has Delivered-To: this address. */
err body_was_delivered_to(struct task *t, struct run *r, str address,
                          bool *was);

/* --- submit.c: mail that a delivery makes -------------------------------- */

struct submitter;
struct submitter *submitter_new(struct deliver *d);
void submitter_port(struct task *t, struct submitter *s, struct port *p);
/* A new message: head and then the run's body, in wire form; the envelope's
 * size is the body's.  *queue_id is in the run.  Returns after it is on stable
 * storage. */
err submitter_send(struct task *t, struct run *r, const struct envelope *env,
           str (*head)(struct run *r, str queue_id, void *self), void *self,
           str *queue_id);

/* --- deliver.c ----------------------------------------------------------- */

struct deliver {
    struct role *role;
    struct sock *spawner;
    struct bell spawner_free;
    bool spawner_busy;
    bool plain;                 /* not started by root */
    struct link hands;
    struct bell hand_ended;
    size_t n_runs;
    struct auth *auth;          /* knows the users' quotas; NULL in tests */
    struct table_opener opener; /* asks lookup */
    struct submitter *submitter;
    struct task_group group;
};

#endif
