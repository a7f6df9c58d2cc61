/* SPDX-License-Identifier: ISC
 *
 * Mail that was dropped while nobody took it: at the start and at each wake-up
 * of the pickup line, if something lies in maildrop, `pickup` hands it to the
 * running system as mail_owner (role/tool/pickup.c).  Master itself reads the
 * directory's names and nothing else.
 */
#include "role/master/master.h"

#include "role/events.h"

#include <signal.h>

enum { WAKE_S = 60, PATIENCE_S = 600 };

static int64_t wake_s(const struct master *m)
{
    struct services all = conf_services(m->now->conf);

    for (size_t i = 0; i < all.n; i++)
        if (str_eq(all.p[i].command, S("pickup")) && all.p[i].wakeup_s > 0)
            return all.p[i].wakeup_s;
    return WAKE_S;
}

static bool something_there(struct task *t, const struct master *m)
{
    struct names names = { 0 };
    struct dir *d = NULL;
    struct arena a;
    bool found = false;

    arena_init(&a, 0);
    if (!dir_open(t, NULL, arena_fmt(&a, "%.*s/maildrop",
                                     STR(conf_str(m->now->conf,
                                                  P_queue_directory))), &d)
        && !dir_list(t, d, &a, &names))
        found = names.n > 0;
    dir_close(d);
    arena_reset(&a);
    return found;
}

static err run_pickup(struct task *t, const struct master *m)
{
    bool file = m->log.sink == LOG_SINK_FILE && m->log.fd >= 0;
    const char *argv[] = { "pickup", "-c", m->o->config_dir,
                           file ? "-l" : NULL, NULL };
    const char *env[] = { NULL };
    int fds[] = { -1, -1, 2, m->log.fd }, status;
    struct process_plan plan = {
        .path = m->o->self, .program = m->o->program, .argv = argv,
        .env = env, .fds = fds, .n_fds = file ? 4 : 3,
        .dir = "/", .set_ids = m->root, .uid = m->uid, .gid = m->gid,
        .read_all = m->root, /* files there are their owners' alone */
    };
    struct process p;
    err e;

    TRY(process_start(t, &plan, &p));
    e = process_wait(t, &p, after_s(t, PATIENCE_S), &status);
    if (e)
        err_ignore(process_signal(&p, SIGKILL)); /* it may be gone */
    return e;
}

err pickup_run(struct task *t, void *master)
{
    struct master *m = master;

    for (;;) {
        if (something_there(t, m)) {
            err e = run_pickup(t, m);
            if (e == ERR_STOPPED)
                return e;
            if (e)
                say(t, role_warn, task_why(t));
        }
        TRY(task_sleep(t, after_s(t, wake_s(m))));
    }
}
