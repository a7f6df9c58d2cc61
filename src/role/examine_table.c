/* SPDX-License-Identifier: ISC
 *
 * Tables, networks and domains, as a configuration names them.  No table is
 * opened: this also runs as root, which reads no data of others.
 */
#include "role/examining.h"

#include "table/table.h"

static bool has_type(str type)
{
    for (const char *const *all = table_types(); *all; all++)
        if (str_eq(str_from(*all), type))
            return true;
    return false;
}

/* What is wrong with an item of a list that names tables, or empty; maps:
 * nothing else may stand there. */
static str table_fault(struct examining *x, str item, bool maps)
{
    size_t colon;
    str type;

    while (str_starts(item, S("proxy:")))
        item = str_skip(item, 6);
    colon = str_chr(item, ':');
    type = str_head(item, colon == STR_NONE ? 0 : colon);
    if (colon == STR_NONE || str_any(type, S("/[")) != STR_NONE)
        return maps ? arena_fmt(x->a, "expecting \"type:name\" form instead "
                                "of \"%.*s\"", STR(item))
                    : S("");
    return has_type(type) ? S("")
         : arena_fmt(x->a, "unsupported dictionary type: %.*s", STR(type));
}

/* The file that a table is made of is not there. */
static bool is_missing(struct examining *x, str item, str *path)
{
    enum table_need need;
    struct file_stat st;

    while (str_starts(item, S("proxy:")))
        item = str_skip(item, 6);
    if (str_chr(item, ':') == STR_NONE
        || table_need_of(x->t, item, x->a, &need, path))
        return false;
    /* These are opened where they are asked, by a path of their own. */
    if (str_starts(item, S("lmdb:")))
        *path = arena_fmt(x->a, "%.*s.lmdb", STR(str_skip(item, 5)));
    else if (str_starts(item, S("sqlite:")))
        *path = str_skip(item, 7);
    return str_starts(*path, S("/"))
           && file_stat_path(x->t, NULL, *path, &st) == ERR_ABSENT;
}

/* How an indexed file is made, which is not the one that is named. */
static str remedy(struct examining *x, enum param p, str item, str path)
{
    bool aliases = p == P_alias_maps || p == P_alias_database;
    str name;

    while (str_starts(item, S("proxy:")))
        item = str_skip(item, 6);
    name = str_skip(item, str_chr(item, ':') + 1);
    if (str_eq(name, path) || !str_starts(path, name))
        return S("");
    return arena_fmt(x->a, " (run \"%s %.*s\")",
                     aliases ? "postalias" : "postmap", STR(item));
}

static void look_at_table(struct examining *x, const struct conf *c,
                          enum param p, str item, bool maps)
{
    str fault = table_fault(x, item, maps), path;

    if (fault.n)
        examining_found(x, true, c, p,
                        arena_fmt(x->a, "%.*s: %.*s",
                                  STR(conf_param(p)->name), STR(fault)));
    else if (is_missing(x, item, &path))
        examining_found(x, false, c, p,
                        arena_fmt(x->a, "%.*s: table %.*s: open %.*s: No such "
                                  "file or directory%.*s",
                                  STR(conf_param(p)->name), STR(item),
                                  STR(path), STR(remedy(x, p, item, path))));
}

/* Whether p's items are tables, or may be; *maps: nothing else. */
static bool names_tables(enum param p, bool *maps)
{
    const struct conf_param *param = conf_param(p);

    *maps = str_ends(param->name, S("_maps"))
            && !str_starts(param->name, S("proxy_"));
    return param->kind == CONF_LIST && param->effect == CONF_FULL
           && (*maps || str_ends(param->name, S("_domains"))
               || str_eq(param->name, S("mydestination"))
               || str_eq(param->name, S("alias_database")));
}

static void look_at_all(struct examining *x, const struct conf *c)
{
    for (enum param p = 0; p < N_PARAMS; p++) {
        bool access = conf_param(p)->kind == CONF_LIST
                      && str_ends(conf_param(p)->name, S("_restrictions"));
        struct conf_items items;
        bool maps;
        if (!conf_is_set(c, p) || !examining_new(x, c, p)
            || !(access || names_tables(p, &maps)))
            continue;
        items = conf_items(c, p);
        for (size_t i = 0; i < items.n; i++)
            if (!access)
                look_at_table(x, c, p, items.p[i], maps);
            else if (i > 0 && str_starts(items.p[i - 1], S("check_"))
                     && str_ends(items.p[i - 1], S("_access")))
                look_at_table(x, c, p, items.p[i], true);
    }
}

/* --- networks ------------------------------------------------------------- */

static void look_at_networks(struct examining *x, const struct conf *c)
{
    static const enum param networks[] = {
        P_mynetworks, P_permit_mx_backup_networks,
        P_smtpd_sasl_exceptions_networks,
    };
    struct tables *ts = tables_new(x->a, c, table_opener_files());

    for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
        struct conf_items items = conf_items(c, networks[i]);
        struct match_list *l;
        if (!conf_is_set(c, networks[i]) || !examining_new(x, c, networks[i]))
            continue;
        for (size_t k = 0; k < items.n; k++)
            if (match_list_open(x->t, ts, x->a, conf_param(networks[i])->name,
                                items.p[k], MATCH_ADDRESS, false, &l))
                examining_found(x, true, c, networks[i],
                                arena_str(x->a, str_from(task_why(x->t))));
    }
}

/* --- domains -------------------------------------------------------------- */

static bool lists(struct conf_items items, str domain)
{
    for (size_t i = 0; i < items.n; i++)
        if (str_ieq(items.p[i], domain))
            return true;
    return false;
}

/* A domain is of one class; route/ takes the first that fits. */
static void look_at_classes(struct examining *x, const struct conf *c)
{
    static const struct { enum param first, second; } pairs[] = {
        { P_mydestination, P_virtual_alias_domains },
        { P_mydestination, P_virtual_mailbox_domains },
        { P_virtual_alias_domains, P_virtual_mailbox_domains },
        { P_virtual_alias_domains, P_relay_domains },
        { P_virtual_mailbox_domains, P_relay_domains },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct conf_items one = conf_items(c, pairs[i].first);
        struct conf_items other = conf_items(c, pairs[i].second);
        for (size_t k = 0; k < one.n; k++)
            if (str_any(one.p[k], S(":/!")) == STR_NONE
                && lists(other, one.p[k]))
                examining_found(x, false, c, pairs[i].second,
                        arena_fmt(x->a, "do not list domain %.*s in BOTH "
                                  "%.*s and %.*s", STR(one.p[k]),
                                  STR(conf_param(pairs[i].first)->name),
                                  STR(conf_param(pairs[i].second)->name)));
    }
}

void examine_tables(struct examining *x, const struct conf *c)
{
    look_at_all(x, c);
    look_at_networks(x, c);
    if (!x->service)
        look_at_classes(x, c);
}
