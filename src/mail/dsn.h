/* SPDX-License-Identifier: ISC
 *
 * Reports about mail: delivery status notifications (RFC 3464, RFC 6533) in
 * the layout that bounce parsers know from Postfix (bounce(5), bounce(8)).
 *
 * A report is written in two halves, so that the message it is about can
 * flow between them and is never held:
 *
 *     dsn_head()   header, notification, message/delivery-status, and the
 *                  head of the last part
 *     ...          the message, or its header alone (dsn_wants_body)
 *     dsn_tail()   the closing boundary
 *
 * I1  No text of a client or a remote host can begin a line of the report's
 *     own fields: fields go through header_put or are cleaned.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/envelope.h"

enum dsn_kind { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS, DSN_VERIFY, N_DSN };

/* Action: of a recipient. */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED,
                  DSN_EXPANDED, DSN_DELIVERABLE, DSN_UNDELIVERABLE };

/* Texts of one kind of report (bounce(5)). */
struct dsn_template {
    str charset, from, subject, postmaster_subject;
    str text;           /* with $names, LF line ends */
};

struct dsn_templates {
    struct dsn_template of[N_DSN];
};

/* The built-in ones. */
extern const struct dsn_templates dsn_templates_default;

/* Reads a bounce_template_file over what is in *inout.  ERR_SYNTAX with
 * *where: a line number and what is wrong. */
err dsn_templates_parse(str text, struct arena *a,
                        struct dsn_templates *inout, str *where);

/* The name in template files: "failure_template". */
str dsn_template_name(enum dsn_kind kind);

/* Values of the $names in template texts. */
struct dsn_facts {
    str myhostname, mydomain;
    int64_t delay_warning_s, queue_lifetime_s;
    const struct map *more; /* other parameters: name -> str *; may be NULL */
};

/* Appends text with its $names filled in; unknown ones become empty. */
void dsn_template_text(str text, const struct dsn_facts *facts,
                       struct buf *to);

/* What became of one recipient. */
struct dsn_recipient {
    const struct recipient *recipient;
    enum dsn_action action;
    str status;         /* "5.1.1" */
    str reason;         /* for people: "host mx[192.0.2.1] said: 550 ..." */
    str remote_mta;     /* "mx.example.com", or empty */
    str diagnostic_type;/* "smtp", "x-unix"; empty: "X-Postfix" */
    str diagnostic;     /* empty: the reason */
};

struct dsn_report {
    enum dsn_kind kind;
    const struct dsn_templates *templates;
    struct dsn_facts facts;
    bool to_postmaster;         /* a copy: other subject, no text, header only
                                   of the message */
    str origin;                 /* $myorigin: completes MAILER-DAEMON */
    str to;                     /* who gets it, external form */
    str queue_id;               /* of the message */
    str report_id;              /* queue id of the report itself */
    const struct envelope *envelope;
    int64_t now_us, retry_until_us; /* the latter: DSN_DELAY, or 0 */
    int zone_s;
    str zone_name;              /* "CET", or empty */
    const struct dsn_recipient *recipients;
    size_t n_recipients;
};

/* Whether the whole message is to follow the head, or its header only. */
bool dsn_wants_body(const struct dsn_report *r);

/* Lines end in CR LF.  Check to->over. */
void dsn_head(const struct dsn_report *r, struct arena *scratch,
              struct buf *to);
void dsn_tail(const struct dsn_report *r, struct buf *to);

/* "failed", "delayed", ... */
str dsn_action_name(enum dsn_action action);

#endif
