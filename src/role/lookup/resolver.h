/* SPDX-License-Identifier: ISC
 *
 * The way to name servers, as a configuration has it.  Editions that say the
 * same share one, with what it has in its cache; one that nobody uses any more
 * is closed by the role's body, since that has to wait for its task.
 */
#ifndef ROLE_LOOKUP_RESOLVER_H
#define ROLE_LOOKUP_RESOLVER_H

#include "net/dns.h"
#include "role/role.h"

struct resolver;
struct resolvers {
    struct role *role;
    struct link all;
};

void resolvers_init(struct resolvers *rs, struct role *r);

/* The one that e's configuration asks for; e holds it as long as it lives. */
err resolver_of(struct task *t, struct resolvers *rs, struct edition *e,
                struct resolver **out);
struct dns *resolver_dns(const struct resolver *r);

/* Closes those that nobody uses.  The role's body calls it when something
 * changed. */
void resolvers_sweep(struct task *t, struct resolvers *rs);

/* The same for all, when no edition is left. */
void resolvers_close(struct task *t, struct resolvers *rs);

#endif
