/* SPDX-License-Identifier: ISC
 *
 * Starting and stopping.  Master is this same program, called as
 * "veredus --master DIR 3"; on that descriptor it says "ready" when the
 * system serves, or why it does not.  It leads a session of its own.
 */
#include "role/tool/postfix.h"

#include "auth/directory.h"
#include "role/tool/caller.h"

#include "role/places.h"
#include "role/tool/queue_talk.h"
#include "role/tool/running.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { READY_S = 60, STOP_S = 20, KILL_S = 5,
       TEXT_MAX = 1024, RELOAD_S = 80, REPORT_MAX = 512 * 1024 };

extern char **environ;

static err launch(struct task *t, struct postfix *p, struct process *process,
                  struct sock **ready)
{
    const char *self = tool_self(&p->arena);
    const char *argv[] = { "master", "--master", p->dir, "3", NULL };
    int fds[] = { -1, -1, -1, -1 };
    struct process_plan plan = { .path = self, .argv = argv,
                                 .env = (const char *const *)environ,
                                 .fds = fds, .n_fds = 4,
                                 .new_session = true };
    err e;
    int fd;

    TRY(sock_pair(t, ready, &fd));
    fds[3] = fd;
    e = process_start(t, &plan, process);
    fd_close(fd);
    if (e)
        sock_close(*ready);
    return e;
}

static int already(struct task *t)
{
    postfix_say(t, POSTFIX_FATAL, "the Postfix mail system is already "
                "running");
    return 1;
}

/* What master says: OK when the system serves. */
static err wait_ready(struct task *t, struct sock *ready)
{
    char text[TEXT_MAX];
    when until = after_s(t, READY_S);
    size_t n = 0, more;
    err e = OK;

    while (n < sizeof(text)
           && !(e = sock_read(t, ready, text + n, sizeof(text) - n, until,
                              &more)))
        n += more;
    if (str_eq(str_of(text, n), S("ready")))
        return OK;
    if (n > 0)
        return why(t, ERR_DENIED, "%.*s", STR(str_of(text, n)));
    return why(t, ERR_LATE, "%s", e == ERR_LATE ? "master is not ready in time"
                                                : "master ended");
}

/* What a Postfix before us left in the queue directory. */
static int take_over(struct task *t, struct postfix *p)
{
    const char *argv[] = { "takeover", "-c", p->dir, NULL };
    int status = caller_run(t, p->conf, tool_takeover, argv);

    if (status)
        postfix_say(t, POSTFIX_FATAL, "the queue that is there cannot be "
                    "taken over");
    return status;
}

/* Look-ups in a directory of users that an earlier release made have to read
 * all of it, until it has the indexes of today.  The roles write nowhere. */
static void update_directories(struct task *t, struct postfix *p)
{
    struct conf_items sources = conf_items(p->conf, P_auth_sources);

    for (size_t i = 0; i < sources.n; i++) {
        str path = str_skip(sources.p[i], 7);
        struct file_stat st;
        if (str_starts(sources.p[i], S("sqlite:"))
            && !file_stat_path(t, NULL, path, &st)
            && directory_update(t, path))
            postfix_say(t, POSTFIX_WARN, "%.*s: look-ups stay slow: %s",
                        STR(path), task_why(t));
    }
}

int postfix_start(struct task *t, struct postfix *p)
{
    struct process process;
    struct sock *ready;
    err e;

    if (running_pid(t, p->conf))
        return already(t);
    if (postfix_check(t, p)) {
        postfix_say(t, POSTFIX_FATAL, "Postfix integrity check failed!");
        return 1;
    }
    if (take_over(t, p))
        return 1;
    update_directories(t, p);
    postfix_say(t, POSTFIX_INFO, "starting the Postfix mail system");
    e = launch(t, p, &process, &ready);
    if (!e) {
        e = wait_ready(t, ready);
        sock_close(ready);
    }
    if (e) {
        postfix_say(t, POSTFIX_FATAL, "mail system startup failed: %s",
                    task_why(t));
        return 1;
    }
    return 0;
}

int postfix_start_fg(struct task *t, struct postfix *p)
{
    const char *self = tool_self(&p->arena);
    const char *argv[] = { "master", "--master", p->dir, NULL };

    if (running_pid(t, p->conf))
        return already(t);
    if (postfix_check(t, p)) {
        postfix_say(t, POSTFIX_FATAL, "Postfix integrity check failed!");
        return 1;
    }
    if (take_over(t, p))
        return 1;
    update_directories(t, p);
    postfix_say(t, POSTFIX_INFO, "starting the Postfix mail system");
    fflush(NULL);
    execv(self, (char *const *)(uintptr_t)argv);
    postfix_say(t, POSTFIX_FATAL, "cannot execute %s", self);
    return 1;
}

/* Master's pid; 0 after saying that there is none. */
static int need_running(struct task *t, struct postfix *p)
{
    int pid = running_pid(t, p->conf);

    if (!pid)
        postfix_say(t, POSTFIX_FATAL, "the Postfix mail system is not "
                    "running");
    return pid;
}

static int signal_it(struct task *t, int pid, int signo, bool group)
{
    if (!running_signal(t, pid, signo, group))
        return 0;
    postfix_say(t, POSTFIX_FATAL, "%s", task_why(t));
    return 1;
}

int postfix_stop(struct task *t, struct postfix *p)
{
    int pid = need_running(t, p);

    if (!pid)
        return 1;
    postfix_say(t, POSTFIX_INFO, "stopping the Postfix mail system");
    if (signal_it(t, pid, SIGTERM, false))
        return 1;
    if (running_wait_gone(t, p->conf, after_s(t, STOP_S)))
        return 0;
    postfix_say(t, POSTFIX_WARN, "stopping the Postfix mail system with "
                "force");
    if (signal_it(t, pid, SIGKILL, true))
        return 1;
    return running_wait_gone(t, p->conf, after_s(t, KILL_S)) ? 0 : 1;
}

int postfix_abort(struct task *t, struct postfix *p)
{
    int pid = need_running(t, p);

    if (!pid)
        return 1;
    postfix_say(t, POSTFIX_INFO, "aborting the Postfix mail system");
    if (signal_it(t, pid, SIGKILL, true))
        return 1;
    return running_wait_gone(t, p->conf, after_s(t, KILL_S)) ? 0 : 1;
}

/* Hears master out: OK when the configuration is in force. */
static err hear(struct task *t, struct sock *s, struct buf *text)
{
    when until = after_s(t, RELOAD_S);
    str left, line, last = S("");
    char piece[4096];
    size_t n;
    err e;

    while (!(e = sock_read(t, s, piece, sizeof(piece), until, &n)))
        buf_add(text, str_of(piece, n));
    if (e != ERR_END)
        return e;
    left = buf_str(text);
    while (str_cut(&left, '\n', &line)) {
        bool is_last = str_eq(line, S("in force"))
                       || str_eq(line, S("refused"));
        if (is_last)
            last = line;
        else /* it is in the log already */
            fprintf(stderr, "postfix/postfix-script: %.*s\n", STR(line));
    }
    if (str_empty(last))
        return why(t, ERR_END, "master ended");
    return str_eq(last, S("in force")) ? OK
         : why(t, ERR_DENIED, "the configuration was refused: the one before "
               "it goes on");
}

static err ask_reload(struct task *t, struct postfix *p)
{
    str path = place_command(p->conf, &p->arena);
    struct endpoint at;
    struct buf text;
    struct sock *s;
    err e;

    TRY(endpoint_unix(path, &at));
    if (sock_connect(t, &at, NULL, after_s(t, 10), &s))
        return why(t, ERR_ABSENT, "%.*s: %s (a master of another version has "
                   "to be stopped and started)", STR(path),
                   arena_cstr(&p->arena, str_from(task_why(t))));
    buf_init(&text, &p->arena, REPORT_MAX);
    e = sock_write_str(t, s, S("reload\n"), after_s(t, 10));
    if (!e)
        e = hear(t, s, &text);
    sock_close(s);
    return e;
}

int postfix_reload(struct task *t, struct postfix *p)
{
    if (!need_running(t, p))
        return 1;
    update_directories(t, p);
    if (postfix_check(t, p)) {
        postfix_say(t, POSTFIX_FATAL, "Postfix integrity check failed!");
        return 1;
    }
    postfix_say(t, POSTFIX_INFO, "refreshing the Postfix mail system");
    if (!ask_reload(t, p))
        return 0;
    postfix_say(t, POSTFIX_FATAL, "reload failed: %s", task_why(t));
    return 1;
}

int postfix_status(struct task *t, struct postfix *p)
{
    int pid = running_pid(t, p->conf);

    if (pid)
        postfix_say(t, POSTFIX_INFO, "the Postfix mail system is running: "
                    "PID: %d", pid);
    else
        postfix_say(t, POSTFIX_INFO, "the Postfix mail system is not "
                    "running");
    return pid ? 0 : 1;
}

int postfix_flush(struct task *t, struct postfix *p)
{
    struct queue_talk q;
    uint32_t n;
    err e;

    if (!need_running(t, p))
        return 1;
    e = queue_talk_open(t, p->conf, &q);
    if (!e) {
        e = queue_talk_ask(t, &q, 'f', S(""), NULL, NULL, &n);
        queue_talk_close(&q);
    }
    if (e)
        postfix_say(t, POSTFIX_FATAL, "Cannot flush mail queue: %s",
                    task_why(t));
    return e ? 1 : 0;
}
