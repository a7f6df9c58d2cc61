/* SPDX-License-Identifier: ISC
 *
 * The SMTP and LMTP client role: jobs, next hops and the connections that
 * carry the ones to the others.
 *
 * I1  Every job is answered exactly once, or dies with this process and goes
 *     back to ready in qmgr.
 * I2  A text is read from the spool while it is sent; a piece at a time.
 */
#ifndef ROLE_SMTPC_SMTPC_H
#define ROLE_SMTPC_SMTPC_H

#include "net/dns.h"
#include "role/delivered.h"
#include "role/role.h"
#include "smtp/client.h"
#include "spool/face.h"

/* What a master.cf line of a client means. */
struct client_settings {
    struct link link;
    str name;               /* of the transport */
    const char *log_name;
    const struct conf *conf;
    bool lmtp;
    uint32_t connections_max;
    struct smtp_timeouts timeouts;
    int64_t connect_s, idle_s;
    uint32_t uses_max;      /* transactions of one connection; 0: none */
    str helo;
    bool may_pipeline, skip_5xx_greeting;
    enum tls_wish { TLS_NONE, TLS_MAY, TLS_ENCRYPT } tls;
    struct tls_context *tls_context;
    struct endpoint bind4, bind6; /* kind NONE: any */
};

struct client {
    struct role *role;
    struct link queues;     /* struct queue_line: ports to qmgr.  A job is
                               only answered over the one it came by; another
                               life of qmgr numbers anew */
    uint32_t last_life;
    struct calls *lookup;
    struct dns *dns;        /* NULL: literals only */
    struct link settings;
    struct map hops;        /* "transport\nnexthop" -> struct hop */
    struct map segments;    /* u32 number -> struct segment */
    struct task_group group;
};

struct queue_line {
    struct link link;
    struct port *port;
    uint32_t life;
};

struct segment {
    uint32_t number;
    struct file *file;
    uint32_t n_users;
    bool replaced;
};

struct hop {
    struct client *c;
    const struct client_settings *l;
    str key, nexthop;
    struct link waiting;    /* struct work */
    uint32_t n_waiting, n_connections, n_idle;
    struct bell work;       /* idle connections wait here; LIFO is by ring */
};

/* A job on its way. */
struct work {
    struct link link;
    struct arena memory;
    uint64_t id;
    uint32_t life;
    struct job job;
    int64_t start_us;       /* taken up by a connection */
    int64_t connected_us;
    uint32_t n_failed;      /* connections that broke under it */
    bool over;
};

struct client_settings *settings_find(struct client *c, str transport);
err settings_load(struct task *t, struct client *c);

/* queue.c: jobs in, results out. */
err client_queue_run(struct task *t, struct client *c, struct port *p);
void work_answer(struct client *c, struct work *w, const struct result *r);
struct work *hop_take(struct hop *h);
void hop_return(struct hop *h, struct work *w);

/* Whether the qmgr that gave it is gone: then w is no more. */
bool work_is_stale(const struct client *c, struct work *w);

/* A connection is gone: the last one's work needs another. */
void hop_left(struct hop *h);

/* connection.c: a task that serves a hop until nothing is left. */
err connection_run(struct task *t, void *hop);

/* target.c: where a next hop is. */
struct target {
    str host;               /* for people and TLS: "mx.example.com" */
    struct endpoint at;
};
struct targets {
    vec_of(struct target) list;
    bool null_mx;
    bool permanent;         /* no such domain */
    str reason;             /* when the list is empty */
    char dsn[8];
};
err targets_find(struct task *t, struct client *c,
                 const struct client_settings *l, str nexthop,
                 struct arena *a, struct targets *out);

/* open.c: a connection to the first target that answers. */
struct line {
    struct arena memory;
    struct smtp_peer peer;
    struct target target;
    str relay;              /* "host[addr]:port" */
    int64_t connected_us;
};
struct open_failure {
    bool permanent;
    char dsn[12];
    str text, relay;
};
err line_open(struct task *t, struct client *c,
              const struct client_settings *l, str nexthop, struct arena *a,
              struct line **out, struct open_failure *why_not);
void line_close(struct task *t, struct line *n, bool polite);

/* text.c: a message's bytes from the spool. */
struct text_reader {
    struct client *c;
    struct work *w;
    uint32_t at;
    char *memory;
};
void text_reader_open(struct text_reader *r, struct client *c,
                      struct work *w);
err text_reader_next(struct task *t, void *reader, str *piece);
void text_reader_close(struct text_reader *r);

/* verdict.c: a transaction's answers as a result. */
void verdict(struct task *t, struct client *c, const struct hop *h,
             const struct line *n, struct work *w,
             const struct smtp_transaction *x, err broke);
void verdict_all(struct task *t, struct client *c, const struct hop *h,
                 struct work *w, const struct result_rcpt *same,
                 bool destination_dead);

#endif
