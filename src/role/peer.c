/* SPDX-License-Identifier: ISC
 *
 * Asking another role: master gives a port to each that lives, and another
 * when it was started again.
 */
#include "role/role.h"

#include "table/face.h"

struct peer {
    struct role *role;
    struct task_group *group;
    enum role_kind kind;
    struct calls *calls;
};

static err peer_run(struct task *t, void *arg)
{
    struct peer *p = arg;

    for (;;) {
        struct role_port *port;

        while ((port = role_port_take(p->role, p->kind)))
            calls_serve(p->group, p->calls, port->port);
        TRY(bell_wait(t, &p->role->changed, NEVER));
    }
}

struct calls *role_calls(struct role *r, struct task_group *g,
                         enum role_kind peer)
{
    struct peer *p = arena_new(r->memory, struct peer);

    *p = (struct peer){ r, g, peer, calls_new(r->memory) };
    group_go(g, "peer", peer_run, p);
    return p->calls;
}

struct table_opener role_opener(struct role *r, struct calls *lookup)
{
    return r->control ? table_opener_remote(r->memory, lookup)
                      : table_opener_files();
}
