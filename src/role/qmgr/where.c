/* SPDX-License-Identifier: ISC
 *
 * Where a recipient goes: the route's answer, with what the message itself
 * overrides (content_filter, FILTER actions) before it.
 */
#include "role/qmgr/where.h"

#include "role/events.h"
#include "route/resolve.h"

struct places {
    struct arena memory;
    struct tables *tables;
    struct route *route;
};

void places_close(struct places *p)
{
    if (!p)
        return;
    arena_reset(&p->memory);
    heap_free(p);
}

err places_open(struct task *t, struct queue *q, struct places **out)
{
    struct places *p = heap_new(struct places);
    err e;

    arena_init(&p->memory, 0);
    p->tables = tables_new(&p->memory, q->conf, q->opener);
    e = route_open(t, &p->memory, q->conf, p->tables, &p->route);
    if (e) {
        places_close(p);
        return e;
    }
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
    struct destination d;

    if (!str_empty(r->transport) || !str_empty(m->envelope.filter)) {
        by_override(str_empty(r->transport) ? m->envelope.filter
                                            : r->transport, m, index, out);
        return OK;
    }
    TRY(resolve(t, q->places->route, &m->envelope.sender, &r->address, a,
                &d));
    out->transport = d.transport;
    out->nexthop = d.nexthop;
    return OK;
}
