/* SPDX-License-Identifier: ISC
 *
 * The queue manager's own view: messages, destinations, workers.
 *
 * A message lives in its own arena from intake (or recovery) to its end.  It
 * is deferred (in the timers), on hold, or active: planned into parts, one
 * for each destination, from which jobs are cut.
 *
 * I1  message->n_open counts the recipients that are neither done nor failed
 *     in this run; a run ends when no part of the message is left.
 * I2  What a result says is noted in the spool before anything forgets it.
 * I3  A failure report is in the spool in the same batch as the state that
 *     forgets the recipient it is about.
 */
#ifndef ROLE_QMGR_QUEUE_H
#define ROLE_QMGR_QUEUE_H

#include "mail/dsn.h"
#include "mail/queue_id.h"
#include "role/role.h"
#include "spool/face.h"
#include "spool/spool.h"
#include "table/table.h"

enum rcpt_status { RCPT_OPEN, RCPT_DONE, RCPT_FAILED, RCPT_DEFERRED };

struct rcpt_state {
    enum rcpt_status status;
    bool success_wanted;    /* DONE, and a success report is due */
    bool final;             /* DONE: this was its mailbox */
    char dsn[12];
    str report_to;          /* FAILED: a list's owner, or empty */
    str reason, remote_mta, diagnostic; /* heap copies in the message's arena */
};

struct message {
    struct arena memory;
    struct spool_entry *entry;
    struct queue_id id;
    struct envelope envelope;
    struct rcpt_state *rcpts;   /* as many as envelope.recipients */
    struct heap_node timer;     /* deferred: wall time of the next try */
    struct link all;            /* queue->messages, by arrival */
    int64_t next_us;
    uint32_t attempts;
    uint32_t n_parts;           /* parts planned and not finished */
    bool hold, active, delay_noticed, forced;
    bool going;                 /* deleted while active */
};

/* Where mail goes: one transport and next hop. */
struct transport {
    struct link link;
    str name;
    enum role_kind role;        /* N_ROLES: done by the queue itself */
    str command;                /* "smtp", "local", "error", "discard" */
    uint32_t rcpts_max;         /* recipients of one job */
    uint32_t jobs_max;          /* jobs in flight to one destination */
    uint32_t service_max;       /* process limit of the line; 0: none */
    uint32_t n_active;
};

struct next_hop {
    struct queue *queue;
    struct link ready;          /* queue->ready when it can be served */
    str key;
    struct transport *transport;
    str nexthop;
    struct link parts;          /* waiting */
    uint32_t n_parts, n_active;
    int64_t dead_until_us;
    str dead_reason;
};

/* A message's recipients for one destination. */
struct part {
    struct link link;           /* destination->parts */
    struct message *message;
    struct next_hop *to;
    uint32_t *index;            /* of recipients */
    uint32_t n, at;             /* those before at were cut into jobs */
    uint32_t n_jobs;            /* in flight */
    bool passed;                /* an agent named this destination */
};

struct worker;
struct sent_job {
    struct link link;           /* worker->jobs */
    uint64_t id;
    struct part *part;
    struct worker *worker;
    uint32_t from, n;           /* part->index[from .. from + n) */
};

struct worker {
    struct link link;
    struct queue *queue;
    struct port *port;
    enum role_kind role;
    struct link jobs;
    uint32_t n_jobs;
    struct map segments;        /* numbers it has descriptors of */
    uint32_t *numbers;
};

struct places;
struct queue {
    struct role *role;
    const struct conf *conf;
    uint32_t epoch;             /* of conf */
    struct spool *spool;
    struct places *places;      /* tables and routes of conf (where.c) */
    struct table_opener opener;
    struct link messages;
    struct heap timers;
    struct link transports;
    struct map destinations;    /* key -> struct next_hop */
    struct link ready;
    struct link workers;
    struct bell work;           /* something can be dispatched */
    struct bell timer;          /* the first timer changed */
    struct task_group group;
    uint64_t next_number;       /* of a message */
    uint64_t next_job;
    uint64_t n_messages;
    bool failed;
};

/* --- message.c ----------------------------------------------------------- */

/* A message that is in the spool by now; the envelope is copied.  It becomes
 * active unless it is on hold. */
void message_add(struct task *t, struct queue *q, struct spool_entry *e,
                 const struct envelope *env);
/* From recovery. */
void message_restore(struct task *t, struct queue *q,
                     const struct spool_found *f);
struct message *message_find(struct queue *q, str queue_id);

/* Ends a run: reports, state, the end or the next try. */
err message_run_end(struct task *t, struct queue *q, struct message *m);

/* The message's state into the spool. */
err message_note(struct task *t, struct queue *q, struct message *m);
/* Recipients of it that are done, as they are. */
err message_note_done(struct task *t, struct queue *q, struct message *m,
                      const uint32_t *index, uint32_t n);
void message_pack(void *queue, struct spool_entry *e, struct buf *to);
err message_forget(struct task *t, struct queue *q, struct message *m);
void message_defer(struct task *t, struct queue *q, struct message *m,
                   int64_t until_us);

/* --- plan.c -------------------------------------------------------------- */

/* Makes a message active: routes its open recipients into parts. */
err message_activate(struct task *t, struct queue *q, struct message *m);
err transports_load(struct task *t, struct queue *q);
struct transport *transport_find(const struct queue *q, str name);

/* --- dispatch.c ---------------------------------------------------------- */

void next_hop_add(struct task *t, struct queue *q, struct part *p);
struct next_hop *next_hop_get(struct queue *q, struct transport *tr,
                                    str nexthop);
void next_hop_ready(struct queue *q, struct next_hop *d);
err dispatch_run(struct task *t, void *queue);
err worker_run(struct task *t, void *worker);
struct worker *worker_new(struct queue *q, struct role_port *p);

/* --- result.c ------------------------------------------------------------ */

/* A recipient's outcome; reason etc. are copied. */
void rcpt_result(struct message *m, uint32_t index,
                 const struct result_rcpt *r);
err result_take(struct task *t, struct queue *q, struct sent_job *job,
                const struct result *r);
/* The rest of a part gets one outcome without being tried. */
err part_give_up(struct task *t, struct queue *q, struct part *p,
                 const struct result_rcpt *r, const char *log_name);
void part_done(struct task *t, struct queue *q, struct part *p);

/* --- report.c ------------------------------------------------------------ */

/* Makes the reports that are due and appends them to the spool together with
 * what the caller appends next (I3). */
err reports_make(struct task *t, struct queue *q, struct message *m);
err delay_report_make(struct task *t, struct queue *q, struct message *m);

/* --- intake.c, admin.c --------------------------------------------------- */

err intake_run(struct task *t, void *arg);
struct intake *intake_new(struct queue *q, struct role_port *p);
err admin_run(struct task *t, void *listener);

#endif
