/* SPDX-License-Identifier: ISC
 *
 * The users of this host: by name in lookup_local_users, whose values are
 * lines of passwd(5), and by number in the system's own accounts.
 */
#include "role/deliver/local.h"

#include <grp.h>
#include <pwd.h>

enum { ENTRY_MAX = 64 * 1024 };

static bool read_line(str line, struct arena *a, struct user *out)
{
    str field[7];
    uint64_t uid, gid;

    for (size_t i = 0; i < 7; i++)
        if (!str_cut(&line, ':', &field[i]))
            field[i] = S("");
    if (!str_uint(field[2], UINT32_MAX - 1, &uid)
        || !str_uint(field[3], UINT32_MAX - 1, &gid))
        return false;
    *out = (struct user){
        .name = arena_str(a, field[0]),
        .uid = (uint32_t)uid,
        .gid = (uint32_t)gid,
        .home = arena_str(a, field[5]),
        .shell = arena_str(a, str_rtrim(field[6])),
    };
    return out->name.n > 0;
}

err local_user_find(struct task *t, const struct local *l, str name,
                    struct arena *a, struct user *out)
{
    str line;

    TRY(maps_find(t, &l->users, name, a, &line));
    if (!read_line(line, a, out))
        return why(t, ERR_CORRUPT, "lookup_local_users: bad entry for %.*s",
                   STR(name));
    return OK;
}

/* --- the system's accounts ------------------------------------------------ */

struct account_job {
    uint32_t uid;
    const char *name;       /* NULL: by uid */
    char *room;
    struct passwd user, *found;
    struct group group, *found_group;
    int number;
};

static void ask_user(void *arg)
{
    struct account_job *j = arg;

    j->number = j->name
        ? getpwnam_r(j->name, &j->user, j->room, ENTRY_MAX, &j->found)
        : getpwuid_r(j->uid, &j->user, j->room, ENTRY_MAX, &j->found);
}

static void ask_group(void *arg)
{
    struct account_job *j = arg;

    j->number = getgrnam_r(j->name, &j->group, j->room, ENTRY_MAX,
                           &j->found_group);
}

static err ask(struct task *t, struct arena *a, struct account_job *j,
               struct user *out)
{
    j->room = arena_alloc(a, ENTRY_MAX);
    offload(t, ask_user, j);
    if (!j->found)
        return j->number ? why(t, ERR_IO, "user lookup error")
                         : ERR_ABSENT;
    *out = (struct user){
        .name = arena_str(a, str_from(j->user.pw_name)),
        .home = arena_str(a, str_from(j->user.pw_dir)),
        .shell = arena_str(a, str_from(j->user.pw_shell)),
        .uid = j->user.pw_uid,
        .gid = j->user.pw_gid,
    };
    return OK;
}

err local_user_by_uid(struct task *t, uint32_t uid, struct arena *a,
                      struct user *out)
{
    struct account_job j = { .uid = uid };

    return ask(t, a, &j, out);
}

/* A group by name or number. */
static err find_group(struct task *t, str name, struct arena *a,
                      uint32_t *gid)
{
    struct account_job j = { .name = arena_cstr(a, name) };
    uint64_t n;

    j.room = arena_alloc(a, ENTRY_MAX);
    offload(t, ask_group, &j);
    if (j.found_group)
        *gid = j.group.gr_gid;
    else if (str_uint(name, UINT32_MAX - 1, &n))
        *gid = (uint32_t)n;
    else
        return why(t, ERR_SYNTAX, "unknown group: %.*s", STR(name));
    return OK;
}

static err find_account(struct task *t, str name, struct arena *a,
                        struct user *out)
{
    struct account_job j = { .name = arena_cstr(a, name) };
    uint64_t n;
    err e = ask(t, a, &j, out);

    if (e == ERR_ABSENT && str_uint(name, UINT32_MAX - 1, &n))
        e = local_user_by_uid(t, (uint32_t)n, a, out);
    return e == ERR_ABSENT ? why(t, ERR_SYNTAX, "unknown user: %.*s",
                                 STR(name)) : e;
}

err local_user_parse(struct task *t, const struct transport *tr, str text,
                     struct arena *a, struct user *out)
{
    struct user u, owner;
    str name = S(""), mail_owner = conf_str(tr->conf, P_mail_owner);

    (void)str_cut(&text, ':', &name);
    TRY(find_account(t, name, a, &u));
    if (text.n)
        TRY(find_group(t, text, a, &u.gid));
    if (u.uid == 0 || u.gid == 0)
        return why(t, ERR_SYNTAX, "user %.*s has the privileges of root",
                   STR(name));
    if (!tr->setup->deliver->plain
        && !find_account(t, mail_owner, a, &owner) && owner.uid == u.uid)
        return why(t, ERR_SYNTAX, "user %.*s has the privileges of "
                   "mail_owner %.*s", STR(name), STR(mail_owner));
    *out = u;
    return OK;
}
