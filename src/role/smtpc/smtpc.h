/* SPDX-License-Identifier: ISC
 *
 * The SMTP and LMTP client role: jobs, next hops and the connections that
 * carry the ones to the others.
 *
 * I1  Every job is answered exactly once, or dies with this process and goes
 *     back to ready in qmgr.  One whose qmgr died while it was under way goes
 *     on, and answers the job that is the same of the next qmgr (late.c).
 * I2  A text is read from the spool while it is sent; a piece at a time.
 * I3  A connection belongs to the edition it was made under: it carries no
 *     job of a later one, and is not kept once that is in force.
 */
#ifndef ROLE_SMTPC_SMTPC_H
#define ROLE_SMTPC_SMTPC_H

#include "net/dns.h"
#include "role/delivered.h"
#include "role/role.h"
#include "route/route.h"
#include "smtp/client.h"
#include "spool/pieces.h"
#include "table/table.h"

/* What a master.cf line of a client means, in one edition: who uses it holds
 * that. */
enum tls_wish { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY, TLS_SECURE };
enum address_wish { ADDRESS_ANY, ADDRESS_IP4, ADDRESS_IP6 };
struct client_settings {
    struct link link;
    struct edition *edition;
    struct arena *memory;   /* the edition's */
    str name;               /* of the transport */
    const char *log_name;
    const struct conf *conf;
    bool lmtp;
    uint32_t connections_max;
    struct smtp_timeouts timeouts;
    struct smtp_manners manners;
    int64_t connect_s, idle_s, use_s;
    uint32_t uses_max;      /* transactions of one connection; 0: none */
    struct conf_items kept; /* destinations whose connections are kept even if
                               not on demand */
    bool keep;
    str helo;
    bool skip_5xx_greeting, soft_bounce, is_final;
    bool convert;           /* 8-bit mail for who cannot take it */

    /* where to */
    uint16_t port;
    uint32_t addresses_max, sessions_max;   /* UINT32_MAX: no limit */
    enum address_wish prefer;
    bool shuffle, no_dns, defer_no_address, ip4, ip6;
    str fallback;           /* further next hops */
    const struct endpoint *own; /* our addresses */
    size_t n_own;
    struct endpoint bind4, bind6; /* kind NONE: any */

    enum tls_wish tls;
    int tls_loglevel;
    str tls_name;           /* for SNI: smtp_tls_servername */
    bool tls_note_offer;
    struct tls_context *tls_context;
    struct conf_items tls_match;    /* whose certificate it must be */

    bool auth;              /* smtp_sasl_auth_enable */
    bool auth_broken;       /* there are no passwords to be had */
    bool auth_soft;         /* its failures are temporary */
    struct maps passwords;
    struct conf_items auth_options, auth_tls_options;
};

struct client {
    struct role *role;
    struct link queues;     /* struct queue_line: ports to queue managers */
    uint64_t queue_number;  /* counts them */
    struct dns *dns;
    struct table_opener opener;
    struct map hops;        /* "edition\ntransport\nnexthop" -> struct hop */
    struct map segments;    /* u32 number -> struct segment */
    struct link asking;     /* pieces: texts whose places are asked for */
    struct link works;      /* all that are not late */
    struct link late;       /* results that nobody has heard of */
    uint32_t n_late;
    bool orphans;           /* some in works may have no port any more */
    struct task_group group;
};

/* A port to qmgr.  A job is answered over the one that it came by and no
 * other: another life of qmgr has its own numbers. */
struct queue_line {
    struct link link;
    struct port *port;
    uint64_t number;
};

struct segment {
    uint32_t number;
    struct file *file;
};

struct hop {
    struct arena memory;
    struct client *c;
    str key, nexthop;
    struct link waiting;    /* struct work */
    uint32_t n_waiting, n_connections, n_idle;
    uint32_t connections_max; /* as qmgr has it at the moment */
    uint32_t n_refused;     /* connections in a row that nobody took */
    struct bell work;       /* idle connections wait here; LIFO is by ring */
};

/* Where one may go: an address of a host of a next hop. */
struct target {
    str host;               /* for people and TLS: "mx.example.com" */
    str site;               /* the next hop as it was said */
    struct endpoint at;
    str path;               /* of a UNIX socket, as it was said */
    int preference;
};
struct targets {
    vec_of(struct target) list;
    bool permanent;         /* no such domain ... */
    str reason;             /* when the list is empty */
    char dsn[8];
};

/* A job on its way.  Recipients are settled one by one; what is temporary at
 * one host is tried at the next, if there is one (smtp_mx_session_limit). */
struct work {
    struct link link;
    struct arena memory;
    uint64_t id;
    uint64_t queue_number;  /* the queue_line's whose id that is */
    struct job job;
    struct client_settings *l;
    int64_t start_us;       /* taken up by a connection */
    int64_t connected_us;
    struct result_rcpt *results;    /* as many as the job's recipients */
    uint32_t *open;         /* those that are not settled */
    uint32_t n_open;
    bool dead;              /* a host could not be talked to */
    struct targets rest;    /* hosts that are left for those */
    uint32_t n_sessions;    /* at the site of the first of them */
    struct link all;        /* client->works or client->late */
    str late;               /* the packed result */
};

/* settings.c: e->self is the list of them. */
err settings_open(struct task *t, void *client, struct edition *e);
/* In the edition in force; NULL: none of that name. */
struct client_settings *settings_find(const struct client *c, str transport);
struct client_settings *settings_hold(struct client_settings *l);
void settings_leave(struct client_settings *l);

/* queue.c: jobs in, results out. */
err client_queue_run(struct task *t, struct client *c, struct port *p);
void work_answer(struct client *c, struct work *w, const struct result *r);
/* The port that w came by; NULL: it is gone. */
struct port *work_port(const struct client *c, const struct work *w);
struct work *hop_take(struct hop *h);
/* w back to the others, for whatever connection is free. */
void hop_return(struct hop *h, struct work *w);
/* Whether the port that w came by is gone: then another gives it out again,
 * and w is no more. */
bool work_is_stale(struct client *c, struct work *w);
/* Another edition is in force: what waits goes by it, and connections that
 * wait for more end. */
void hops_renew(struct client *c);
/* w, before a connection is made for it, by what is in force. */
void work_renew(struct client *c, struct work *w);
/* Whether what is in force came after w was taken up: then w, of which
 * nothing was sent, waits for a connection made by that. */
bool work_moved(struct client *c, struct work *w);
void hop_leave(struct hop *h);

/* late.c: what was under way when its queue manager died. */
bool late_adopt(struct task *t, struct client *c, struct work *w);
bool late_keep(struct client *c, struct work *w, str packed);
void work_free(struct work *w);

/* connection.c: a task that serves a hop until nothing is left. */
err connection_run(struct task *t, void *hop);

/* A connection for one job: what another host has left of it. */
err connection_once(struct task *t, void *work_on);
struct work_on {
    struct client *c;
    struct work *w;
};

/* target.c: where a next hop is; several, with blanks or commas between, are
 * tried in turn. */
err targets_find(struct task *t, struct client *c,
                 const struct client_settings *l, str nexthop,
                 struct arena *a, struct targets *out);

/* open.c: a connection to the first target that answers. */
struct line {
    struct arena memory;
    struct smtp_peer peer;
    struct target target;
    str relay;              /* "host[addr]:port" */
    str name;               /* "host[addr]" */
    int64_t connected_us;
    struct targets rest;    /* who could be tried instead */
    uint32_t n_sessions;    /* at this site, this one included */
};
struct open_failure {
    bool permanent;
    char dsn[12];
    str text, relay;
};
struct line_plan {
    const struct client_settings *l;
    const struct targets *to;
    str queue_id;           /* whose mail it is, for the log */
    uint32_t n_sessions;    /* at the site of the first of them, already */
};
err line_open(struct task *t, const struct line_plan *plan, struct arena *a,
              struct line **out, struct open_failure *why_not);
void line_close(struct task *t, struct line *n, bool polite);

/* certificate.c: whether the server showed one that is good enough. */
bool line_is_verified(const struct client_settings *l, const struct line *n);
/* The domain of its next hop: without brackets and port. */
str line_domain(const struct line *n);

/* login.c: AUTH.  OK with f->text when the server does not let us in. */
err line_login(struct task *t, const struct client_settings *l,
               struct line *n, struct arena *a, struct open_failure *f);

/* text.c: a message's bytes from the spool. */
struct text_reader {
    struct client *c;
    struct work *w;
    struct pieces pieces;
    uint32_t at;
    bool downgrade, is_converted;
    struct arena converted;
    str rest;               /* of the converted text */
};
/* downgrade: to seven bits (mail/downgrade.h). */
void text_reader_open(struct text_reader *r, struct client *c,
                      struct work *w, bool downgrade);
err text_reader_next(struct task *t, void *reader, str *piece);
void text_reader_close(struct text_reader *r);

/* verdict.c: a transaction's answers as results.  Whoever is not settled by
 * it is left in w->open: there is another host to try then. */
void verdict(struct task *t, const struct line *n, struct work *w,
             const struct smtp_transaction *x, err broke);
/* The same outcome for all that are open. */
void verdict_same(struct task *t, struct work *w, const struct line *n,
                  const struct result_rcpt *same);
/* Whether the message can be sent over this connection at all; if not, all
 * are settled. */
bool verdict_fits(struct task *t, const struct line *n, struct work *w);
/* Answers if all are settled, else goes on with another host.  w is this
 * one's no more. */
void verdict_end(struct client *c, struct work *w);

#endif
