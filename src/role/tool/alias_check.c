/* SPDX-License-Identifier: ISC
 *
 * Whether an alias does what its maker may want.
 *
 * A step from an address leads to the targets of its alias; if it has none,
 * and there is no such user, to those of its domain's alias.  Whoever leads to
 * himself stays there: that is how a user keeps a copy.
 */
#include "role/tool/alias_check.h"

enum { REACH_MAX = 10000 };

struct walk {
    struct admin *ad;
    str from;               /* the new alias */
    struct map *seen;
    vec_of(str) open;       /* to be looked at, the next one first */
    bool circle;
};

static err user_there(struct task *t, struct admin *ad, str address,
                      bool *there)
{
    struct directory_user found;
    err e = directory_user_find(t, ad->directory, address, &ad->memory,
                                &found);

    *there = e == OK;
    return e == ERR_ABSENT || e == ERR_SYNTAX ? OK : e;
}

/* Whose targets the address' mail goes to: itself, its domain's alias, or
 * empty: it goes no further. */
static err step(struct task *t, struct admin *ad, str address, str *node,
                struct directory_aliases *targets)
{
    bool user;

    *node = address;
    TRY(directory_alias_find(t, ad->directory, address, &ad->memory,
                             targets));
    if (targets->n)
        return OK;
    TRY(user_there(t, ad, address, &user));
    *node = S("");
    if (user)
        return OK;
    *node = arena_fmt(&ad->memory, "@%.*s", STR(admin_domain_of(address)));
    TRY(directory_alias_find(t, ad->directory, *node, &ad->memory, targets));
    return OK;
}

static err look_at(struct task *t, struct walk *w, str address)
{
    struct directory_aliases targets;
    str node;

    TRY(step(t, w->ad, address, &node, &targets));
    if (str_ieq(address, w->from) || str_ieq(node, w->from)) {
        w->circle = true;
        return OK;
    }
    for (size_t i = 0; i < targets.n; i++) {
        str to = targets.p[i].target;
        if (str_ieq(to, address) || map_get(w->seen, to))
            continue;
        if (w->seen->n == REACH_MAX)
            return why(t, ERR_LIMIT, "aliases lead to more than %d "
                       "addresses", REACH_MAX);
        map_put(w->seen, to, w);
        vec_push(&w->ad->memory, &w->open, to);
    }
    return OK;
}

/* Whether mail for from comes back to from by way of the target. */
static err leads_back(struct task *t, struct admin *ad, str from, str target,
                      bool *back)
{
    struct walk w = { .ad = ad, .from = from,
                      .seen = map_new(&ad->memory, true) };

    vec_push(&ad->memory, &w.open, target);
    for (size_t i = 0; i < w.open.n && !w.circle; i++)
        TRY(look_at(t, &w, w.open.p[i]));
    *back = w.circle;
    return OK;
}

/* Mail to an address of a domain of ours that nobody has. */
static err warn_nobody(struct task *t, struct admin *ad, str from, str target)
{
    struct directory_domain domain;
    struct directory_aliases targets;
    bool user;
    str node;
    err e = directory_domain_find(t, ad->directory, admin_domain_of(target),
                                  &ad->memory, &domain);

    if (e == ERR_ABSENT || (!e && str_eq(domain.class, S("relay"))))
        return OK;
    TRY(e);
    TRY(user_there(t, ad, target, &user));
    TRY(step(t, ad, target, &node, &targets));
    if (!user && (targets.n == 0 || str_ieq(node, from)))
        tool_warn(ad->args, "%.*s is nobody here: there is no such user and "
                  "no such alias", STR(target));
    return OK;
}

static err judge_target(struct task *t, struct admin *ad, str address,
                        str target)
{
    bool user, back;

    if (str_ieq(target, address)) {
        TRY(user_there(t, ad, address, &user));
        return user ? OK : why(t, ERR_DENIED, "%.*s is no user: an alias to "
                               "itself leads nowhere", STR(address));
    }
    if (str_starts(address, S("@"))
        && str_ieq(admin_domain_of(target), str_skip(address, 1))) {
        /* an address that only this alias knows stays where it is */
        struct directory_aliases targets;
        TRY(directory_alias_find(t, ad->directory, target, &ad->memory,
                                 &targets));
        if (targets.n == 0)
            return OK;
    }
    TRY(leads_back(t, ad, address, target, &back));
    if (back)
        return why(t, ERR_DENIED, "mail for %.*s would come back to it by "
                   "%.*s, in a circle", STR(address), STR(target));
    return OK;
}

/* A user whose mail would go to others only. */
static err judge_shadow(struct task *t, struct admin *ad, str address)
{
    struct directory_aliases before;
    bool user;

    TRY(user_there(t, ad, address, &user));
    TRY(directory_alias_find(t, ad->directory, address, &ad->memory,
                             &before));
    if (!user || before.n > 0)
        return OK;
    for (size_t i = 1; i < ad->operands.n; i++)
        if (str_ieq(ad->operands.p[i], address))
            return OK;
    return why(t, ERR_DENIED, "%.*s is a user, whose mail would no longer "
               "come to the mailbox; name %.*s as a target too, to keep it",
               STR(address), STR(address));
}

err alias_check(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0];
    err e = judge_shadow(t, ad, address);

    for (size_t i = 1; i < ad->operands.n && !e; i++)
        e = judge_target(t, ad, address, ad->operands.p[i]);
    if (e == ERR_DENIED && ad->given[ADMIN_force]) {
        tool_warn(ad->args, "%s", task_why(t));
        e = OK;
    } else if (e == ERR_DENIED) {
        str reason = arena_str(&ad->memory, str_from(task_why(t)));
        return why(t, e, "%.*s; --force adds it all the same", STR(reason));
    }
    for (size_t i = 1; i < ad->operands.n && !e; i++)
        if (!str_ieq(ad->operands.p[i], address))
            e = warn_nobody(t, ad, address, ad->operands.p[i]);
    return e;
}
