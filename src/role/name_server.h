/* SPDX-License-Identifier: ISC
 *
 * Where the configuration says that DNS is asked: for the lookup role, and for
 * commands, which ask by themselves.
 */
#ifndef ROLE_NAME_SERVER_H
#define ROLE_NAME_SERVER_H

#include "conf/conf.h"
#include "net/dns.h"

/* ERR_SYNTAX with why(): lookup_dns_server is no address. */
err name_server_settings(struct task *t, const struct conf *c,
                         struct dns_settings *out);

#endif
