/* SPDX-License-Identifier: ISC
 *
 * What must be there before roles start: directories with their modes, the
 * pid file, the log.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void own(const struct master *m, const struct place_dir *p,
                struct arena *a)
{
    char *path = arena_cstr(a, p->path);

    (void)!chmod(path, p->mode); /* `postfix check` says if it stays wrong */
    if (m->root)
        (void)!chown(path, p->owned ? m->uid : 0, p->owned ? m->gid : 0);
}

static err make(struct task *t, struct master *m, const struct place_dir *p,
                struct arena *a)
{
    struct file_stat st;

    if (!file_stat_path(t, NULL, p->path, &st)) {
        if (!st.is_dir)
            return why(t, ERR_DENIED, "%.*s is not a directory",
                       STR(p->path));
        return OK;
    }
    TRY(dir_make(t, NULL, p->path, p->mode));
    own(m, p, a);
    return OK;
}

err master_directories(struct task *t, struct master *m)
{
    const struct place_dir *dirs;
    struct arena a;
    size_t n;
    err e = OK;

    arena_init(&a, 0);
    dirs = place_dirs(m->now->conf, &a, &n);
    for (size_t i = 0; i < n && !e; i++)
        e = make(t, m, &dirs[i], &a);
    arena_reset(&a);
    return e;
}

/* The lock stays with the descriptor until this process ends. */
err master_pid_file(struct task *t, struct master *m)
{
    str queue = conf_str(m->now->conf, P_queue_directory);
    str path = arena_fmt(m->memory, "%.*s/pid/master.pid", STR(queue));
    struct file *f;

    TRY(file_open(t, NULL, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0644,
                  &f));
    arena_own(m->memory, file_close_any, f);
    if (file_lock(t, f, true, rt_now(t)))
        return why(t, ERR_DENIED, "the Postfix mail system is already "
                   "running");
    TRY(file_size_set(t, f, 0));
    return file_write(t, f, 0, arena_fmt(m->memory, "%10d\n",
                                         (int)getpid()));
}

err master_log_find(struct task *t, const struct conf *c,
                    struct log_target *out)
{
    str path = conf_str(c, P_maillog_file);
    struct log_target l = {
        .sink = LOG_SINK_FILE,
        .facility = log_facility(conf_str(c, P_syslog_facility)),
    };
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    if (str_eq(path, S("/dev/stdout")) || str_eq(path, S("/dev/stderr"))) {
        l.fd = fcntl(str_eq(path, S("/dev/stdout")) ? 1 : 2,
                     F_DUPFD_CLOEXEC, 0);
    } else if (!str_empty(path)) {
        l.fd = open(arena_cstr(&a, path),
                    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                    0600);
        if (l.fd < 0)
            e = why(t, ERR_DENIED, "maillog_file: cannot open %.*s: %s",
                    STR(path), strerror(errno));
    } else {
        l.fd = log_syslog_socket();
        l.sink = l.fd < 0 ? LOG_SINK_NONE : LOG_SINK_SYSLOG;
    }
    arena_reset(&a);
    if (!e)
        *out = l;
    return e;
}

void master_log_take(struct task *t, struct master *m,
                     const struct log_target *l)
{
    if (m->log.fd >= 0)
        close(m->log.fd);
    m->log = *l;
    log_open(t, l->sink, l->fd, conf_str(m->now->conf, P_myhostname),
             l->facility);
}
