/* SPDX-License-Identifier: ISC
 *
 * Where a recipient goes: the route's answer, with what the message itself
 * overrides (content_filter, FILTER actions) before it.
 */
#include "role/qmgr/where.h"

#include "role/events.h"
#include "route/resolve.h"

struct places {
    struct tables *tables;
    struct route *route;
};

err places_open(struct task *t, struct queue *q, struct edition *e,
                struct places **out)
{
    struct places *p = arena_new(&e->memory, struct places);

    p->tables = tables_new(&e->memory, e->conf, q->opener);
    TRY(route_open(t, &e->memory, e->conf, p->tables, &p->route));
    *out = p;
    return OK;
}

static void by_override(str spec, const struct message *m, uint32_t index,
                        struct where *out)
{
    resolve_split(spec, &out->transport, &out->nexthop);
    if (str_empty(out->nexthop))
        out->nexthop = m->envelope.recipients.p[index].address.domain;
}

err where_to(struct task *t, struct queue *q, const struct message *m,
             uint32_t index, struct arena *a, struct where *out)
{
    const struct recipient *r = &m->envelope.recipients.p[index];
    struct edition *ed;
    struct destination d;
    err e;

    out->recipient = r->address;
    if (!str_empty(r->transport) || !str_empty(m->envelope.filter)) {
        by_override(str_empty(r->transport) ? m->envelope.filter
                                            : r->transport, m, index, out);
        return OK;
    }
    ed = edition_hold(q->edition); /* a reload may come meanwhile */
    e = resolve(t, queue_sight(ed)->places->route, &m->envelope.sender,
                &r->address, a, &d);
    if (!e) {
        out->transport = arena_str(a, d.transport);
        out->nexthop = arena_str(a, d.nexthop);
        if (!d.bad)
            out->recipient = d.recipient;
    }
    edition_leave(ed);
    return e;
}
