/* SPDX-License-Identifier: ISC
 *
 * Defaults that depend on the machine and, in circles that are cut here, on
 * each other: myhostname, mydomain, mynetworks.
 */
#ifndef CONF_MACHINE_H
#define CONF_MACHINE_H

#include "conf/scope.h"

/* Fills s->machine.  ERR_SYNTAX with *complaint when a value it depends on
 * cannot be expanded. */
err machine_names(struct arena *a, struct conf_scope *s, str dir,
                  const struct conf_facts *facts, str *complaint);

/* Fills s->machine.mynetworks, after machine_names. */
err machine_networks(struct arena *a, struct conf_scope *s,
                     const struct conf_facts *facts, str *complaint);

#endif
