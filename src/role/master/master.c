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

/* Findings are said here unless whoever started us has just said them. */
static err load(struct task *t, struct master *m, struct arena *a,
                bool said, struct conf **out)
{
    struct conf_findings findings = { 0 };
    struct conf_load l = { .dir = str_from(m->o->config_dir),
                           .master_needed = true,
                           .process_name = "master" };
    err e = examine_load(t, a, &l, &findings, out);

    for (size_t i = 0; i < findings.list.n; i++) {
        const struct conf_finding *f = &findings.list.p[i];
        if (f->fatal)
            say(t, master_fault, STR(conf_finding_text(a, f)));
        else if (!said)
            say(t, master_finding, STR(conf_finding_text(a, f)));
    }
    return e;
}

static void find_owner(struct master *m)
{
    struct arena a;
    struct passwd *pw;

    arena_init(&a, 0);
    m->root = geteuid() == 0;
    m->uid = geteuid();
    m->gid = getegid();
    pw = getpwnam(arena_cstr(&a, conf_str(m->conf, P_mail_owner)));
    if (m->root && pw) {
        m->uid = pw->pw_uid;
        m->gid = pw->pw_gid;
    }
    arena_reset(&a);
}

static err reload(struct task *t, struct master *m)
{
    struct arena fresh;
    struct conf *c;

    arena_init(&fresh, 0);
    if (load(t, m, &fresh, false, &c)) {
        say(t, role_error, task_why(t));
        arena_reset(&fresh);
        return OK; /* the old configuration goes on */
    }
    if (master_bind(t, m, c)) {
        say(t, role_error, task_why(t));
        arena_reset(&fresh);
        return OK; /* and so do its sockets */
    }
    arena_reset(&m->conf_memory);
    m->conf_memory = fresh;
    m->conf = c;
    say(t, master_reload, STR(str_from(VEREDUS_VERSION)),
        STR(conf_dir(m->conf)));
    TRY(master_log_open(t, m));
    children_configure(t, m);
    return OK;
}

static err handle_signals(struct task *t, struct master *m,
                          struct signals *s)
{
    for (;;) {
        int signo;
        TRY(signals_wait(t, s, NEVER, &signo));
        if (signo == SIGHUP) {
            err e = reload(t, m);
            if (e)
                say(t, role_error, task_why(t));
        } else if (signo == SIGUSR1) {
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

static err start(struct task *t, struct master *m)
{
    when until = after_s(t, READY_S);

    TRY(load(t, m, &m->conf_memory, true, &m->conf));
    find_owner(m);
    TRY(master_log_open(t, m));
    TRY(master_directories(t, m));
    TRY(master_pid_file(t, m));
    TRY(master_bind(t, m, m->conf));
    if (!m->root)
        say(t, master_plain);
    tickets_begin(t, m);
    TRY(children_start(t, m));
    while (!children_ready(m)) {
        if (!str_empty(m->failure))
            return why(t, ERR_DENIED, "%.*s", STR(m->failure));
        if (bell_wait(t, &m->changed, until))
            return why(t, ERR_LATE, "%.*s did not get ready",
                       STR(children_awaited(m)));
    }
    m->serving = true;
    say(t, master_start, STR(str_from(VEREDUS_VERSION)),
        STR(conf_dir(m->conf)));
    return OK;
}

/* All processes, then the sockets: before the lock on the pid file goes. */
static void end(struct task *t, struct master *m, int64_t patience_s)
{
    m->stopping = true;
    children_stop(t, m, patience_s);
    group_close(t, &m->group);
    master_unbind(m);
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
    m->log_fd = -1;
    list_init(&m->children);
    list_init(&m->bounds);
    arena_init(&m->conf_memory, 0);
    group_open(t, &m->group);
    log_name_set(t, "postfix/master");
    process_files_raise();      /* roles inherit it */
    e = signals_open(t, mask, &s);
    if (!e)
        e = start(t, m);
    if (!e) {
        report(m, "ready");
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
    arena_reset(&m->conf_memory);
    arena_reset(&memory);
    return e;
}
