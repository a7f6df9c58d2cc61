/* SPDX-License-Identifier: ISC
 *
 * Expanding aliases: a stack of items still to be looked at, no recursion.
 */
#include "route/alias.h"

#include "route/rewrite.h"

/* An item on the stack, with the names it came through. */
struct pending {
    struct alias_action act;
    const struct trail *trail;
};

/* The aliases an item came through, innermost first: a name among them means
 * the user. */
struct trail {
    const struct trail *outer;
    str name;
    size_t depth;
};

struct expanding {
    const struct aliases *al;
    struct arena *a;
    struct alias_actions *out;
    struct map *seen;           /* "kind text owner" that is in out */
    struct map *opened;         /* "name owner" of aliases */
    vec_of(struct pending) stack;
    struct reply *fault;
};

static err read_from(struct task *t, const struct conf *c, enum param p,
                     int *out)
{
    static const struct { str name; int bit; } names[] = {
        { S_INIT("alias"), ALIAS_FROM_ALIAS },
        { S_INIT("forward"), ALIAS_FROM_FORWARD },
        { S_INIT("include"), ALIAS_FROM_INCLUDE },
    };
    struct conf_items items = conf_items(c, p);
    int bits = 0;

    for (size_t i = 0; i < items.n; i++) {
        int bit = 0;
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            if (str_ieq(items.p[i], names[k].name))
                bit = names[k].bit;
        if (!bit)
            return why(t, ERR_SYNTAX, "%.*s: bad value \"%.*s\"",
                       STR(conf_param(p)->name), STR(items.p[i]));
        bits |= bit;
    }
    *out = bits;
    return OK;
}

err aliases_open(struct task *t, struct arena *a, const struct route *r,
                 struct tables *tables, struct aliases **out)
{
    struct aliases *al = arena_new(a, struct aliases);
    const struct conf *c = r->conf;

    al->route = r;
    al->owner_special = conf_bool(c, P_owner_request_special);
    al->expand_owner = conf_bool(c, P_expand_owner_alias);
    al->include_max = 16 << 20;
    TRY(read_from(t, c, P_allow_mail_to_commands, &al->commands));
    TRY(read_from(t, c, P_allow_mail_to_files, &al->files));
    TRY(maps_open_flags(t, tables, a, conf_param(P_alias_maps)->name,
                        conf_raw(c, P_alias_maps), TABLE_NO_GROUPS,
                        &al->maps));
    *out = al;
    return OK;
}

static bool on_trail(const struct trail *tr, str name)
{
    for (; tr; tr = tr->outer)
        if (str_ieq(tr->name, name))
            return true;
    return false;
}

static void give(struct expanding *x, const struct alias_action *act)
{
    str key = arena_fmt(x->a, "%d %.*s%.*s\n%.*s", (int)act->kind,
                        STR(act->address.text), STR(act->text),
                        STR(act->owner));

    if (map_get(x->seen, key))
        return;
    map_put(x->seen, key, x);
    vec_push(x->a, &x->out->list, *act);
}

/* Pushes the items of a value, the last one first, so that they come off in
 * their order. */
static void push_all(struct expanding *x, const struct alias_actions *items,
                     const struct alias_action *from,
                     const struct trail *trail, int propagate, str extension)
{
    for (size_t i = items->list.n; i-- > 0;) {
        struct pending p = { items->list.p[i], trail };
        struct address *to = &p.act.address;
        p.act.owner = from->owner;
        p.act.alias = from->alias;
        p.act.file = from->file;
        if (extension.n && p.act.kind == ALIAS_FORWARD &&
            (x->al->route->propagate & propagate))
            err_ignore(address_join(arena_cat(x->a, to->local, extension),
                                    to->domain, x->a, to));
        vec_push(x->a, &x->stack, p);
    }
}

/* Looks the name up, with its extension and then without. */
static err find_alias(struct task *t, struct expanding *x, str local,
                      str *name, str *value, str *extension)
{
    const struct route *r = x->al->route;
    str user;
    err e;

    *extension = S("");
    *name = arena_lower(x->a, local);
    e = maps_find(t, &x->al->maps, *name, x->a, value);
    if (e != ERR_ABSENT ||
        !address_split(local, r->delimiters, x->al->owner_special, &user,
                       extension))
        return e;
    *name = arena_lower(x->a, user);
    return maps_find(t, &x->al->maps, *name, x->a, value);
}

/* owner-name takes over as the sender, if there is such an alias. */
static err find_owner(struct task *t, struct expanding *x, str name,
                      str *owner)
{
    const struct aliases *al = x->al;
    struct alias_actions items = { { 0 } };
    str key = arena_cat(x->a, S("owner-"), name), value, where;
    err e;

    if (!al->owner_special || str_istarts(name, S("owner-")))
        return OK;
    e = maps_find(t, &al->maps, key, x->a, &value);
    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    *owner = arena_fmt(x->a, "%.*s@%.*s", STR(key),
                       STR(al->route->myorigin));
    if (al->expand_owner &&
        !alias_items(al->route, value, x->a, &items, &where) &&
        items.list.n && items.list.p[0].kind == ALIAS_FORWARD)
        *owner = items.list.p[0].address.text;
    return OK;
}

/* I1: what an alias stands for is given once. */
static bool was_opened(struct expanding *x, str name, str owner)
{
    str key = arena_fmt(x->a, "%.*s\n%.*s", STR(name), STR(owner));

    return map_put(x->opened, key, x) != NULL;
}

/* Opens a local name: into its alias' items, or itself. */
static err open_name(struct task *t, struct expanding *x,
                     const struct pending *p)
{
    struct alias_action from = p->act;
    struct alias_actions items = { { 0 } };
    struct trail *trail;
    str name, value, extension, where;
    err e;

    if (on_trail(p->trail, from.address.local)) {
        from.kind = ALIAS_USER;
        give(x, &from);
        return OK;
    }
    e = find_alias(t, x, from.address.local, &name, &value, &extension);
    if (e == ERR_ABSENT || (!e && on_trail(p->trail, name))) {
        from.kind = ALIAS_USER;
        give(x, &from);
        return OK;
    }
    TRY(e);
    if (was_opened(x, name, from.owner))
        return OK;
    if (p->trail && p->trail->depth >= ALIAS_DEPTH_MAX) {
        *x->fault = REPLY(554, "5.4.6", "aliases nest too deeply");
        return OK;
    }
    if (alias_items(x->al->route, value, x->a, &items, &where)) {
        *x->fault = reply_fmt(x->a, 451, "4.3.5", "alias %.*s: %.*s",
                              STR(name), STR(where));
        return OK;
    }
    TRY(find_owner(t, x, name, &from.owner));
    from.alias = name;
    trail = arena_new(x->a, struct trail);
    *trail = (struct trail){ p->trail, name,
                             p->trail ? p->trail->depth + 1 : 1 };
    push_all(x, &items, &from, trail, PROPAGATE_ALIAS, extension);
    return OK;
}

/* Reads an :include: file: each line is like an alias' value. */
static err open_include(struct task *t, struct expanding *x,
                        const struct pending *p)
{
    struct alias_action from = p->act;
    struct alias_actions items = { { 0 } };
    str text, line, where;
    err e;

    if (from.file.n) {
        *x->fault = reply_fmt(x->a, 554, "5.3.5",
                              ":include:%.*s inside an :include: file",
                              STR(from.text));
        return OK;
    }
    e = file_load(t, NULL, from.text, x->a, x->al->include_max, &text);
    if (e == ERR_ABSENT || e == ERR_DENIED) {
        *x->fault = reply_fmt(x->a, 451, "4.2.0",
                              "cannot open include file %.*s",
                              STR(from.text));
        return OK;
    }
    TRY(e);
    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (alias_items(x->al->route, line, x->a, &items, &where)) {
            *x->fault = reply_fmt(x->a, 451, "4.3.5", "%.*s: %.*s",
                                  STR(from.text), STR(where));
            return OK;
        }
    }
    from.file = from.text;
    push_all(x, &items, &from, p->trail, PROPAGATE_INCLUDE, S(""));
    return OK;
}

/* A command or file, if it may stand where it stands. */
static void give_program(struct expanding *x, const struct alias_action *act)
{
    bool command = act->kind == ALIAS_COMMAND;
    int from = act->file.n ? ALIAS_FROM_INCLUDE : ALIAS_FROM_ALIAS;

    if ((command ? x->al->commands : x->al->files) & from)
        give(x, act);
    else
        *x->fault = reply_fmt(x->a, 554, "5.7.1",
                              "mail to %s is restricted: %.*s",
                              command ? "command" : "file",
                              STR(act->text));
}

static err step(struct task *t, struct expanding *x, const struct pending *p)
{
    err e;

    switch (p->act.kind) {
    case ALIAS_COMMAND:
    case ALIAS_FILE:
        give_program(x, &p->act);
        return OK;
    case ALIAS_INCLUDE:
        return open_include(t, x, p);
    case ALIAS_USER:
    case ALIAS_FORWARD:
        break;
    }
    e = route_domain_local(t, x->al->route, p->act.address.domain);
    if (e == ERR_ABSENT) {
        give(x, &p->act);
        return OK;
    }
    TRY(e);
    return open_name(t, x, p);
}

err alias_expand(struct task *t, const struct aliases *al,
                 const struct address *address, struct arena *a,
                 struct alias_actions *out, struct reply *fault)
{
    struct alias_actions actions = { { 0 } };
    struct expanding x = { .al = al, .a = a, .out = &actions,
                           .seen = map_new(a, false),
                           .opened = map_new(a, false), .fault = fault };
    struct pending p = { .act = { .kind = ALIAS_USER, .address = *address } };
    err e;

    fault->code = 0;
    e = open_name(t, &x, &p);
    while (!e && !fault->code && x.stack.n) {
        p = x.stack.p[--x.stack.n];
        if (actions.list.n + x.stack.n > ALIAS_ACTIONS_MAX)
            *fault = REPLY(554, "5.4.6", "alias has too many members");
        else
            e = step(t, &x, &p);
    }
    TRY(e);
    *out = actions;
    return OK;
}
