/* SPDX-License-Identifier: ISC
 *
 * Where a recipient goes.
 */
#include "role/qmgr/where.h"

err where_to(struct task *t, struct queue *q, const struct message *m,
             uint32_t index, struct arena *a, struct where *out)
{
    str relayhost = conf_str(q->conf, P_relayhost);

    (void)t;
    (void)a;
    out->transport = S("smtp");
    out->nexthop = str_empty(relayhost)
                       ? m->envelope.recipients.p[index].address.domain
                       : relayhost;
    return OK;
}
