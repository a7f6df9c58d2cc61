/* SPDX-License-Identifier: ISC
 *
 * A recipient's names as text: in forward_path, luser_relay and
 * command_execution_directory, and in the environment of commands.
 *
 * Values come from outside.  They are never expanded again, and where a
 * filter is given only its bytes are let through.
 */
#include "role/deliver/local.h"

#include "conf/macro.h"

#include <paths.h>

struct names_of local_names(const struct local *l, const struct address *x,
                            struct arena *a)
{
    struct names_of n = { .address = *x, .domain = x->domain };
    const struct route *r = l->route;
    str user, extension;

    n.local = arena_lower(a, x->local);
    n.user_name = n.local;
    if (address_split(n.local, r->delimiters, r->owner_request_special,
                      &user, &extension)) {
        n.user_name = user;
        n.delimiter = str_head(extension, 1);
        n.extension = str_skip(extension, 1);
    }
    if (str_chr(n.extension, '/') != STR_NONE) /* never part of a path */
        n.extension = S("");
    return n;
}

/* --- macros --------------------------------------------------------------- */

/* The value with what the filter does not let through replaced, and so that
 * expanding leaves it as it is. */
static str literal(str value, str filter, struct arena *a)
{
    struct buf b;

    buf_init(&b, a, value.n * 2 + 1);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (filter.n && str_chr(filter, c) == STR_NONE)
            c = '_';
        if (c == '$')
            buf_byte(&b, '$');
        buf_byte(&b, c);
    }
    return buf_str(&b);
}

struct scope_names {
    struct map *map;
    struct arena *a;
    str filter;
};

static void put(struct scope_names *s, str name, str value)
{
    struct conf_entry *e = arena_new(s->a, struct conf_entry);

    e->name = name;
    e->value = literal(value, s->filter, s->a);
    map_put(s->map, e->name, e);
}

static void put_all(struct scope_names *s, const struct names_of *n)
{
    const struct user *u = n->user;

    put(s, S("user"), n->user_name);
    put(s, S("home"), u ? u->home : S(""));
    put(s, S("shell"), u ? u->shell : S(""));
    put(s, S("recipient"), n->address.text);
    put(s, S("extension"), n->extension);
    put(s, S("recipient_delimiter"), n->delimiter);
    put(s, S("domain"), n->domain);
    put(s, S("local"), n->local);
}

err local_expand(struct task *t, const struct names_of *n, str text,
                 str filter, struct arena *a, str *out,
                 bool *used_extension)
{
    struct scope_names s = { map_new(a, false), a, filter };
    struct conf_scope scope = { .main = s.map };
    struct macro_names names = { 0 };
    str complaint;

    put_all(&s, n);
    if (macro_expand(&scope, a, text, out, &complaint))
        return why(t, ERR_SYNTAX, "%.*s: %.*s", STR(text), STR(complaint));
    if (used_extension) {
        macro_names_find(a, text, &names);
        *used_extension = false;
        for (size_t i = 0; i < names.list.n; i++)
            *used_extension |= str_eq(names.list.p[i], S("extension"))
                               || str_eq(names.list.p[i], S("local"));
    }
    return OK;
}

/* --- environments --------------------------------------------------------- */

struct setting {
    vec_of(str) list;
    struct arena *a;
    str filter;
};

static void set_even_empty(struct setting *e, const char *name, str value)
{
    struct buf b;

    buf_init(&b, e->a, LOCAL_SPEC_MAX * 4);
    buf_fmt(&b, "%s=", name);
    for (size_t i = 0; i < value.n; i++)
        buf_byte(&b, str_chr(e->filter, value.p[i]) == STR_NONE
                         ? '_' : value.p[i]);
    if (!b.over)
        vec_push(e->a, &e->list, buf_str(&b));
}

static void set(struct setting *e, const char *name, str value)
{
    if (value.n)
        set_even_empty(e, name, value);
}

/* export_environment's NAME=value items; names alone are taken from our own
 * environment, which has no more than what master gave it. */
static void set_exported(struct setting *e, const struct conf *c)
{
    struct conf_items items = conf_items(c, P_export_environment);

    for (size_t i = 0; i < items.n; i++) {
        str x = items.p[i];
        if (x.n > 1 && x.p[0] == '{')
            x = str_trim(str_head(str_skip(x, 1), x.n - 2));
        if (str_chr(x, '=') != STR_NONE)
            vec_push(e->a, &e->list, x);
        else if (str_eq(x, S("MAIL_CONFIG")))
            vec_push(e->a, &e->list, arena_cat(e->a, S("MAIL_CONFIG="),
                                               conf_dir(c)));
    }
}

static void set_names(struct setting *e, const struct leaf *leaf)
{
    const struct names_of *n = &leaf->names;
    const struct context *at = leaf->at;

    if (n->user) {
        set(e, "HOME", n->user->home);
        set(e, "SHELL", n->user->shell);
    }
    set(e, "LOGNAME", n->user_name);
    set(e, "USER", n->user_name);
    set_even_empty(e, "SENDER", address_is_null(&at->sender) ? S("")
                       : address_external(&at->sender, e->a));
    set(e, "RECIPIENT", address_external(&n->address, e->a));
    set(e, "ORIGINAL_RECIPIENT", leaf->to.original);
    set(e, "LOCAL", n->local);
    set(e, "EXTENSION", n->extension);
    set(e, "DOMAIN", n->domain);
}

struct environment local_environment(struct run *r, const struct leaf *leaf)
{
    const struct conf *c = r->transport->conf;
    const struct envelope_client *client = &r->job.envelope.client;
    struct setting e = {
        .a = &r->memory,
        .filter = conf_str(c, P_command_expansion_filter),
    };

    vec_push(e.a, &e.list, S("PATH=" _PATH_DEFPATH));
    set_exported(&e, c);
    set_names(&e, leaf);
    set(&e, "CLIENT_HOSTNAME", client->name);
    set(&e, "CLIENT_ADDRESS", client->address);
    set(&e, "CLIENT_HELO", client->helo);
    set(&e, "CLIENT_PROTOCOL", client->protocol);
    set(&e, "SASL_METHOD", client->sasl_method);
    set(&e, "SASL_SENDER", client->sasl_sender);
    set(&e, "SASL_USERNAME", client->sasl_user);
    return (struct environment){ e.list.p, (uint32_t)e.list.n };
}
