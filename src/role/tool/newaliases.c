/* SPDX-License-Identifier: ISC
 *
 * What newaliases(1) and "sendmail -bi" do: the tables that alias_database
 * names are made.
 */
#include "role/tool/postmap.h"
#include "role/tool/sendmail.h"

int sendmail_aliases(struct task *t, const struct tool_args *args)
{
    struct arena a;
    struct postmap pm = { .args = args, .arena = &a, .aliases = true };
    struct conf_items items;
    int status = 0;

    arena_init(&a, 0);
    if (!postmap_prepare(t, &pm)) {
        arena_reset(&a);
        return 1;
    }
    items = conf_items(pm.env.conf, P_alias_database);
    for (size_t i = 0; i < items.n && status == 0; i++)
        if (!postmap_build(t, &pm, postmap_spec(&pm, arena_cstr(&a,
                                                        items.p[i]))))
            status = 1;
    arena_reset(&a);
    return status;
}
