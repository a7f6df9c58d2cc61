/* SPDX-License-Identifier: ISC
 *
 * Commands of master.cf and the roles that do their work.  Names of Postfix'
 * inner daemons are accepted: their work is done inside other roles.
 */
#ifndef ROLE_SERVICE_H
#define ROLE_SERVICE_H

#include "role/role.h"

struct service_kind {
    str command;
    bool listens;           /* its line is a socket that somebody serves */
    enum role_kind role;    /* who serves it, N_ROLES: nobody needs to */
};

/* What a line asks for that is not built in: a sentence in a, or empty. */
str service_fault(const struct service *s, struct arena *a);

/* Where an inet service listens. */
struct service_address {
    str host;               /* without brackets; empty: inet_interfaces */
    str port_name;
    uint16_t port;
};
/* False for a port that nobody knows; port_name is set even then. */
bool service_address(const struct service *s, struct arena *a,
                     struct service_address *out);

/* NULL: not built in. */
const struct service_kind *service_kind(str command);

#endif
