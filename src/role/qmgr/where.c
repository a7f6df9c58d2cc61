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
    uint32_t n_users;       /* the queue, and look-ups under way */
    struct tables *tables;
    struct route *route;
};

void places_close(struct places *p)
{
    if (!p || --p->n_users > 0)
        return;
    arena_reset(&p->memory);
    heap_free(p);
}

err places_open(struct task *t, struct queue *q, struct places **out)
{
    struct places *p = heap_new(struct places);
    err e;

    arena_init(&p->memory, 0);
    p->n_users = 1;
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
    struct places *p = q->places;
    struct destination d;
    err e;

    if (!str_empty(r->transport) || !str_empty(m->envelope.filter)) {
        by_override(str_empty(r->transport) ? m->envelope.filter
                                            : r->transport, m, index, out);
        return OK;
    }
    p->n_users++;
    e = resolve(t, p->route, &m->envelope.sender, &r->address, a, &d);
    places_close(p);
    if (e)
        return e;
    out->transport = d.transport;
    out->nexthop = d.nexthop;
    return OK;
}
