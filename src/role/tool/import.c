/* SPDX-License-Identifier: ISC
 *
 * veredus import: users of another mail system into the directory.  One line
 * that cannot be taken does not stop the others; it is said with its number.
 */
#include "role/tool/admin.h"

#include "auth/password.h"
#include "auth/source.h"

#include <stdio.h>

enum { FILE_MAX = 1 << 30 };

struct import {
    struct admin *ad;
    size_t line, added, failed, n_homes;
};

static void refuse(struct import *im, const char *reason)
{
    tool_warn(im->ad->args, "line %zu: %s", im->line, reason);
    im->failed++;
}

/* The address of a name in the file, which may go without its domain. */
static str address_of_name(struct import *im, str name)
{
    str domain = conf_str(im->ad->conf, P_auth_default_domain);

    if (str_chr(name, '@') != STR_NONE || str_empty(domain))
        return name;
    return arena_fmt(&im->ad->memory, "%.*s@%.*s", STR(name), STR(domain));
}

/* Who is there already keeps what the directory says, but with --force. */
static err put(struct task *t, struct import *im, str address,
               const struct auth_account *x)
{
    struct directory *d = im->ad->directory;
    err e = directory_user_add(t, d, address, x->stored, x->user.quota);

    if (e == ERR_DENIED && im->ad->given[ADMIN_force]) {
        e = directory_user_password(t, d, address, x->stored);
        if (!e)
            e = directory_user_quota(t, d, address, x->user.quota);
    }
    if (!e)
        e = directory_user_active(t, d, address, x->active);
    return e;
}

static err take(struct task *t, struct import *im, str line)
{
    struct auth_account x;
    str address;
    err e;

    im->line++;
    if (str_ends(line, S("\r")))
        line.n--;
    if (str_empty(line) || !passwd_line(line, &im->ad->memory, &x))
        return OK;
    address = address_of_name(im, x.user.name);
    if (str_empty(x.stored) || !password_known(x.stored)) {
        refuse(im, str_empty(x.stored)
                       ? "no password"
                       : "the password is of no known scheme");
        return OK;
    }
    e = put(t, im, address, &x);
    if (e == ERR_SYNTAX || e == ERR_ABSENT || e == ERR_DENIED) {
        refuse(im, task_why(t));
        return OK;
    }
    TRY(e);
    im->added++;
    im->n_homes += !str_empty(x.user.home) || !str_empty(x.user.mailbox);
    return OK;
}

static err take_all(struct task *t, struct import *im, str text)
{
    str line;

    while (str_cut(&text, '\n', &line))
        TRY(take(t, im, line));
    return OK;
}

static err users(struct task *t, struct admin *ad)
{
    struct import im = { .ad = ad };
    str text;

    TRY(admin_open(t, ad, true));
    TRY(file_load(t, NULL, ad->operands.p[0], &ad->memory, FILE_MAX, &text));
    TRY(directory_begin(t, ad->directory));
    TRY(take_all(t, &im, text)); /* what was begun goes with the directory */
    TRY(directory_commit(t, ad->directory));
    if (im.n_homes)
        tool_warn(ad->args, "homes and locations of mail were not taken over "
                  "(%zu users): mailboxes are below %.*s", im.n_homes,
                  STR(conf_str(ad->conf, P_virtual_mailbox_base)));
    printf("imported %zu users\n", im.added);
    if (im.failed)
        return why(t, ERR_DENIED, "%zu users were not imported", im.failed);
    return OK;
}

static const struct admin_verb verbs[] = {
    { "users", "FILE", "take users with their passwords and quotas over from "
      "a passwd-file", ADMIN_BIT(force), 1, 1, users },
};

int tool_import(struct task *t, const struct tool_args *args)
{
    static const struct admin_command command = {
        "Users of another mail system.  FILE has the lines of passwd(5) or of "
        "Dovecot's\npasswd-file; users who are here already stay as they "
        "are.", verbs, sizeof(verbs) / sizeof(*verbs),
    };

    return admin_main(t, args, &command);
}
