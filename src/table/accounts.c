/* SPDX-License-Identifier: ISC
 *
 * unix: tables: the accounts of this machine as lines of passwd(5) and
 * group(5).  The calls may block on a directory service, so they run on a
 * helper thread.
 */
#include "table/kind.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

enum { ENTRY_MAX = 256 * 1024 };

struct account_job {
    const char *name;
    char *room;          /* of ENTRY_MAX bytes */
    struct passwd user, *found_user;
    struct group group, *found_group;
    int number;          /* errno's */
};

static void ask_passwd(void *arg)
{
    struct account_job *job = arg;

    job->number = getpwnam_r(job->name, &job->user, job->room, ENTRY_MAX,
                             &job->found_user);
}

static void ask_group(void *arg)
{
    struct account_job *job = arg;

    job->number = getgrnam_r(job->name, &job->group, job->room, ENTRY_MAX,
                             &job->found_group);
}

static str passwd_line(struct arena *a, const struct passwd *p)
{
    return arena_fmt(a, "%s:%s:%ld:%ld:%s:%s:%s", p->pw_name, p->pw_passwd,
                     (long)p->pw_uid, (long)p->pw_gid, p->pw_gecos,
                     p->pw_dir, p->pw_shell);
}

static str group_line(struct arena *a, const struct group *g)
{
    struct buf line;

    buf_init(&line, a, TABLE_VALUE_MAX);
    buf_fmt(&line, "%s:%s:%ld:", g->gr_name, g->gr_passwd, (long)g->gr_gid);
    for (char **member = g->gr_mem; member && *member; member++)
        buf_fmt(&line, "%s%s", member == g->gr_mem ? "" : ",", *member);
    return buf_str(&line);
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    bool groups = str_eq(tb->name, S("group.byname"));
    struct account_job job = { .name = arena_cstr(a, key) };

    if (str_chr(key, 0) != STR_NONE || str_empty(key))
        return ERR_ABSENT;
    job.room = heap_alloc(ENTRY_MAX);
    offload(t, groups ? ask_group : ask_passwd, &job);
    if (job.found_user)
        *value = passwd_line(a, job.found_user);
    else if (job.found_group)
        *value = group_line(a, job.found_group);
    heap_free(job.room);
    if (job.found_user || job.found_group)
        return OK;
    /* some services say ENOENT where others say nothing */
    if (job.number == 0 || job.number == ENOENT || job.number == ESRCH)
        return ERR_ABSENT;
    return table_failed(t, tb, ERR_IO, strerror(job.number));
}

err table_open_unix(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };

    (void)data;
    if (!str_eq(tb->name, S("passwd.byname"))
        && !str_eq(tb->name, S("group.byname")))
        return why(t, ERR_DENIED, "unknown table: %.*s", STR(tb->spec));
    tb->ops = &ops;
    return OK;
}
