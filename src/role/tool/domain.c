/* SPDX-License-Identifier: ISC
 *
 * veredus domain: the domains of the directory.
 */
#include "role/tool/admin.h"

#include <stdio.h>

static err add(struct task *t, struct admin *ad)
{
    const char *class = admin_value(ad, ADMIN_class);
    str name = ad->operands.p[0];

    TRY(admin_open(t, ad, true));
    if (str_chr(name, '.') == STR_NONE)
        return why(t, ERR_SYNTAX, "not a full domain name: %.*s",
                   STR(str_head(name, 100)));
    TRY(directory_domain_add(t, ad->directory, name,
                             class ? str_from(class) : S("mailbox")));
    printf("added domain %.*s\n", STR(arena_lower(&ad->memory, name)));
    return OK;
}

static err delete(struct task *t, struct admin *ad)
{
    struct directory_aliases aliases;
    str name = ad->operands.p[0];
    size_t n = 0;

    TRY(admin_open(t, ad, true));
    TRY(directory_domain_delete(t, ad->directory, name));
    printf("deleted domain %.*s\n", STR(arena_lower(&ad->memory, name)));
    TRY(directory_alias_list(t, ad->directory, &ad->memory, &aliases));
    for (size_t i = 0; i < aliases.n; i++)
        n += str_ieq(admin_domain_of(aliases.p[i].address), name);
    if (n > 0)
        tool_warn(ad->args, "%zu alias%s of the domain remain%s: see veredus "
                  "alias list", n, n == 1 ? "" : "es", n == 1 ? "s" : "");
    return OK;
}

static size_t users_of(const struct directory_users *users, str domain)
{
    size_t n = 0;

    for (size_t i = 0; i < users->n; i++)
        n += str_ieq(users->p[i].domain, domain);
    return n;
}

static err list(struct task *t, struct admin *ad)
{
    static const char *const heads[] = { "domain", "class", "users" };
    struct admin_table table = { .heads = heads, .n_columns = 3 };
    struct arena *a = &ad->memory;
    struct directory_domains domains;
    struct directory_users users;
    struct buf b;

    TRY(admin_open(t, ad, false));
    TRY(directory_domain_list(t, ad->directory, a, &domains));
    TRY(directory_user_list(t, ad->directory, S(""), a, &users));
    for (size_t i = 0; i < domains.n; i++) {
        str n = arena_fmt(a, "%zu", users_of(&users, domains.p[i].name));
        struct admin_row row = { { { domains.p[i].name, S("") },
                                   { domains.p[i].class, S("") },
                                   { n, n } } };
        vec_push(a, &table.rows, row);
    }
    buf_init(&b, a, STR_NONE / 2);
    admin_table_put(&table, ad->given[ADMIN_json], &b);
    admin_print(&b);
    return OK;
}

static const struct admin_verb verbs[] = {
    { "add", "DOMAIN", "take mail for a domain", ADMIN_BIT(class), 1, 1,
      add },
    { "delete", "DOMAIN", "no longer take mail for a domain", 0, 1, 1,
      delete },
    { "list", "", "list the domains", ADMIN_BIT(json), 0, 0, list },
};

int tool_domain(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = {
        "The domains that mail is taken for.  Of class mailbox: their users "
        "have\nmailboxes here; alias: all their addresses are aliases; relay: "
        "mail goes on\nto another host.", verbs,
        sizeof(verbs) / sizeof(*verbs),
    };

    return admin_main(t, args, &command);
}
