/* SPDX-License-Identifier: ISC
 *
 * Visitors who have not said who they are.
 */
#include "role/waiting.h"

void waiting_init(struct waiting *w)
{
    list_init(&w->line);
    w->n = 0;
}

void waiting_enter(struct waiting *w, struct waiting_visitor *v,
                   struct sock *sock)
{
    *v = (struct waiting_visitor){ .in = w, .sock = sock };
    list_add_last(&w->line, &v->link);
    w->n++;
}

void waiting_leave(struct waiting_visitor *v)
{
    if (!v->in)
        return;
    must(v->in->n > 0);
    v->in->n--;
    v->in = NULL;
    list_del(&v->link);
}

struct waiting_visitor *waiting_drop(struct waiting *w,
                                     const struct waiting_visitor *but)
{
    list_each(l, &w->line) {
        struct waiting_visitor *v = container_of(l, struct waiting_visitor,
                                                 link);
        if (v == but || v->busy)
            continue;
        v->dropped = true;
        sock_abort(v->sock);
        waiting_leave(v);
        return v;
    }
    return NULL;
}
