/* SPDX-License-Identifier: ISC
 *
 * The pid file.
 */
#include "role/tool/running.h"

#include "role/tool/queue_talk.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PID_TEXT_MAX = 64, POLL_MS = 50 };

static str pid_path(const struct conf *c, struct arena *a)
{
    return queue_path(c, a, S("pid/master.pid"));
}

static int pid_read(struct task *t, const struct conf *c)
{
    uint64_t pid = 0;
    struct arena a;
    str text;

    arena_init(&a, 0);
    if (file_load(t, NULL, pid_path(c, &a), &a, PID_TEXT_MAX, &text)
        || !str_uint(str_trim(text), 1 << 30, &pid))
        pid = 0;
    arena_reset(&a);
    return (int)pid;
}

/* Whether master holds its lock on the pid file, which all may read. */
static bool is_locked(struct task *t, const struct conf *c)
{
    struct arena a;
    struct file *f;
    bool locked = false;

    arena_init(&a, 0);
    if (!file_open(t, NULL, pid_path(c, &a), FILE_READ, 0, &f)) {
        locked = file_lock(t, f, false, rt_now(t)) != OK;
        file_close(f);
    }
    arena_reset(&a);
    return locked;
}

int running_pid(struct task *t, const struct conf *c)
{
    int pid = pid_read(t, c);

    if (pid <= 1 || (kill(pid, 0) && errno != EPERM))
        return 0;
    return is_locked(t, c) ? pid : 0;
}

err running_hold(struct task *t, const struct conf *c, struct file **out)
{
    struct arena a;
    struct file *f;
    err e;

    if (running_pid(t, c))
        return why(t, ERR_DENIED, "the mail system is running");
    arena_init(&a, 0);
    e = file_open(t, NULL, pid_path(c, &a),
                  FILE_READ | FILE_WRITE | FILE_CREATE, 0644, &f);
    if (!e && file_lock(t, f, true, rt_now(t))) {
        file_close(f);
        e = why(t, ERR_DENIED, "the mail system is running");
    }
    arena_reset(&a);
    if (!e)
        *out = f;
    return e;
}

err running_signal(struct task *t, int pid, int signo, bool group)
{
    must(pid > 1);
    if (kill(group && getpgid(pid) == pid ? -pid : pid, signo))
        return why(t, errno == EPERM ? ERR_DENIED : ERR_ABSENT,
                   "signal process %d: %s", pid, strerror(errno));
    return OK;
}

bool running_wait_gone(struct task *t, const struct conf *c, when until)
{
    while (running_pid(t, c)) {
        if (rt_now(t) >= until || task_sleep(t, after_ms(t, POLL_MS)))
            return false;
    }
    return true;
}
