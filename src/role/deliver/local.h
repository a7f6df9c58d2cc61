/* SPDX-License-Identifier: ISC
 *
 * local(8), inside: mail for the users of this host.
 *
 * A recipient is planned first and carried out then:
 *
 *     local_plan.c    aliases, .forward and :include: files opened into a
 *                     flat list of leaves: a mailbox, a file, a command, an
 *                     address elsewhere, another transport, a verdict
 *     local_carry.c   one leaf after the other; a line in the log for each
 *     local_forward.c what goes elsewhere, as new mail
 *     local_file.c    reading .forward and :include: files
 *     local_user.c    who the users are
 *     local_text.c    $user and its like, environments
 *
 * L1  Nothing is delivered before all of a recipient was planned, so that a
 *     table or file that fails leaves nothing done by half.
 * L2  Contexts are never changed once something refers to them.
 * L3  Work is done with the rights of a user who is not root: the recipient,
 *     or who owns the alias table or :include: file, or default_privs.
 */
#ifndef ROLE_DELIVER_LOCAL_H
#define ROLE_DELIVER_LOCAL_H

#include "role/deliver/mailbox.h"

enum { LOCAL_DEPTH_MAX = 100, LOCAL_STEPS_MAX = 200000,
       LOCAL_SPEC_MAX = 4096 };

struct user {
    str name, home, shell;
    uint32_t uid, gid;
};

/* prepend_delivered_header */
enum delivered_in { DELIVERED_COMMAND = 1, DELIVERED_FILE = 2,
                    DELIVERED_FORWARD = 4 };

/* The settings of one line of master.cf. */
struct local {
    struct transport *transport;
    const struct conf *conf;
    struct route *route;
    struct maps users;      /* lookup_local_users */
    struct maps aliases, mailbox_transports, mailbox_commands,
                fallback_transports;
    int commands, files;    /* from where allowed: sums of enum alias_from */
    int delivered_in;
    struct mailbox_rules rules;
    struct user nobody;     /* default_privs */
};

/* Where an item of an expansion stands. */
struct context {
    const struct user *rights;  /* NULL: nobody in particular */
    enum alias_from from;       /* 0: the envelope */
    str opened;                 /* the name that was opened last */
    str source;                 /* the table or file, for warnings */
    str owner;                  /* on whose behalf; empty: nobody's */
    struct address sender;      /* of mail that is sent on */
    bool resent;                /* the sender is not the envelope's */
    struct address delivered;   /* Delivered-To */
    str unmatched;              /* extension for its addresses, "+x" */
    uint32_t depth;
};

/* A recipient's names, as macros and environments want them. */
struct names_of {
    const struct user *user;    /* may be NULL */
    struct address address;
    str local, domain, extension, delimiter, user_name;
};

enum leaf_kind { LEAF_MAILBOX, LEAF_FILE, LEAF_COMMAND, LEAF_FORWARD,
                 LEAF_PASS, LEAF_VERDICT };

struct leaf {
    enum leaf_kind kind;
    const struct context *at;
    struct recipient to;        /* for the log, and where FORWARD goes */
    struct names_of names;      /* MAILBOX, COMMAND, FILE */
    const struct user *user;    /* who does it */
    str text;                   /* path, command, "transport:nexthop" */
    bool root_only;             /* MAILBOX: its directory is root's alone */
    struct result_rcpt verdict;
};

struct plan {
    vec_of(struct leaf) leaves;
};

/* --- local_plan.c --------------------------------------------------------- */

/* Plans recipient i of the run.  Allocates in the run. */
void local_plan(struct task *t, struct run *r, uint32_t i, struct plan *out);

/* --- local_carry.c -------------------------------------------------------- */

/* Carries the plan out and settles recipient i. */
void local_carry(struct task *t, struct run *r, uint32_t i,
                 const struct plan *plan);

/* --- local_forward.c ------------------------------------------------------ */

/* Sends the leaves that lead elsewhere as new messages, one for each sender
 * and Delivered-To; settled one by one into what each gives. */
void local_forward(struct task *t, struct run *r, uint32_t i,
                   const struct plan *plan,
                   void (*each)(void *self, const struct result_rcpt *x),
                   void *self);

/* --- local_file.c --------------------------------------------------------- */

/* The first of these files, read by that user.  ERR_ABSENT: there is none.
 * Other errs are temporary, with why(). */
err local_read_forward(struct task *t, struct run *r, const struct user *u,
                       const struct hand_read *paths, str *text,
                       uint32_t *index);

/* An :include: file; reader NULL: listed where root's rights are meant.
 * *owner is whose the file is if it was read with those rights and is not
 * root's, else NULL.  ERR_DENIED: never, as logged; other errs: not now. */
err local_read_include(struct task *t, struct run *r, str path,
                       const struct user *reader, str *text,
                       const struct user **owner);

/* --- local_user.c --------------------------------------------------------- */

/* ERR_ABSENT: no such user; other errs: ask again later. */
err local_user_find(struct task *t, const struct local *l, str name,
                    struct arena *a, struct user *out);
err local_user_by_uid(struct task *t, uint32_t uid, struct arena *a,
                      struct user *out);

/* "user:group", group optional, by name or number (default_privs, user= of
 * pipe).  Fails with why(), also for root and for mail_owner. */
err local_user_parse(struct task *t, const struct transport *tr, str text,
                     struct arena *a, struct user *out);

/* --- local_text.c --------------------------------------------------------- */

/* The names in an address whose local part is folded. */
struct names_of local_names(const struct local *l, const struct address *x,
                            struct arena *a);

/* Expands $user, ${extension?x} and the like; what is not in filter becomes
 * "_" in the values.  *used_extension may be NULL.  ERR_SYNTAX with why(). */
err local_expand(struct task *t, const struct names_of *n, str text,
                 str filter, struct arena *a, str *out,
                 bool *used_extension);

/* The environment of a command. */
struct environment { const str *p; uint32_t n; };
struct environment local_environment(struct run *r, const struct leaf *leaf);

#endif
