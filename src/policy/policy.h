/* SPDX-License-Identifier: ISC
 *
 * May it come in?  The smtpd_*_restrictions lists (postconf(5),
 * SMTPD_ACCESS_README, access(5)) of one snapshot of the configuration, read
 * and opened once; asked at each stage of a dialogue.
 *
 * I1  A struct policy is never changed after policy_open.
 * I2  A list whose words are unknown or not built stops the start, with the
 *     word's name: nothing is silently passed over.
 * I3  A server whose lists let everybody relay does not start.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "conf/conf.h"
#include "mail/esmtp.h"
#include "mail/reply.h"
#include "net/conn.h"
#include "net/dns.h"
#include "route/recipient.h"
#include "route/resolve.h"
#include "route/route.h"
#include "table/table.h"

enum policy_stage {
    POLICY_CLIENT,
    POLICY_HELO,
    POLICY_SENDER,
    POLICY_RECIPIENT,       /* relay restrictions, then recipient's */
    POLICY_DATA,
    POLICY_END_OF_DATA,
    POLICY_ETRN,
    N_POLICY_STAGES
};

/* What one stage leaves for the next when smtpd_delay_reject is off; of a
 * session, all zero at its start, what is in it lives in its arena. */
struct policy_deferral;
struct policy_memory {
    struct arena *arena;
    struct policy_deferral *after[3]; /* CLIENT, HELO, SENDER */
};

/* What is known about a session and its transaction when it is asked. */
struct policy_facts {
    str where;              /* "CONNECT", "RCPT", "END-OF-MESSAGE" ... */
    str client_name;        /* verified, or "unknown" */
    str reverse_name;       /* unverified, or "unknown" */
    int name_status;        /* 0 ok, 4 temporary, 5 permanent failure */
    str client_address;     /* "192.0.2.1" */
    uint16_t client_port;
    str server_address;
    uint16_t server_port;
    str protocol;           /* "SMTP", "ESMTP" */
    str helo;               /* empty: not said */
    bool esmtp;
    const struct tls_facts *tls;
    str sasl_method, sasl_user, sasl_sender; /* empty: not authenticated */
    bool has_sender, has_recipient;
    /* As the client said them, not yet completed with a domain.  At DATA and
     * later there is a recipient only if there is just one. */
    struct address sender, recipient;
    struct mail_params mail_params;
    uint64_t size;          /* announced, or at the end the real one */
    size_t n_recipients;    /* accepted so far */
    str queue_id;           /* empty: none yet */
    str instance;           /* unique for each message */
    bool pipelined;         /* commands came before their time */
    bool held, discarded;   /* what earlier verdicts asked for */
    str etrn_domain;
    struct policy_memory *memory;
};

/* What is decided.  reply.code 0: go on; else what the client is told. */
struct policy_verdict {
    struct reply reply;
    bool hold, discard;     /* access(5) actions, for the whole message */
    str filter;             /* "transport:nexthop", or empty */
    str redirect;           /* address, or empty */
    str bcc;                /* address, or empty */
    vec_of(str) prepend;    /* header fields, "Name: value" */
};

struct policy;

/* c is the snapshot with the listener's overlay.  dns may be NULL: words that
 * need it then defer. */
err policy_open(struct task *t, struct arena *a, const struct conf *c,
                struct tables *tables, const struct route *route,
                struct dns *dns, struct policy **out);

/* Reads the lists and opens nothing: what policy_open would fail for, one
 * complaint (in a) for each list; ERR_SYNTAX if there is one. */
struct policy_complaints {
    vec_of(str) list;
};
err policy_check(struct arena *a, const struct conf *c,
                 struct policy_complaints *out);

/* Asks one stage, and logs what is refused or said.  smtpd_delay_reject is
 * heeded here: at CLIENT, HELO and SENDER nothing is asked then, and
 * RECIPIENT (for ETRN: that) asks all of them first.  Everything in *out
 * lives in a.  An err is only ERR_STOPPED: table and DNS failures become 4xx
 * verdicts. */
err policy_judge(struct task *t, const struct policy *p,
                 enum policy_stage stage, const struct policy_facts *facts,
                 struct arena *a, struct policy_verdict *out);

/* A refusal with smtpd_reject_footer, or what smtpd_reject_footer_maps has
 * for it, added. */
struct reply policy_footer(struct task *t, const struct policy *p,
                           const struct policy_facts *facts,
                           struct arena *a, struct reply r);
bool policy_has_footer(const struct policy *p);

/* Whether header rewriting is that of local clients
 * (local_header_rewrite_clients). */
err policy_local_headers(struct task *t, const struct policy *p,
                         const struct policy_facts *facts, bool *local);

#endif
