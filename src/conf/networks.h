/* SPDX-License-Identifier: ISC
 *
 * The default of mynetworks, from the machine's interfaces.
 */
#ifndef CONF_NETWORKS_H
#define CONF_NETWORKS_H

#include "conf/conf.h"

/* style: class, subnet or host; interfaces and protocols: the values of
 * inet_interfaces and inet_protocols.  ERR_SYNTAX with *complaint when one of
 * them makes no sense. */
err networks_default(struct arena *a, const struct conf_facts *facts,
                     str style, str interfaces, str protocols, str *out,
                     str *complaint);

#endif
