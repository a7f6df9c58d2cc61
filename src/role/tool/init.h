/* SPDX-License-Identifier: ISC
 *
 * veredus init: what will be written, and the texts.
 */
#ifndef ROLE_TOOL_INIT_H
#define ROLE_TOOL_INIT_H

#include "role/tool/admin.h"

struct init_plan {
    bool root;          /* a system for all, with user ids of its own */
    str domain, hostname, relayhost;
    str dir;            /* of main.cf */
    str queue, data, mail, log;  /* log may be empty: syslog */
    str aliases, directory, key, certificate;
    str owner;          /* mail_owner */
    uint32_t uid, gid;  /* who owns mailboxes */
    uint32_t base;      /* of the ports; 0: the real ones */
};

/* Fills the plan from the command line and this machine; why() says what
 * cannot be. */
err init_plan(struct task *t, struct admin *ad, struct init_plan *out);

/* Makes the users and groups that the plan needs (--create-users). */
err init_users(struct task *t, struct admin *ad, const struct init_plan *p);

/* The texts.  Pure. */
void init_main_cf(const struct init_plan *p, struct buf *to);
void init_master_cf(const struct init_plan *p, struct buf *to);
void init_aliases(const struct init_plan *p, struct buf *to);

/* The questions to the directory: DIR/sqlite/NAME.cf. */
struct init_query {
    const char *name, *about, *query;
};
extern const struct init_query init_queries[];
void init_query_cf(const struct init_plan *p, const struct init_query *q,
                   struct buf *to);

/* A port of this instance: "smtp" or "10025". */
str init_port(const struct init_plan *p, struct arena *a, const char *name,
              uint32_t number);

#endif
