/* SPDX-License-Identifier: ISC
 *
 * The queue manager's own view: messages, destinations, workers.
 *
 * A message lives in its own arena from intake (or recovery) to its end.  It
 * is deferred (in the timers), on hold, or active: planned into parts, one
 * for each destination, from which jobs are cut.  A destination lives as long
 * as parts point to it, or as it has a delay to remember.
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
#include "role/crowd.h"
#include "role/doors.h"
#include "spool/face.h"
#include "spool/spool.h"
#include "table/table.h"

enum rcpt_status { RCPT_OPEN, RCPT_DONE, RCPT_FAILED, RCPT_DEFERRED };

struct rcpt_state {
    enum rcpt_status status;
    bool success_wanted;    /* DONE, and a success report is due */
    enum dsn_action action; /* what it says then */
    char dsn[12];
    str report_to;          /* FAILED: a list's owner, or empty */
    str reason, remote_mta, diagnostic; /* heap copies in the message's arena */
};

struct message {
    struct arena memory;
    uint64_t number;            /* the key of queue->by_number */
    struct spool_entry *entry;
    struct queue_id id;
    struct envelope envelope;
    struct rcpt_state *rcpts;   /* as many as envelope.recipients */
    struct heap_node timer;     /* deferred: wall time of the next try */
    struct link all;            /* queue->messages, by arrival */
    int64_t next_us;
    uint32_t attempts;
    uint32_t n_parts;           /* parts planned and not finished */
    uint32_t n_lost;            /* workers that died over it in this run */
    uint64_t lost_at;           /* the last of them, by queue->n_deaths */
    bool hold, active, delay_noticed, forced;
    bool going;                 /* deleted while active or being noted */
    bool damaged;               /* its text: it cannot be delivered */
    str unknown;                /* what does not unpack, kept as it is */
    uint32_t n_notes;           /* that wait for room in the spool */
};

/* How a window of concurrent deliveries follows their success: by amount, or
 * by amount / window or its root (SCHEDULER_README). */
struct feedback {
    double amount;
    enum { FEEDBACK_PLAIN, FEEDBACK_BY_WINDOW, FEEDBACK_BY_ROOT } by;
};

/* Where mail goes: one transport and next hop. */
struct transport {
    struct link link;
    str name;
    enum role_kind role;        /* N_ROLES: done by the queue itself */
    str command;                /* "smtp", "local", "error", "discard" */
    uint32_t rcpts_max;         /* recipients of one job */
    uint32_t window_first;      /* deliveries at once to a new destination */
    uint32_t window_max;        /* and at most */
    uint32_t service_max;       /* process limit of the line; 0: none */
    uint32_t cohorts_max;       /* failures that make a destination dead */
    struct feedback more, less;
    int64_t hop_delay_us;       /* between deliveries to one destination */
    int64_t delay_us;           /* between any two deliveries */
    int64_t next_us;            /* not before: the latter's effect */
    bool deferred;              /* defer_transports names it */
    bool gone;                  /* master.cf has it no more */
    uint32_t n_active;          /* jobs */
    uint32_t n_places;          /* deliveries at once that they make */
    struct link blocked;        /* next hops that wait for their turn */
};

struct next_hop {
    struct queue *queue;
    struct link ready;          /* queue->ready or transport->blocked */
    struct heap_node timer;     /* queue->slow: a delay that runs */
    str key;
    struct transport *transport;
    str nexthop;
    struct link parts;          /* waiting */
    uint32_t n_parts, n_active;
    uint32_t n_places;          /* its share of transport->n_places */
    uint32_t n_users;           /* parts that point here */
    double window;              /* deliveries at once */
    double successes;           /* towards a larger window */
    double cohorts;             /* windows full of failures, in a row */
    int64_t next_us;            /* not before: hop_delay_us' effect */
    int64_t failed_until_us;    /* failures before that are remembered */
    int64_t dead_until_us;
    struct buf dead_reason;
    char dead_dsn[12];
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
    struct map by_id;           /* the same by number */
    uint32_t n_jobs;
    struct map segments;        /* numbers it has descriptors of */
    bool sending;               /* a job is on its way into the port */
    struct bell sent;
    uint32_t *numbers;
};

/* What an edition means here. */
struct places;
struct queue_sight {
    struct places *places;      /* tables and routes (where.c) */
    const struct dsn_templates *templates; /* of reports */
};
static inline struct queue_sight *queue_sight(const struct edition *e)
{
    return e->self;
}

struct queue {
    struct role *role;
    struct edition *edition;    /* in force; hold it over a wait */
    const struct conf *conf;    /* the edition's */
    struct spool *spool;
    struct table_opener opener;
    struct link messages;
    struct map by_number;
    struct heap timers;
    struct link transports;
    struct map destinations;    /* key -> struct next_hop */
    struct link ready;
    struct heap slow;           /* next hops, by the end of their delays */
    struct link workers;
    struct doors *admin;        /* of queue tools */
    struct crowd callers;       /* there */
    struct bell work;           /* something can be dispatched */
    struct bell timer;          /* the first timer changed */
    struct task_group group;
    uint64_t next_number;       /* of a message */
    uint64_t next_job;
    uint64_t n_messages;
    uint64_t n_deaths;          /* of workers */
    bool failed;
};

/* --- message.c ----------------------------------------------------------- */

/* A message that is in the spool by now; the envelope is copied.  It becomes
 * active unless it is on hold. */
void message_add(struct task *t, struct queue *q, struct spool_entry *e,
                 const struct envelope *env);
/* One that is not on the disk yet: it cannot be read before that. */
void message_add_later(struct task *t, struct queue *q,
                       struct spool_entry *e, const struct envelope *env);
/* From recovery. */
void message_restore(struct task *t, struct queue *q,
                     const struct spool_found *f);
struct message *message_find(struct queue *q, str queue_id);
struct message *message_numbered(struct queue *q, uint64_t number);

/* Ends a run: reports, state, the end or the next try.  The message is
 * active until that is done: nobody else takes it meanwhile. */
err message_run_end(struct task *t, struct queue *q, struct message *m);

/* The message's state into the spool. */
err message_note(struct task *t, struct queue *q, struct message *m);
/* Recipients of it that are done, as they are. */
err message_note_done(struct task *t, struct queue *q, struct message *m,
                      const uint32_t *index, uint32_t n);
void message_pack(void *queue, struct spool_entry *e, struct buf *to);
/* Bytes that packed may come to, when its envelope has so many. */
size_t message_packed_max(const struct envelope *env, size_t packed);
/* Its text turned out to be damaged: it is told and ends. */
void message_damaged(void *queue, struct spool_entry *e);
/* The end, of one that is not active; later if its state is being noted. */
err message_forget(struct task *t, struct queue *q, struct message *m);
/* The next try, if it is not on hold, and not active: then the run's end
 * decides. */
void message_defer(struct task *t, struct queue *q, struct message *m,
                   int64_t until_us);

/* --- plan.c -------------------------------------------------------------- */

/* Makes a message active: routes its open recipients into parts. */
err message_activate(struct task *t, struct queue *q, struct message *m);
err transports_load(struct task *t, struct queue *q);
struct transport *transport_find(const struct queue *q, str name);

/* --- next_hop.c ---------------------------------------------------------- */

/* The next hop for this key, made if need be. */
struct next_hop *next_hop_get(struct queue *q, struct transport *tr,
                              str nexthop);
/* A part that points to it, or one less: then it may be freed (H1). */
struct part *part_new(struct message *m, struct next_hop *d, uint32_t room);
void part_free(struct part *p);
void next_hop_add(struct queue *q, struct part *p, bool first);
void next_hop_ready(struct queue *q, struct next_hop *d);
/* Looks at all of them anew: limits have changed. */
void next_hops_wake(struct queue *q);
/* It was served: it waits for its next turn, or is not needed any more. */
void next_hop_rest(struct next_hop *d);
/* The one that is to be served now, or NULL. */
struct next_hop *next_hop_pick(struct task *t, struct queue *q);
/* When the next delay of one ends; NEVER if none runs. */
when next_hop_wake(struct task *t, struct queue *q);
/* What a delivery says about the place. */
void next_hop_works(struct next_hop *d);
void next_hop_failed(struct task *t, struct queue *q, struct next_hop *d,
                     const char *dsn, str reason);
bool next_hop_dead(struct task *t, const struct next_hop *d);
/* A job for it begins or ends. */
void next_hop_begin(struct next_hop *d);
void next_hop_end(struct task *t, struct queue *q, struct next_hop *d);
/* Connections to it at once, for who makes them. */
uint32_t next_hop_connections(const struct next_hop *d);
/* "1", "1/concurrency", "1/sqrt_concurrency"; false: none of them. */
bool feedback_parse(str text, struct feedback *out);

/* --- dispatch.c ---------------------------------------------------------- */

err dispatch_run(struct task *t, void *queue);
err worker_run(struct task *t, void *worker);
struct worker *worker_new(struct queue *q, struct role_port *p);

/* --- result.c ------------------------------------------------------------ */

/* A recipient's outcome; reason etc. are copied. */
void rcpt_result(struct queue *q, struct message *m, uint32_t index,
                 const struct result_rcpt *r);
/* The same for one that was not handed to anybody, with its log line. */
void rcpt_settle(struct task *t, struct queue *q, struct message *m,
                 uint32_t index, const struct result_rcpt *r,
                 const char *log_name);
err result_take(struct task *t, struct queue *q, struct sent_job *job,
                const struct result *r);
/* The rest of a part gets one outcome without being tried. */
err part_give_up(struct task *t, struct queue *q, struct part *p,
                 const struct result_rcpt *r, const char *log_name);
void part_done(struct task *t, struct queue *q, struct part *p);
/* No part of the message is left: its run ends, in a task of its own, for it
 * may wait for room in the spool. */
void run_end(struct queue *q, struct message *m);

/* --- report.c ------------------------------------------------------------ */

/* Makes the reports that are due and appends them to the spool together with
 * what the caller appends next (I3). */
err reports_make(struct task *t, struct queue *q, struct message *m);
err delay_report_make(struct task *t, struct queue *q, struct message *m);

/* --- intake.c, admin.c --------------------------------------------------- */

err intake_run(struct task *t, void *arg);
struct intake *intake_new(struct queue *q, struct role_port *p);
/* Tries all mail now, or (site not empty) that for one domain. */
err queue_flush(struct task *t, struct queue *q, str site, uint32_t *n);
err admin_run(struct task *t, void *guest);

#endif
