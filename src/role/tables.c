/* SPDX-License-Identifier: ISC
 *
 * Ports to the lookup role.
 */
#include "role/tables.h"

#include "table/face.h"

static err answers_run(struct task *t, void *calls)
{
    err_ignore(calls_run(t, calls)); /* those who wait hear of it */
    return OK;
}

bool role_tables_take(struct role *r, struct task_group *g,
                      struct role_tables *rt)
{
    struct role_port *p;
    bool taken = false;

    while ((p = role_port_take(r, ROLE_lookup))) {
        bool first = rt->calls == NULL;
        rt->calls = calls_new(r->memory, p->port);
        if (first)
            rt->opener = table_opener_remote(r->memory, rt->calls);
        else
            table_opener_renew(rt->opener, rt->calls);
        group_go(g, "lookup", answers_run, rt->calls);
        taken = true;
    }
    return taken;
}

bool role_tables_ready(struct role *r, struct role_tables *rt)
{
    if (rt->opener.open)
        return true;
    if (r->control)
        return false;
    rt->opener = table_opener_files();
    return true;
}

err role_tables_wait(struct task *t, struct role *r, struct task_group *g,
                     struct role_tables *rt)
{
    role_tables_take(r, g, rt);
    while (!role_tables_ready(r, rt)) {
        if (r->stop)
            return ERR_STOPPED;
        TRY(bell_wait(t, &r->changed, NEVER));
        role_tables_take(r, g, rt);
    }
    return OK;
}
