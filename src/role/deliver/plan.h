/* SPDX-License-Identifier: ISC
 *
 * Inside local(8)'s planning: local_plan.c, local_alias.c, local_name.c.
 */
#ifndef ROLE_DELIVER_PLAN_H
#define ROLE_DELIVER_PLAN_H

#include "role/deliver/local.h"

/* A recipient and how it came about. */
struct place {
    const struct context *at;
    const struct recipient *to;
    struct names_of names;
};

/* An item on the stack; to and names are those it came out of. */
struct pending {
    struct alias_action act;
    const struct context *at;
    const struct recipient *to;
    struct names_of names;
};

struct planning {
    struct run *run;
    const struct local *l;
    struct arena *a;
    struct plan *plan;
    struct map *seen;       /* what was planned already */
    vec_of(struct pending) stack;
};

void plan_leaf(struct planning *p, struct leaf leaf);
void plan_verdict(struct planning *p, const struct place *x,
                  enum outcome outcome, const char *dsn, str text);
/* A deferral; the reason that rides on the task goes to the log. */
void plan_later(struct task *t, struct planning *p, const struct place *x,
                const char *what);
/* Whether it was here before. */
bool plan_seen(struct planning *p, const char *what, uint64_t number,
               str name);

/* The items of an alias' value, or of a file's lines, put on the stack; how
 * many they are. */
size_t plan_push(struct planning *p, const struct place *x,
                 const struct context *at, str text, bool lines);

/* An address to be looked at, in place of x. */
void plan_address(struct task *t, struct planning *p, const struct place *x,
                  const struct context *at, const struct address *address);

void plan_recipient(struct task *t, struct planning *p,
                    const struct place *given);

/* --- local_alias.c -------------------------------------------------------- */

/* Opens the alias of that name, if there is one; *found then.  stripped: the
 * extension is not part of the name. */
err plan_alias(struct task *t, struct planning *p, const struct place *x,
               str name, bool stripped, bool *found);

/* --- local_name.c --------------------------------------------------------- */

/* A name that is no alias: .forward (unless bare), mailbox, or unknown. */
void plan_user(struct task *t, struct planning *p, const struct place *x,
               bool bare);

#endif
