/* SPDX-License-Identifier: ISC
 *
 * nis: tables, which the default of alias_maps names.  On a host without a
 * NIS domain, as nearly all are, such a table is empty, and says so once.
 * Asking NIS is not built: where there is a domain the table is refused.
 */
#include "table/kind.h"

enum { DOMAIN_MAX = 256 };

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    (void)t;
    (void)tb;
    (void)key;
    (void)a;
    (void)value;
    return ERR_ABSENT;
}

err table_open_nis(struct task *t, struct table *tb,
                   const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };
    str domain;

    (void)data;
    TRY(file_load(t, NULL, S("/proc/sys/kernel/domainname"), tb->arena,
                  DOMAIN_MAX, &domain));
    domain = str_trim(domain);
    if (!str_empty(domain) && !str_eq(domain, S("(none)")))
        return why(t, ERR_DENIED, "unsupported dictionary type: nis "
                   "(NIS domain name \"%.*s\")", STR(domain));
    table_warn(t, tb->env, S("dict_nis_init: NIS domain name not set - NIS "
                             "lookups disabled"));
    tb->ops = &ops;
    return OK;
}
