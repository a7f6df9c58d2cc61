/* SPDX-License-Identifier: ISC
 *
 * veredus user: the users of the directory.
 */
#include "role/tool/admin.h"

#include "mail/address.h"
#include "mail/date.h"
#include "role/ended.h"
#include "role/tool/running.h"

#include <signal.h>
#include <stdio.h>

enum { DAY = 10 }; /* "2026-11-24" */

static err parse_quota(struct task *t, const char *text, uint64_t *quota)
{
    *quota = 0;
    if (text && !admin_size_parse(str_from(text), quota))
        return why(t, ERR_SYNTAX, "not a size: %s (500M, 2G, none)", text);
    return OK;
}

/* Before anybody is asked for a password: can there be such a user? */
static err check_new(struct task *t, struct admin *ad, str address)
{
    struct directory_user found;
    struct address x;
    str class;
    err e;

    if (address_of(address, &ad->memory, &x) || str_empty(x.domain))
        return why(t, ERR_SYNTAX, "not an address: %.*s",
                   STR(str_head(address, 100)));
    TRY(admin_domain_known(t, ad, x.domain, &class));
    if (!str_eq(class, S("mailbox")))
        return why(t, ERR_DENIED, "domain %.*s is of class %.*s: it has no "
                   "users", STR(x.domain), STR(class));
    e = directory_user_find(t, ad->directory, address, &ad->memory, &found);
    if (!e)
        return why(t, ERR_DENIED, "user %.*s exists already", STR(address));
    return e == ERR_ABSENT ? OK : e;
}

/* Aliases that take the mail of an address, or send theirs to it. */
static err warn_aliases(struct task *t, struct admin *ad, str address,
                        bool of_it, const char *fmt)
{
    struct directory_aliases all;

    TRY((of_it ? directory_alias_find : directory_alias_to)(
            t, ad->directory, address, &ad->memory, &all));
    for (size_t i = 0; i < all.n; i++) {
        const struct directory_alias *x = &all.p[i];
        str other = of_it ? x->target : x->address;
        if (!str_ieq(other, address))
            tool_warn(ad->args, "%s %.*s", fmt, STR(other));
    }
    return OK;
}

/* Sessions that go on would be of somebody who may no longer log in so. */
static void end_sessions(struct task *t, struct admin *ad, str address)
{
    int pid = running_pid(t, ad->conf);
    err e;

    if (!pid)
        return;
    e = ended_add(t, conf_str(ad->conf, P_queue_directory),
                  arena_lower(&ad->memory, address));
    if (!e)
        e = running_signal(t, pid, SIGUSR1, false);
    if (e)
        tool_warn(ad->args, "open sessions go on: %s", task_why(t));
}

static err add(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0], stored;
    uint64_t quota;

    TRY(parse_quota(t, admin_value(ad, ADMIN_quota), &quota));
    TRY(admin_open(t, ad, true));
    TRY(check_new(t, ad, address));
    TRY(admin_password(t, ad, address, &stored));
    TRY(directory_user_add(t, ad->directory, address, stored, quota));
    printf("added user %.*s\n", STR(arena_lower(&ad->memory, address)));
    return warn_aliases(t, ad, address, true,
                        "an alias sends the mail of this address to");
}

static err passwd(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0], stored;
    struct directory_user found;

    TRY(admin_open(t, ad, true));
    TRY(directory_user_find(t, ad->directory, address, &ad->memory, &found));
    TRY(admin_password(t, ad, address, &stored));
    TRY(directory_user_password(t, ad->directory, address, stored));
    end_sessions(t, ad, address);
    printf("changed the password of %.*s\n", STR(address));
    return OK;
}

static err quota(struct task *t, struct admin *ad)
{
    uint64_t bytes;

    TRY(parse_quota(t, ad->operands.p[1].p, &bytes));
    TRY(admin_open(t, ad, true));
    TRY(directory_user_quota(t, ad->directory, ad->operands.p[0], bytes));
    printf("quota of %.*s: %.*s\n", STR(ad->operands.p[0]),
           STR(admin_size_text(bytes, &ad->memory)));
    return OK;
}

static err enable(struct task *t, struct admin *ad)
{
    TRY(admin_open(t, ad, true));
    TRY(directory_user_active(t, ad->directory, ad->operands.p[0], true));
    printf("%.*s can log in\n", STR(ad->operands.p[0]));
    return OK;
}

static err disable(struct task *t, struct admin *ad)
{
    TRY(admin_open(t, ad, true));
    TRY(directory_user_active(t, ad->directory, ad->operands.p[0], false));
    end_sessions(t, ad, ad->operands.p[0]);
    printf("%.*s can no longer log in; mail still comes in\n",
           STR(ad->operands.p[0]));
    return OK;
}

static err delete(struct task *t, struct admin *ad)
{
    str address = ad->operands.p[0];

    TRY(admin_open(t, ad, true));
    TRY(directory_user_delete(t, ad->directory, address));
    end_sessions(t, ad, address);
    printf("deleted user %.*s; the mailbox stays where it is\n",
           STR(arena_lower(&ad->memory, address)));
    return warn_aliases(t, ad, address, false,
                        "mail is still sent to this address by the alias");
}

/* Where an address' mail lies, as "veredus init" set it up. */
static str mailbox_of(struct admin *ad, str address)
{
    str low = arena_lower(&ad->memory, address);

    return arena_fmt(&ad->memory, "%.*s/%.*s/%.*s",
                     STR(conf_str(ad->conf, P_virtual_mailbox_base)),
                     STR(admin_domain_of(low)),
                     STR(str_head(low, str_rchr(low, '@'))));
}

/* The directory first: from then on nobody delivers to the old place. */
static err move(struct task *t, struct admin *ad, str from, str to)
{
    str old = mailbox_of(ad, from), new = mailbox_of(ad, to);
    str reason;
    err e;

    TRY(directory_user_rename(t, ad->directory, from, to));
    end_sessions(t, ad, from);
    e = file_rename(t, NULL, old, NULL, new);
    if (!e || e == ERR_ABSENT)      /* nothing came for it yet */
        return OK;
    reason = arena_str(&ad->memory, str_from(task_why(t)));
    TRY(directory_user_rename(t, ad->directory, to, from));
    return why(t, e, "the mailbox %.*s cannot be moved: %.*s", STR(old),
               STR(reason));
}

static err rename_user(struct task *t, struct admin *ad)
{
    str from = ad->operands.p[0], to = ad->operands.p[1];
    struct directory_user found;
    struct file_stat st;

    TRY(admin_open(t, ad, true));
    TRY(directory_user_find(t, ad->directory, from, &ad->memory, &found));
    if (!str_ieq(admin_domain_of(from), admin_domain_of(to)))
        return why(t, ERR_SYNTAX, "a user stays in its domain, %.*s",
                   STR(found.domain));
    TRY(check_new(t, ad, to));
    if (!str_empty(found.home))
        TRY(directory_user_rename(t, ad->directory, from, to));
    else if (!file_stat_path(t, NULL, mailbox_of(ad, to), &st))
        return why(t, ERR_DENIED, "there is a mailbox of %.*s already: %.*s",
                   STR(to), STR(mailbox_of(ad, to)));
    else
        TRY(move(t, ad, from, to));
    printf("renamed user %.*s to %.*s\n", STR(from), STR(to));
    return warn_aliases(t, ad, from, false,
                        "mail is still sent to the old address by the alias");
}

static const char *const heads[] = { "user", "active", "quota", "created",
                                     "home" };

static struct admin_row row_of(const struct directory_user *u,
                               struct arena *a)
{
    return (struct admin_row){ {
        { arena_fmt(a, "%.*s@%.*s", STR(u->name), STR(u->domain)), S("") },
        admin_cell_bool(u->active),
        admin_cell_size(u->quota, a),
        { str_head(date_iso(a, u->created * 1000000, 0), DAY), S("") },
        { u->home, S("") },
    } };
}

static err list(struct task *t, struct admin *ad)
{
    struct admin_table table = { .heads = heads, .n_columns = 4 };
    str domain = ad->operands.n ? ad->operands.p[0] : S(""), class;
    struct arena *a = &ad->memory;
    struct directory_users users;
    struct buf b;

    TRY(admin_open(t, ad, false));
    if (!str_empty(domain))
        TRY(admin_domain_known(t, ad, domain, &class));
    TRY(directory_user_list(t, ad->directory, domain, a, &users));
    for (size_t i = 0; i < users.n; i++)
        vec_push(a, &table.rows, row_of(&users.p[i], a));
    buf_init(&b, a, STR_NONE / 2);
    admin_table_put(&table, ad->given[ADMIN_json], &b);
    admin_print(&b);
    return OK;
}

static err show(struct task *t, struct admin *ad)
{
    struct admin_table table = { .heads = heads, .n_columns = 5 };
    struct arena *a = &ad->memory;
    struct directory_user u;
    struct buf b;

    TRY(admin_open(t, ad, false));
    TRY(directory_user_find(t, ad->directory, ad->operands.p[0], a, &u));
    vec_push(a, &table.rows, row_of(&u, a));
    buf_init(&b, a, STR_NONE / 2);
    if (ad->given[ADMIN_json])
        admin_table_put(&table, true, &b);
    else
        admin_row_put(&table, &table.rows.p[0], &b);
    admin_print(&b);
    return OK;
}

#define PASSWORD_OPTIONS                                                      \
    (ADMIN_BIT(stdin) | ADMIN_BIT(generate) | ADMIN_BIT(hash))

static const struct admin_verb verbs[] = {
    { "add", "ADDRESS", "make a user with a mailbox",
      PASSWORD_OPTIONS | ADMIN_BIT(quota), 1, 1, add },
    { "passwd", "ADDRESS", "change a password", PASSWORD_OPTIONS, 1, 1,
      passwd },
    { "quota", "ADDRESS SIZE", "limit a mailbox: 500M, 2G; none", 0, 2, 2,
      quota },
    { "disable", "ADDRESS", "refuse logging in; mail still comes in", 0, 1,
      1, disable },
    { "enable", "ADDRESS", "allow logging in again", 0, 1, 1, enable },
    { "rename", "ADDRESS NEW", "another name in the same domain, with its "
      "mailbox", 0, 2, 2, rename_user },
    { "delete", "ADDRESS", "take no more mail; the mailbox stays", 0, 1, 1,
      delete },
    { "list", "[DOMAIN]", "list the users", ADMIN_BIT(json), 0, 1, list },
    { "show", "ADDRESS", "show one user", ADMIN_BIT(json), 1, 1, show },
};

int tool_user(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = {
        "Users: they have a mailbox, read it by IMAP and POP3, and send mail "
        "through\nthe submission ports.", verbs,
        sizeof(verbs) / sizeof(*verbs),
    };

    return admin_main(t, args, &command);
}
