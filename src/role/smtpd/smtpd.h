/* SPDX-License-Identifier: ISC
 *
 * The smtpd role: what a process, a configuration, a listener and a session
 * hold.
 *
 * I1  A session works by the edition that was in force when it began, and
 *     holds it until it ends.
 * I2  Nothing of a message is kept here but one piece; what was answered 250
 *     is qmgr's.
 */
#ifndef ROLE_SMTPD_SMTPD_H
#define ROLE_SMTPD_SMTPD_H

#include "auth/auth.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "net/dns.h"
#include "policy/policy.h"
#include "role/crowd.h"
#include "role/doors.h"
#include "route/expand.h"
#include "smtp/smtp.h"
#include "spool/face.h"

/* --- the way to the queue manager (queue_link.c) ------------------------- */

struct queue_link;
struct submission {
    uint64_t number;
    struct bell answered;
    bool done;
    enum face_status status;
};

/* A message's number, and the life of qmgr that gave it: to another life it
 * says nothing, which may give the same number to another message. */
struct queue_ticket {
    uint64_t number;        /* 0: none */
    uint32_t life;
};

struct queue_link *queue_link_new(struct arena *a);
/* Serves one port to qmgr until it breaks. */
err queue_link_run(struct task *t, struct queue_link *ql, struct port *p);
/* Whether mail can be handed over now. */
bool queue_link_open(const struct queue_link *ql);
/* A message number; waits for qmgr if need be.  The others say ERR_END when
 * the qmgr that gave it is gone. */
err queue_link_number(struct task *t, struct queue_link *ql, when until,
                      struct queue_ticket *ticket);
err queue_link_data(struct task *t, struct queue_link *ql,
                    struct queue_ticket ticket, str bytes);
err queue_link_end(struct task *t, struct queue_link *ql,
                   struct queue_ticket ticket, str envelope,
                   enum face_status *status);
/* Asks for mail for a domain to be tried now; false: nobody to ask. */
bool queue_link_flush(struct queue_link *ql, str site);
void queue_link_abort(struct queue_link *ql, struct queue_ticket ticket);

/* --- what a listener's line of master.cf means --------------------------- */

struct listener_settings {
    const struct conf *conf;    /* with the line's -o overlay */
    const struct service *service;
    uint32_t index;
    const char *log_name;       /* "postfix/submission/smtpd" */
    const char *cleanup_name;   /* "postfix/cleanup": what is said of a
                                   message' content */
    bool pickup;                /* local submission over a UNIX socket */
    bool wrapped;               /* TLS before the greeting */
    struct smtp_options options;
    struct tls_context *tls;    /* NULL: none */
    int tls_loglevel;
    bool demands_cert;          /* smtpd_tls_req_ccert */
    struct route *route;
    struct policy *policy;
    struct maps forbidden;      /* tables of smtpd_forbidden_commands */
    struct maps keywords;       /* EHLO keywords by client address */
    struct match_list *flush_domains; /* fast_flush_domains */
    str banner;
    bool hide_names, auth_header, tls_header, add_missing;
    bool single_from;           /* smtpd_sasl_single_from */
    size_t header_max, hops_max;
    struct conf_items drop_headers;
    int sasl_flags, sasl_flags_tls; /* in clear, with TLS */
    struct match_list *sasl_exceptions; /* clients that are offered none */
    int full_code;              /* for mailboxes without room; 0: not asked */
};

/* What an edition means for smtpd. */
struct listener_set {
    struct tables *tables;
    struct listener_settings *of; /* by service index */
    size_t n;
};

struct smtpd {
    struct role *role;
    struct queue_link *queue;
    bool queue_came;            /* there was a port to qmgr once */
    struct auth *auth;
    struct calls *rooms;        /* deliver tells who has room */
    struct dns *dns;
    struct table_opener opener; /* asks lookup: we open no path */
    struct doors *doors;
    struct crowd submitters;    /* at public/pickup */
    struct task_group group;
};

/* e->self is its listener_set then. */
err listeners_open(struct task *t, void *smtpd, struct edition *e);

/* --- a session ------------------------------------------------------------ */

/* A further message in the queue with the same text (parts.c). */
struct content_part {
    struct queue_ticket ticket;
    struct queue_id id;
};

/* A message being received. */
struct content {
    struct header_reader reader;
    struct arena memory;
    struct queue_ticket ticket;
    struct queue_id id;
    struct content_part *parts; /* beside the one above */
    size_t n_parts;
    struct buf out;             /* the piece that is being filled */
    bool in_body, started;
    bool resent;                /* there is a Resent- field */
    uint64_t seen;              /* fields by enum header_id */
    bool local;                 /* headers are rewritten as of local mail */
    uint32_t hops;
    uint32_t n_from;            /* From fields */
    bool eightbit, utf8_header;
    str message_id;
    uint64_t size;
    int64_t arrival_us;
};

struct visit {
    struct smtpd *d;
    const struct listener_settings *l;
    struct smtp_session s;
    struct arena memory;        /* the session's */
    struct arena transaction;
    str name, reverse, address; /* of the client */
    str hidden;                 /* EHLO keywords, for the log */
    int name_status;
    struct endpoint peer, own;
    uint32_t uid;               /* pickup: who submits */
    bool gateway;               /* pickup: headers as of remote mail */
    int64_t since_us;           /* pickup: when it came in; 0: now */
    str bounce;                 /* pickup: why this mail is not delivered */
    str sasl_user, sasl_method, sasl_sender;
    when sasl_at;               /* when the password was asked about */
    struct policy_memory memory_of_policy;

    /* the transaction */
    struct smtp_mail mail;
    vec_of(struct recipient) rcpts;
    struct content c;
    bool hold, discard;
    str filter, redirect, bcc;
    vec_of(str) prepend;
    bool id_said;
};

extern const struct smtp_site smtpd_site;

static inline struct visit *visit_of(struct smtp_session *s)
{
    return s->self;
}

/* Serves one connection, a struct door_guest. */
err visit_run(struct task *t, void *guest);

/* What the policy is told (facts.c). */
void visit_facts(struct visit *v, struct policy_facts *f);

/* content.c: the message's bytes on their way through. */
err content_begin(struct task *t, struct visit *v);
err content_bytes(struct task *t, struct visit *v, str bytes);
/* Finishes and hands over; the answer for the client. */
struct reply content_end(struct task *t, struct visit *v);
void content_drop(struct visit *v);
/* Takes a number and makes the queue id, if there is none yet. */
err content_id(struct task *t, struct visit *v);

/* parts.c: as many messages in the queue as the recipients need.  A reply of
 * code 0: all of them are the queue manager's. */
err parts_begin(struct task *t, struct visit *v);
err parts_data(struct task *t, struct visit *v, str bytes);
struct reply parts_end(struct task *t, struct visit *v,
                       const struct envelope *env);
void parts_drop(struct visit *v);

/* received.c */
void received_put(struct task *t, struct visit *v, struct buf *to);

/* pickup.c: rest is what follows XPICKUP. */
struct reply pickup_whose(struct visit *v, str rest);

/* room.c */
void listener_room(struct listener_settings *l);
/* Code 0: there is room for a message of that size (0: not known), as far as
 * can be told. */
struct reply visit_room(struct task *t, struct visit *v,
                        const struct address *to, uint64_t size);
/* After the message: a refusal if none of its recipients has room. */
struct reply visit_room_end(struct task *t, struct visit *v);

/* auth.c */
struct reply visit_auth(struct task *t, struct smtp_session *s, str mech,
                        str initial, bool has_initial);

#endif
