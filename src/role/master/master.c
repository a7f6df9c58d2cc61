/* SPDX-License-Identifier: ISC
 *
 * The life of the system: start, signals, reload, end.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/examine.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

enum { READY_S = 60, STOP_S = 10, GIVE_UP_S = 1 };

static void find_owner(struct master *m)
{
    struct arena a;
    struct passwd *pw;

    arena_init(&a, 0);
    m->root = geteuid() == 0;
    m->uid = geteuid();
    m->gid = getegid();
    pw = getpwnam(arena_cstr(&a, conf_str(m->now->conf, P_mail_owner)));
    if (m->root && pw) {
        m->uid = pw->pw_uid;
        m->gid = pw->pw_gid;
    }
    arena_reset(&a);
}

static err reload_run(struct task *t, void *master)
{
    return master_reload(t, master, NULL) == ERR_STOPPED ? ERR_STOPPED : OK;
}

static err handle_signals(struct task *t, struct master *m,
                          struct signals *s)
{
    for (;;) {
        int signo;
        TRY(signals_wait(t, s, NEVER, &signo));
        if (signo == SIGHUP) {
            group_go(&m->group, "reload", reload_run, m);
        } else if (signo == SIGUSR1) {
            if (!ended_tell(t, m))
                children_tell(m, CONTROL_FLUSH);
        } else if (signo != SIGCHLD) {
            say(t, master_stop, signo);
            return OK;
        }
    }
}

/* Says on the caller's pipe that the system serves, or why not. */
static void report(const struct master *m, const char *text)
{
    if (m->o->ready_fd < 0)
        return;
    (void)!write(m->o->ready_fd, text, strlen(text));
    close(m->o->ready_fd);
}

/* The first configuration is in force before any role has it: there is
 * nothing else to go on with. */
static err start_conf(struct task *t, struct master *m)
{
    struct log_target log;

    TRY(master_load(t, m, NULL, &m->now));
    find_owner(m);
    TRY(master_log_find(t, m->now->conf, &log));
    master_log_take(t, m, &log);
    TRY(master_directories(t, m));
    TRY(master_pid_file(t, m));
    m->coming = m->now;
    TRY(bounds_prepare(t, m));
    bounds_take(m);
    m->coming = NULL;
    return OK;
}

static err start(struct task *t, struct master *m)
{
    when until = after_s(t, READY_S);

    TRY(start_conf(t, m));
    TRY(desk_open(t, m, &m->desk.listener));
    if (!m->root)
        say(t, master_plain);
    tickets_begin(t, m);
    rt_random(t, m->pass_key, sizeof(m->pass_key));
    children_start(m);
    while (!children_ready(m)) {
        if (!str_empty(m->failure))
            return why(t, ERR_DENIED, "%.*s", STR(m->failure));
        if (bell_wait(t, &m->changed, until))
            return why(t, ERR_LATE, "%.*s did not get ready",
                       STR(children_awaited(m, m->memory)));
    }
    m->serving = true;
    say(t, master_start, STR(str_from(VEREDUS_VERSION)),
        STR(conf_dir(m->now->conf)));
    return OK;
}

/* All processes, then the sockets: before the lock on the pid file goes. */
static void end(struct task *t, struct master *m, int64_t patience_s)
{
    m->stopping = true;
    children_stop(t, m, patience_s);
    group_close(t, &m->group);
    list_each(l, &m->children) {
        list_del(l);
        heap_free(container_of(l, struct child, link));
    }
    bounds_close(m);
    sock_close(m->desk.listener);
}

err role_master_run(struct task *t, const struct master_options *o)
{
    struct arena memory;
    struct master *m;
    struct signals *s = NULL;
    uint64_t mask = 1u << SIGHUP | 1u << SIGTERM | 1u << SIGINT
                    | 1u << SIGCHLD | 1u << SIGUSR1;
    err e;

    arena_init(&memory, 0);
    m = arena_new(&memory, struct master);
    m->o = o;
    m->memory = &memory;
    m->log.fd = -1;
    m->desk.m = m;
    list_init(&m->children);
    list_init(&m->bounds);
    group_open(t, &m->group);
    log_name_set(t, "postfix/master");
    process_files_raise();      /* roles inherit it */
    e = signals_open(t, mask, &s);
    if (!e)
        e = start(t, m);
    if (!e) {
        report(m, "ready");
        group_go(&m->group, "desk", desk_run, &m->desk);
        group_go(&m->group, "pickup", pickup_run, m);
        group_go(&m->group, "tickets", tickets_run, m);
        e = handle_signals(t, m, s);
        end(t, m, STOP_S);
    } else {
        str reason = arena_str(&memory, str_from(task_why(t)));
        say(t, role_fatal, task_why(t));
        end(t, m, GIVE_UP_S);
        /* last: whoever hears it may start again at once */
        report(m, arena_cstr(&memory, reason));
    }
    signals_close(s);
    edition_leave(m->now);
    arena_reset(&memory);
    return e;
}
