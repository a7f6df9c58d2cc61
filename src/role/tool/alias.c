/* SPDX-License-Identifier: ISC
 *
 * veredus alias: addresses that stand for others.
 */
#include "role/tool/alias_check.h"

#include "mail/address.h"

#include <stdio.h>

/* An alias is asked for only if its domain is ours: in the directory, or one
 * of mydestination. */
static err check_domain(struct task *t, struct admin *ad, str address)
{
    struct conf_items local = conf_items(ad->conf, P_mydestination);
    str domain = admin_domain_of(address), class;

    if (str_chr(address, '@') == STR_NONE)
        return why(t, ERR_SYNTAX, "not an address: %.*s",
                   STR(str_head(address, 100)));
    for (size_t i = 0; i < local.n; i++)
        if (str_ieq(local.p[i], domain))
            return OK;
    return admin_domain_known(t, ad, domain, &class);
}

/* Names without a domain would be completed with this host's name, which is
 * hardly what was meant. */
static err check_target(struct task *t, struct arena *a, str target)
{
    struct address x;

    if (address_parse(target, a, 0, &x) || address_is_null(&x))
        return why(t, ERR_SYNTAX, "not an address: %.*s",
                   STR(str_head(target, 100)));
    if (str_empty(x.domain))
        return why(t, ERR_SYNTAX, "not a full address: %.*s",
                   STR(str_head(target, 100)));
    return OK;
}

static err add(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0];

    TRY(admin_open(t, ad, true));
    TRY(check_domain(t, ad, address));
    for (size_t i = 1; i < ad->operands.n; i++)
        TRY(check_target(t, &ad->memory, ad->operands.p[i]));
    TRY(alias_check(t, ad));
    for (size_t i = 1; i < ad->operands.n; i++) {
        str target = ad->operands.p[i];
        TRY(directory_alias_add(t, ad->directory, address, target));
        printf("added alias %.*s to %.*s\n", STR(address), STR(target));
    }
    return OK;
}

static err delete(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0];

    TRY(admin_open(t, ad, true));
    for (size_t i = 1; i < ad->operands.n || i == 1; i++) {
        str target = i < ad->operands.n ? ad->operands.p[i] : S("");
        TRY(directory_alias_delete(t, ad->directory, address, target));
        printf("deleted alias %.*s%s%.*s\n", STR(address),
               str_empty(target) ? "" : " to ", STR(target));
    }
    return OK;
}

static bool wanted(const struct admin *ad, const struct directory_alias *x)
{
    str word = ad->operands.n ? ad->operands.p[0] : S("");

    if (str_empty(word))
        return true;
    return str_ieq(x->address, word)
           || (str_chr(word, '@') == STR_NONE
               && str_ieq(admin_domain_of(x->address), word));
}

static err list(struct task *t, struct admin *ad)
{
    static const char *const heads[] = { "alias", "target" };
    struct admin_table table = { .heads = heads, .n_columns = 2 };
    struct arena *a = &ad->memory;
    struct directory_aliases all;
    struct buf b;

    TRY(admin_open(t, ad, false));
    TRY(directory_alias_list(t, ad->directory, a, &all));
    for (size_t i = 0; i < all.n; i++) {
        struct admin_row row = { { { all.p[i].address, S("") },
                                   { all.p[i].target, S("") } } };
        if (wanted(ad, &all.p[i]))
            vec_push(a, &table.rows, row);
    }
    buf_init(&b, a, STR_NONE / 2);
    admin_table_put(&table, ad->given[ADMIN_json], &b);
    admin_print(&b);
    return OK;
}

static const struct admin_verb verbs[] = {
    { "add", "ADDRESS TARGET...", "send mail for an address to others",
      ADMIN_BIT(force), 2,
      STR_NONE, add },
    { "delete", "ADDRESS [TARGET...]", "take targets away, or all of them",
      0, 1, STR_NONE, delete },
    { "list", "[DOMAIN|ADDRESS]", "list the aliases", ADMIN_BIT(json), 0, 1,
      list },
};

int tool_alias(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = {
        "Addresses whose mail goes to others.  An ADDRESS of the form @DOMAIN "
        "stands\nfor every address of the domain that is neither an alias nor "
        "a user.", verbs, sizeof(verbs) / sizeof(*verbs),
    };

    return admin_main(t, args, &command);
}
