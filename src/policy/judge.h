/* SPDX-License-Identifier: ISC
 *
 * Inside policy only: the walk through restriction lists, and what the
 * families of words need for it.
 *
 *     judge.c        the walk; words that need nothing; refusing, deferring
 *     access.c       tables, and what their actions do
 *     server.c       tables asked about a name's servers and addresses
 *     names.c        words about client, HELO and addresses' syntax and DNS
 *     destination.c  words about relaying and unknown users
 *     login.c        who may use which sender
 *     dnslist.c      lists in DNS
 *     expand.c       texts that name the facts
 *
 * J1  Nothing here calls itself: a class, or a list in a table's action, is
 *     entered as a level of its own, LEVELS_MAX at most.
 */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "policy/action.h"
#include "policy/events.h"
#include "policy/list.h"
#include "policy/policy.h"

enum { LEVELS_MAX = 50, DNS_WAIT_S = 60, DEFERRAL_TEXT_MAX = 600 };

/* What a failed look-up means (reject_tempfail_action and its family). */
enum tempfail { TEMPFAIL_DEFER, TEMPFAIL_DEFER_IF_PERMIT };

enum list_index { LIST_CLIENT, LIST_HELO, LIST_SENDER, LIST_RELAY,
                  LIST_RECIPIENT, LIST_DATA, LIST_END_OF_DATA, LIST_ETRN,
                  N_LISTS };

struct policy {
    const struct conf *conf;
    const struct route *route;
    struct dns *dns;                /* NULL: none */
    struct rule_classes classes;
    struct rule_list lists[N_LISTS];
    struct match_list *permit_log;  /* NULL: nothing is logged */
    struct match_list *mynetworks, *mx_backup_networks, *local_clients;
    struct maps login, certificates, rbl_replies, footers;
    str local_clients_words;        /* local_header_rewrite_clients */
    str null_key;
    int table_parents;              /* MAPS_PARENT_DOMAINS or _DOT_PARENTS */
    struct action_codes codes;
    bool delay_reject, soft_bounce, relay_first, untrusted_route;
    bool unlisted_sender, unlisted_recipient, sasl;
    bool ip4, ip6;                  /* inet_protocols */
    bool local_networks, local_interfaces, local_sasl;
    enum tempfail helo_tempfail, address_tempfail;
};

/* A refusal that waits for what comes later. */
struct policy_deferral {
    bool active;
    int code;
    char dsn[12];
    size_t n;
    char text[DEFERRAL_TEXT_MAX];
};

/* What is accused: "<NAME>: CLASS rejected: ...". */
struct subject {
    str name;
    const char *class;
};

enum outcome { OUT_DUNNO, OUT_PERMIT, OUT_REFUSED, OUT_ENTER };

/* An address of the facts as it will be delivered. */
struct judged_address {
    bool known;
    struct address standard;
    struct destination destination;
};

struct judge {
    const struct policy *p;
    const struct policy_facts *f;
    struct arena *a;
    struct policy_verdict *out;
    str client;                 /* "name[address]" */
    struct policy_deferral if_permit, if_reject;
    struct judged_address sender, recipient;
    bool discard, hold;
    bool asked_sender, asked_recipient; /* whether it is listed */
    bool stopped;               /* the task is to end */
    bool end_of_data;
    size_t warn_depth;          /* where warn_if_reject was said; 0: not */
    struct subject here;        /* whom the list at hand is about */
    /* OUT_ENTER */
    const struct rule_list *enter;
    struct subject enter_as;
    bool never_permit;          /* OK from this rule is not believed ... */
    str never_why;              /* ... and is an error, unless empty */
};

/* Refuses, or only warns where warn_if_reject says so.  What is our own fault
 * (tables, configuration) is refused in any case. */
enum outcome judge_refuse(struct task *t, struct judge *j, struct reply r);
enum outcome judge_refuse_subject(struct task *t, struct judge *j,
                                  const struct subject *s, int code,
                                  const char *dsn, str reason);
enum outcome judge_server_error(struct task *t, struct judge *j);
enum outcome judge_table_error(struct task *t, struct judge *j, str name);

/* Remembers a refusal for when mail would be permitted, or refuses at once
 * where that is what tempfail says. */
enum outcome judge_defer_if_permit(struct task *t, struct judge *j,
                                   enum tempfail how, struct reply r);
void judge_defer_if_reject(struct judge *j, struct reply r);
struct reply judge_reply(struct judge *j, const struct subject *s, int code,
                         const char *dsn, str reason);

/* A line of the log: "NOQUEUE: WHAT: RCPT from ...: text; from=<> ...". */
void judge_say(struct task *t, const struct judge *j, const char *what,
               str text);
/* Logs what permitted, where smtpd_log_access_permit_actions names it; table
 * is empty for words. */
void judge_permitted(struct task *t, const struct judge *j, str action,
                     const struct subject *s, str table);
void judge_warn(struct task *t, const struct judge *j, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The sender or recipient in standard form and its destination; kept. */
err judge_resolve(struct task *t, struct judge *j, bool is_sender,
                  const struct judged_address **out);

/* Runs a list to its end. */
enum outcome judge_list(struct task *t, struct judge *j,
                        const struct rule_list *list, struct subject s);

/* The text that a word looks at, and how it is called; false: it is not
 * known, the word passes. */
bool judge_about(const struct judge *j, enum about about, str *text,
                 struct subject *s);

/* The families. */
enum outcome judge_access(struct task *t, struct judge *j,
                          const struct rule *r);
enum outcome judge_server(struct task *t, struct judge *j,
                          const struct rule *r);
enum outcome judge_names(struct task *t, struct judge *j,
                         const struct rule *r);
enum outcome judge_destination(struct task *t, struct judge *j,
                               const struct rule *r);
enum outcome judge_login(struct task *t, struct judge *j,
                         const struct rule *r);
enum outcome judge_dnslist(struct task *t, struct judge *j,
                           const struct rule *r);

/* access.c, for server.c too.  *found: the table knew it. */
enum outcome access_domain(struct task *t, struct judge *j,
                           const struct rule *r, str domain,
                           const struct subject *s, bool *found);
enum outcome access_address(struct task *t, struct judge *j,
                            const struct rule *r, str address,
                            const struct subject *s, bool *found);

/* destination.c */
enum outcome judge_unlisted(struct task *t, struct judge *j, bool is_sender);
enum outcome judge_auth_destination(struct task *t, struct judge *j,
                                    bool *ours);

/* An enhanced code for what it is said of (RFC 3463: sender, recipient or
 * neither). */
void dsn_fix(char dsn[12], const char *class);

/* A text with the facts' and some more names expanded (expand.c). */
struct policy_word {
    const char *name;
    str value;
};
str judge_expand(struct judge *j, str text, const struct policy_word *own,
                 size_t n);

/* Asks DNS within the usual time; an err becomes DNS_TRY_AGAIN, ERR_STOPPED
 * sets j->stopped. */
void judge_dns(struct task *t, struct judge *j, str name, enum dns_type type,
               struct dns_answer *out);

#endif
