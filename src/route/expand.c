/* SPDX-License-Identifier: ISC
 *
 * Expanding envelopes.
 */
#include "route/expand.h"

static const char alias_error[] = "Alias expansion error";

void expand_begin(struct expansion *x, const struct route *r, struct arena *a,
                  int flags, struct envelope *envelope)
{
    *x = (struct expansion){ r, a, flags, envelope, map_new(a, true) };
}

/* A list of addresses that is being expanded from left to right. */
struct growing {
    const struct route *r;
    struct arena *a;
    struct addresses list;
    struct map *final;      /* addresses that stand in their own expansion */
};

static bool refuse(struct task *t, struct reply *fault, const char *what,
                   const struct address *x)
{
    err_ignore(why(t, ERR_LIMIT, "unreasonable virtual_alias_maps %s for "
                   "%.*s", what, STR(str_head(x->text, 200))));
    *fault = (struct reply){ 451, "4.6.0",
                             { alias_error, sizeof(alias_error) - 1 } };
    return true;
}

/* Puts the result of one step in place of list[i]: the first address there,
 * the others at the end.  True if that is refused. */
static bool replace(struct task *t, struct growing *g, size_t i,
                    const struct addresses *by, struct reply *fault)
{
    struct address from = g->list.list.p[i];

    for (size_t k = 0; k < by->list.n; k++) {
        struct address to = by->list.p[k];
        if (to.text.n > g->r->virtual_length_max)
            return refuse(t, fault, "result", &from);
        if (str_ieq(to.text, from.text))
            map_put(g->final, from.text, g);
        if (k == 0)
            g->list.list.p[i] = to;
        else
            vec_push(g->a, &g->list.list, to);
        if (g->list.list.n > g->r->virtual_expansion_max)
            return refuse(t, fault, "map expansion size", &from);
    }
    return false;
}

/* Follows the left branch from list[i] until it has no alias. */
static err follow(struct task *t, struct growing *g, size_t i,
                  struct reply *fault)
{
    const struct route *r = g->r;
    int how = MAP_SHOWN_FIRST
              | (r->propagate & PROPAGATE_VIRTUAL ? MAP_PROPAGATE : 0);

    for (size_t depth = 0;; depth++) {
        struct address x = g->list.list.p[i];
        struct addresses found;
        err e;
        if (map_get(g->final, x.text))
            return OK;
        if (depth >= r->virtual_recursion_max) {
            refuse(t, fault, "map nesting", &x);
            return OK;
        }
        e = rewrite_map(t, r, &r->virtual_alias, how, &x, g->a, &found);
        if (e == ERR_ABSENT)
            return OK;
        TRY(e);
        if (replace(t, g, i, &found, fault))
            return OK;
    }
}

err expand_virtual(struct task *t, const struct route *r,
                   const struct address *x, struct arena *a,
                   struct addresses *out, struct reply *fault)
{
    struct growing g = { r, a, { { 0 } }, NULL };

    fault->code = 0;
    vec_push(a, &g.list.list, *x);
    if (maps_any(&r->virtual_alias)) {
        g.final = map_new(a, true);
        for (size_t i = 0; i < g.list.list.n && !fault->code; i++)
            TRY(follow(t, &g, i, fault));
    }
    *out = g.list;
    return OK;
}

/* Adds a recipient unless the same one is there. */
static void add(struct expansion *x, const struct recipient *rc)
{
    str original = x->route->original_recipient ? rc->original : S("");
    str key = arena_fmt(x->a, "%.*s\n%.*s\n%.*s\n%d", STR(rc->address.text),
                        STR(original), STR(rc->orcpt), rc->notify);

    if (map_get(x->seen, key))
        return;
    map_put(x->seen, key, x);
    vec_push(x->a, &x->envelope->recipients, *rc);
}

static err add_expanded(struct task *t, struct expansion *x,
                        const struct recipient *rc, struct reply *fault)
{
    struct addresses list;
    struct recipient one = *rc;

    if (x->flags & EXPAND_NO_MAPPINGS) {
        add(x, rc);
        return OK;
    }
    TRY(expand_virtual(t, x->route, &rc->address, x->a, &list, fault));
    for (size_t i = 0; i < list.list.n && !fault->code; i++) {
        one.address = list.list.p[i];
        add(x, &one);
    }
    return OK;
}

/* A blind copy: nobody is told what becomes of it. */
static err add_bcc(struct task *t, struct expansion *x, str to,
                   struct reply *fault)
{
    struct recipient rc = { .notify = NOTIFY_NEVER };
    struct address address;

    if (address_parse(to, x->a, 0, &address) || address_is_null(&address))
        return why(t, ERR_SYNTAX, "bad BCC address: %.*s",
                   STR(str_head(to, 200)));
    rc.address = rewrite_standard(x->route, REWRITE_LOCAL, &address, x->a);
    rc.original = rc.address.text;
    TRY(rewrite_canonical(t, x->route, PLACE_ENVELOPE_RECIPIENT, &rc.address,
                          x->a, &rc.address));
    return add_expanded(t, x, &rc, fault);
}

/* The copies that a table asks for. */
static err add_mapped_bcc(struct task *t, struct expansion *x,
                          const struct maps *m, const struct address *of,
                          struct reply *fault)
{
    struct addresses found;
    err e;

    if ((x->flags & (EXPAND_NO_BCC | EXPAND_NO_MAPPINGS)) || !maps_any(m))
        return OK;
    e = rewrite_map(t, x->route, m, 0, of, x->a, &found);
    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    return add_bcc(t, x, address_external(&found.list.p[0], x->a), fault);
}

err expand_sender(struct task *t, struct expansion *x,
                  const struct address *sender, struct reply *fault)
{
    const struct route *r = x->route;
    struct address s = rewrite_standard(r, REWRITE_LOCAL, sender, x->a);

    fault->code = 0;
    if (!(x->flags & EXPAND_NO_MAPPINGS))
        TRY(rewrite_canonical(t, r, PLACE_ENVELOPE_SENDER, &s, x->a, &s));
    x->envelope->sender = s;
    return add_mapped_bcc(t, x, &r->sender_bcc, &s, fault);
}

err expand_recipient(struct task *t, struct expansion *x,
                     const struct recipient *rc, struct reply *fault)
{
    const struct route *r = x->route;
    struct recipient one = *rc;

    fault->code = 0;
    must(!address_is_null(&rc->address));
    if (one.original.n == 0)
        one.original = rc->address.text;
    one.address = rewrite_standard(r, REWRITE_LOCAL, &rc->address, x->a);
    if (!(x->flags & EXPAND_NO_MAPPINGS))
        TRY(rewrite_canonical(t, r, PLACE_ENVELOPE_RECIPIENT, &one.address,
                              x->a, &one.address));
    TRY(add_expanded(t, x, &one, fault));
    if (fault->code)
        return OK;
    return add_mapped_bcc(t, x, &r->recipient_bcc, &one.address, fault);
}

err expand_end(struct task *t, struct expansion *x, struct reply *fault)
{
    const struct route *r = x->route;

    fault->code = 0;
    if (x->flags & (EXPAND_NO_BCC | EXPAND_NO_MAPPINGS))
        return OK;
    return r->always_bcc.n ? add_bcc(t, x, r->always_bcc, fault) : OK;
}
