/* SPDX-License-Identifier: ISC
 *
 * veredus init: from the command line and the machine to a plan.
 *
 * As root with /etc/postfix the places are those of a system; anything else
 * is an instance below its configuration directory.  An ordinary user gets
 * ports on loopback and owns everything.
 *
 * I1  Paths in a plan are absolute and made of letters that need no quoting
 *     in any of the files.
 */
#include "role/tool/init.h"

#include "mail/host.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum { PORT_BASE_LEAST = 1000, PORT_BASE_MOST = 65535 - 995,
       USER_PORT_BASE = 10000, MAIL_ID = 5000, PATH_LONGEST = 80 };

/* Sockets below the queue directory have names of at most 107 bytes. */
static err check_path(struct task *t, str path)
{
    for (size_t i = 0; i < path.n; i++)
        if (!is_alnum(path.p[i])
            && str_chr(S("/._-+"), path.p[i]) == STR_NONE)
            return why(t, ERR_SYNTAX, "not a path for configuration files: "
                       "%.*s (letters, digits and / . _ - +)", STR(path));
    if (path.n > PATH_LONGEST)
        return why(t, ERR_LIMIT, "the path is longer than %d bytes: %.*s",
                   PATH_LONGEST, STR(path));
    return OK;
}

static err absolute(struct task *t, struct arena *a, str path, str *out)
{
    char here[4096];

    while (path.n > 1 && str_ends(path, S("/")))
        path.n--;
    while (str_starts(path, S("./")))
        path = str_skip(path, 2);
    if (str_empty(path))
        return why(t, ERR_SYNTAX, "an empty path");
    if (str_starts(path, S("/")))
        *out = path;
    else if (getcwd(here, sizeof(here)))
        *out = str_eq(path, S(".")) ? arena_str(a, str_from(here))
             : arena_fmt(a, "%s/%.*s", here, STR(path));
    else
        return why(t, ERR_IO, "the working directory has no name");
    return check_path(t, *out);
}

/* The option's path, or what it is without one. */
static err place(struct task *t, struct admin *ad, enum admin_option o,
                 str otherwise, str *out)
{
    const char *value = admin_value(ad, o);

    return absolute(t, &ad->memory, value ? str_from(value) : otherwise, out);
}

static err plan_places(struct task *t, struct admin *ad, struct init_plan *p)
{
    struct arena *a = &ad->memory;
    bool system;

    TRY(absolute(t, a, tool_config_dir(ad->args,
                                       admin_value(ad, ADMIN_config)),
                 &p->dir));
    system = str_eq(p->dir, TOOL_CONFIG_DIR);
    TRY(place(t, ad, ADMIN_queue_dir,
              system ? S("/var/spool/postfix")
                     : arena_fmt(a, "%.*s/spool", STR(p->dir)), &p->queue));
    TRY(place(t, ad, ADMIN_data_dir,
              system ? S("/var/lib/postfix")
                     : arena_fmt(a, "%.*s/data", STR(p->dir)), &p->data));
    TRY(place(t, ad, ADMIN_mail_dir,
              system ? S("/var/mail/vhosts")
                     : arena_fmt(a, "%.*s/mail", STR(p->dir)), &p->mail));
    if (ad->given[ADMIN_log] || !system)
        TRY(place(t, ad, ADMIN_log, arena_fmt(a, "%.*s/maillog",
                                              STR(p->dir)), &p->log));
    else if (access("/dev/log", F_OK)) /* nobody there to log to */
        p->log = S("/var/log/mail.log");
    p->aliases = system ? S("/etc/aliases")
                        : arena_fmt(a, "%.*s/aliases", STR(p->dir));
    p->directory = arena_fmt(a, "%.*s/directory.db", STR(p->dir));
    p->key = arena_fmt(a, "%.*s/tls/key.pem", STR(p->dir));
    p->certificate = arena_fmt(a, "%.*s/tls/cert.pem", STR(p->dir));
    return OK;
}

static bool ends_with_domain(str host, str domain)
{
    return str_ieq(host, domain)
           || (host.n > domain.n && str_iends(host, domain)
               && host.p[host.n - domain.n - 1] == '.');
}

static err check_name(struct task *t, const char *what, str name)
{
    if (!host_fully_qualified(name, false) || str_ends(name, S(".")))
        return why(t, ERR_SYNTAX, "not a full %s name: %.*s%s", what,
                   STR(str_head(name, 100)),
                   str_is_ascii(name) ? "" : " (write its ASCII form, "
                                             "xn--...)");
    return OK;
}

static err plan_names(struct task *t, struct admin *ad, struct init_plan *p)
{
    const char *host = admin_value(ad, ADMIN_hostname);
    char machine[256] = "";

    p->domain = arena_lower(&ad->memory, ad->operands.p[0]);
    TRY(check_name(t, "domain", p->domain));
    gethostname(machine, sizeof(machine) - 1);
    if (host)
        p->hostname = arena_lower(&ad->memory, str_from(host));
    else if (ends_with_domain(str_from(machine), p->domain))
        p->hostname = arena_lower(&ad->memory, str_from(machine));
    else
        p->hostname = arena_fmt(&ad->memory, "mail.%.*s", STR(p->domain));
    TRY(check_name(t, "host", p->hostname));
    if (admin_value(ad, ADMIN_relayhost))
        p->relayhost = str_from(admin_value(ad, ADMIN_relayhost));
    if (str_any(p->relayhost, S(" \t\r\n,$")) != STR_NONE)
        return why(t, ERR_SYNTAX, "not a relay host: %.*s",
                   STR(p->relayhost));
    return OK;
}

static err plan_ports(struct task *t, struct admin *ad, struct init_plan *p)
{
    const char *text = admin_value(ad, ADMIN_ports);
    uint64_t base = p->root ? 0 : USER_PORT_BASE;

    if (text && (!str_uint(str_from(text), PORT_BASE_MOST, &base)
                 || base < PORT_BASE_LEAST))
        return why(t, ERR_SYNTAX, "not a base for ports: %s (%d to %d)",
                   text, PORT_BASE_LEAST, PORT_BASE_MOST);
    p->base = (uint32_t)base;
    return OK;
}

static err no_user(struct task *t, const char *name, const char *option)
{
    return why(t, ERR_ABSENT, "there is no user %s: make the system's users "
               "with --create-users, or name another with %s", name, option);
}

/* The owner of mailboxes: a number, a name, or vmail, or else a number that
 * belongs to nobody. */
static err plan_mail_user(struct task *t, struct admin *ad,
                          struct init_plan *p)
{
    const char *name = admin_value(ad, ADMIN_mail_user);
    const struct passwd *pw;
    uint64_t n;

    if (name && str_uint(str_from(name), UINT32_MAX - 1, &n)) {
        p->uid = p->gid = (uint32_t)n;
    } else if ((pw = getpwnam(name ? name : "vmail"))) {
        p->uid = pw->pw_uid;
        p->gid = pw->pw_gid;
    } else if (name) {
        return no_user(t, name, "--mail-user");
    } else if ((pw = getpwuid(MAIL_ID))) {
        return why(t, ERR_DENIED, "user id %d is %s's: name the owner of "
                   "mailboxes with --mail-user, or --create-users", MAIL_ID,
                   pw->pw_name);
    } else {
        p->uid = p->gid = MAIL_ID;
    }
    if (p->uid < 100)
        return why(t, ERR_DENIED, "mailboxes cannot belong to user id %u: "
                   "ids below 100 are the system's", p->uid);
    return OK;
}

static err plan_users(struct task *t, struct admin *ad, struct init_plan *p)
{
    const char *owner = admin_value(ad, ADMIN_mail_owner);
    const struct passwd *pw;

    if (!p->root) {
        pw = getpwuid(geteuid());
        if (ad->given[ADMIN_mail_owner] || ad->given[ADMIN_mail_user]
            || ad->given[ADMIN_create_users])
            return why(t, ERR_DENIED, "only root chooses other users");
        p->owner = pw ? arena_str(&ad->memory, str_from(pw->pw_name))
                      : S("postfix");
        p->uid = geteuid();
        p->gid = getegid();
        return OK;
    }
    p->owner = owner ? str_from(owner) : S("postfix");
    if (ad->given[ADMIN_create_users])
        TRY(init_users(t, ad, p));
    pw = getpwnam(arena_cstr(&ad->memory, p->owner));
    if (!pw)
        return no_user(t, arena_cstr(&ad->memory, p->owner), "--mail-owner");
    if (pw->pw_uid == 0)
        return why(t, ERR_DENIED, "mail_owner cannot be root");
    return plan_mail_user(t, ad, p);
}

err init_plan(struct task *t, struct admin *ad, struct init_plan *out)
{
    *out = (struct init_plan){ .root = geteuid() == 0 };
    TRY(plan_names(t, ad, out));
    TRY(plan_places(t, ad, out));
    TRY(plan_ports(t, ad, out));
    return plan_users(t, ad, out);
}
