/* SPDX-License-Identifier: ISC
 *
 * postlock(1): runs a command while a mail folder is locked as local
 * delivery would lock it.
 *
 * The lock file is made first and removed last; a stale one (older than
 * stale_lock_time) is removed.
 */
#include "role/tool/tool.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sysexits.h>

enum { LOCK_FCNTL = 1, LOCK_FLOCK = 2, LOCK_DOT = 4 };

extern char **environ;

struct postlock {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    int how;
    str path, dot;
    struct file *file;
    bool dotted;
};

static int fatal(struct postlock *pl, const char *text)
{
    tool_fatal(pl->args, "%s", text);
    return EX_TEMPFAIL;
}

static bool style_of(struct postlock *pl, str text)
{
    struct conf_items list = conf_split(&pl->arena, text);

    for (size_t i = 0; i < list.n; i++) {
        int bit = str_ieq(list.p[i], S("fcntl"))   ? LOCK_FCNTL
                  : str_ieq(list.p[i], S("flock")) ? LOCK_FLOCK
                  : str_ieq(list.p[i], S("dotlock")) ? LOCK_DOT : 0;
        if (!bit) {
            tool_fatal(pl->args, "unknown mailbox_delivery_lock value "
                       "\"%.*s\" in \"%.*s\"", STR(list.p[i]), STR(text));
            return false;
        }
        pl->how |= bit;
    }
    return true;
}

static err dot_try(struct task *t, struct postlock *pl)
{
    int64_t stale_us = conf_seconds(pl->conf, P_stale_lock_time) * 1000000;
    struct file_stat st;
    struct file *f;
    err e = file_open(t, NULL, pl->dot,
                      FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0444, &f);

    if (!e) {
        file_close(f);
        pl->dotted = true;
        return OK;
    }
    if (file_stat_path(t, NULL, pl->dot, &st))
        return why(t, e, "unable to create lock file %.*s: %s",
                   STR(pl->dot), tool_reason(e));
    if (st.mtime_us < rt_wall(t) - stale_us)
        err_ignore(file_unlink(t, NULL, pl->dot)); /* the next try tells */
    return why(t, ERR_LATE, "unable to lock: lock file %.*s exists",
               STR(pl->dot));
}

static err lock_try(struct task *t, struct postlock *pl)
{
    if ((pl->how & LOCK_DOT) && !pl->dotted)
        TRY(dot_try(t, pl));
    if (!pl->file)
        TRY(file_open(t, NULL, pl->path, FILE_READ | FILE_WRITE | FILE_CREATE
                                             | FILE_FOLLOW | FILE_APPEND,
                      0600, &pl->file));
    if ((pl->how & LOCK_FLOCK)
        && flock(file_fd(pl->file), LOCK_EX | LOCK_NB))
        return why(t, ERR_LATE, "unable to lock for exclusive access: %s",
                   strerror(errno));
    if (pl->how & LOCK_FCNTL)
        return file_lock(t, pl->file, true, rt_now(t));
    return OK;
}

static err lock(struct task *t, struct postlock *pl)
{
    int64_t tries = conf_int(pl->conf, P_deliver_lock_attempts);
    int64_t delay = conf_seconds(pl->conf, P_deliver_lock_delay);
    err e;

    for (;;) {
        e = lock_try(t, pl);
        if (e != ERR_LATE || --tries <= 0)
            return e;
        TRY(task_sleep(t, after_s(t, delay)));
    }
}

/* A command without a slash is looked for in PATH, which env(1) does. */
static int run_command(struct task *t, struct postlock *pl, int at)
{
    int n = pl->args->argc - at;
    const char **argv = arena_array(&pl->arena, const char *,
                                    (size_t)n + 2);
    bool search = str_chr(str_from(pl->args->argv[at]), '/') == STR_NONE;
    struct process_plan plan = { .argv = argv, .fds = (int[]){ 0, 1, 2 },
                                 .env = (const char *const *)environ,
                                 .n_fds = 3 };
    struct process p;
    int status = 0, out = 0;

    if (search)
        argv[out++] = "/usr/bin/env";
    for (int i = 0; i < n; i++)
        argv[out++] = pl->args->argv[at + i];
    if (process_start(t, &plan, &p)) {
        tool_fatal(pl->args, "%s", task_why(t));
        return 1;
    }
    if (process_wait(t, &p, NEVER, &status))
        return fatal(pl, task_why(t));
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

static int run(struct task *t, struct postlock *pl)
{
    struct tool_options o = tool_options_of(pl->args, "c:l:v");
    const char *dir = NULL, *style = NULL;
    bool good = true;
    int letter;

    while ((letter = tool_option(&o))) {
        good &= letter != '?';
        if (letter == 'c')
            dir = o.value;
        else if (letter == 'l')
            style = o.value;
    }
    if (!good || o.at + 2 > pl->args->argc)
        return tool_usage(pl->args, "postlock", 1);
    if (tool_conf(t, &pl->arena, pl->args, dir, &pl->conf)
        || !style_of(pl, style ? str_from(style)
                               : conf_str(pl->conf,
                                          P_mailbox_delivery_lock)))
        return EX_TEMPFAIL;
    pl->path = str_from(pl->args->argv[o.at]);
    pl->dot = arena_cat(&pl->arena, pl->path, S(".lock"));
    if (lock(t, pl)) {
        tool_fatal(pl->args, "open file %.*s: %s", STR(pl->path),
                   task_why(t));
        return EX_TEMPFAIL;
    }
    return run_command(t, pl, o.at + 1);
}

int tool_postlock(struct task *t, const struct tool_args *args)
{
    struct postlock pl = { .args = args };
    int status;

    arena_init(&pl.arena, 0);
    status = run(t, &pl);
    file_close(pl.file); /* its locks end with it */
    if (pl.dotted)
        err_ignore(file_unlink(t, NULL, pl.dot)); /* stale in a while */
    arena_reset(&pl.arena);
    return status;
}
