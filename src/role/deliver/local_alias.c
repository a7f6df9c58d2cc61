/* SPDX-License-Identifier: ISC
 *
 * Aliases of aliases(5): looked up, their owners, whose rights they carry.
 *
 * Alias tables come from the lookup role, which opens them with root's rights
 * and hands over descriptors (table/face.h): this process opens no path and
 * the tables may be closed to everybody but root.  Whose they are is read
 * from the descriptor.
 */
#include "role/deliver/plan.h"
#include "route/rewrite.h"

#include <unistd.h>

/* Which of the tables knows the name. */
static err find(struct task *t, struct planning *p, str name, str *value,
                const struct table **where)
{
    const struct maps *m = &p->l->aliases;
    err e = ERR_ABSENT;

    for (size_t i = 0; i < m->n && e == ERR_ABSENT; i++) {
        struct maps one = { &m->p[i], 1, m->title };
        e = maps_find(t, &one, name, p->a, value);
        if (!e)
            *where = m->p[i];
    }
    return e;
}

/* L3: a table's owner, unless it is root's or the mail system's own, or
 * nobody's that is known: NULL then. */
static err rights_of(struct task *t, struct planning *p,
                     const struct table *where, const struct user **out)
{
    struct user *u = arena_new(p->a, struct user);
    uint32_t uid;
    err e;

    *out = NULL;
    if (!table_owner(where, &uid) || uid == 0
        || (!p->run->deliver->plain && uid == geteuid()))
        return OK;
    e = local_user_by_uid(t, uid, p->a, u);
    if (e == ERR_ABSENT)
        return why(t, ERR_IO, "cannot find alias database owner for %.*s",
                   STR(table_spec(where)));
    if (!e)
        *out = u;
    return e;
}

/* owner-NAME takes over as the sender, if there is such an alias. */
static err find_owner(struct task *t, struct planning *p, str name,
                      struct context *at)
{
    const struct route *r = p->l->route;
    struct alias_actions items = { { 0 } };
    str key = arena_cat(p->a, S("owner-"), name), value;
    const struct table *table;
    struct address x;
    err e = r->owner_request_special ? find(t, p, key, &value, &table)
                                     : ERR_ABSENT;

    if (e == ERR_ABSENT) {
        if (conf_bool(p->l->conf, P_reset_owner_alias))
            at->owner = S("");
        return OK;
    }
    TRY(e);
    TRY(address_join(key, S(""), p->a, &x));
    x = rewrite_standard(r, REWRITE_LOCAL, &x, p->a);
    if (conf_bool(p->l->conf, P_expand_owner_alias))
        alias_items(r, value, p->a, &items);
    if (items.list.n && items.list.p[0].kind == ALIAS_FORWARD)
        x = items.list.p[0].address; /* the first, should it be a list */
    at->owner = x.text;
    at->sender = x;
    at->resent = true;
    return OK;
}

err plan_alias(struct task *t, struct planning *p, const struct place *x,
               str name, bool stripped, bool *found)
{
    const struct route *r = p->l->route;
    struct context *at = arena_new(p->a, struct context);
    const struct table *where;
    str value;
    size_t n;
    err e = find(t, p, name, &value, &where);

    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    *found = true;
    if (x->at->depth > LOCAL_DEPTH_MAX) {
        str text = arena_fmt(p->a, "alias database loop for %.*s",
                             STR(name));
        run_warn(t, p->run, text);
        plan_verdict(p, x, OUTCOME_BOUNCED, "5.4.6", text);
        return OK;
    }
    *at = *x->at;
    at->from = ALIAS_FROM_ALIAS;
    at->opened = name;
    at->depth++;
    TRY(rights_of(t, p, where, &at->rights));
    TRY(find_owner(t, p, name, at));
    at->unmatched = stripped && (r->propagate & PROPAGATE_ALIAS)
        ? arena_cat(p->a, x->names.delimiter, x->names.extension) : S("");
    at->source = arena_fmt(p->a, "%.*s, key %.*s", STR(table_spec(where)),
                           STR(name));
    n = plan_push(p, x, at, value, false);
    return n > 0 ? OK : why(t, ERR_SYNTAX, "no recipient in alias lookup "
                            "result for %.*s", STR(name));
}
