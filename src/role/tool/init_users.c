/* SPDX-License-Identifier: ISC
 *
 * System users, made with the programs of Debian's passwd package.
 */
#include "role/tool/init.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>

enum { PATIENCE_S = 60 };

static err run_program(struct task *t, const char *const *argv)
{
    static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                       NULL };
    const int fds[] = { -1, 1, 2 };
    struct process_plan plan = { .argv = argv, .env = env, .fds = fds,
                                 .n_fds = 3 };
    struct process process;
    int status;

    TRY(process_start(t, &plan, &process));
    TRY(process_wait(t, &process, after_s(t, PATIENCE_S), &status));
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return why(t, ERR_IO, "%s failed", argv[0]);
    return OK;
}

static err make_user(struct task *t, const char *name, const char *home)
{
    const char *const argv[] = {
        "/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
        "--home-dir", home, "--shell", "/usr/sbin/nologin", name, NULL,
    };

    if (getpwnam(name))
        return OK;
    TRY(run_program(t, argv));
    printf("made   user %s\n", name);
    return OK;
}

static err make_group(struct task *t, const char *name)
{
    const char *const argv[] = { "/usr/sbin/groupadd", "--system", name,
                                 NULL };

    if (getgrnam(name))
        return OK;
    TRY(run_program(t, argv));
    printf("made   group %s\n", name);
    return OK;
}

err init_users(struct task *t, struct admin *ad, const struct init_plan *p)
{
    struct arena *a = &ad->memory;
    const char *mail = admin_value(ad, ADMIN_mail_user);
    uint64_t n;

    TRY(make_user(t, arena_cstr(a, p->owner), arena_cstr(a, p->queue)));
    if (!mail || !str_uint(str_from(mail), UINT32_MAX, &n))
        TRY(make_user(t, mail ? mail : "vmail", arena_cstr(a, p->mail)));
    return make_group(t, "postdrop");
}
