/* SPDX-License-Identifier: ISC
 *
 * What must be there before roles start: directories with their modes, the
 * pid file, the log.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/places.h"

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
    dirs = place_dirs(m->conf, &a, &n);
    for (size_t i = 0; i < n && !e; i++)
        e = make(t, m, &dirs[i], &a);
    arena_reset(&a);
    return e;
}

/* The lock stays with the descriptor until this process ends. */
err master_pid_file(struct task *t, struct master *m)
{
    str queue = conf_str(m->conf, P_queue_directory);
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

err master_log_open(struct task *t, struct master *m)
{
    str path = conf_str(m->conf, P_maillog_file);
    int fd;

    m->log_facility = log_facility(conf_str(m->conf, P_syslog_facility));
    if (str_eq(path, S("/dev/stdout")) || str_eq(path, S("/dev/stderr"))) {
        fd = fcntl(str_eq(path, S("/dev/stdout")) ? 1 : 2,
                   F_DUPFD_CLOEXEC, 0);
        m->sink = LOG_SINK_FILE;
    } else if (!str_empty(path)) {
        char *p = arena_cstr(m->memory, path);
        fd = open(p, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                  0600);
        m->sink = LOG_SINK_FILE;
        if (fd < 0)
            return why(t, ERR_DENIED, "maillog_file: cannot open %s", p);
    } else {
        fd = log_syslog_socket();
        m->sink = fd < 0 ? LOG_SINK_NONE : LOG_SINK_SYSLOG;
    }
    if (m->log_fd >= 0)
        close(m->log_fd);
    m->log_fd = fd;
    log_open(t, m->sink, fd, conf_str(m->conf, P_myhostname),
             m->log_facility);
    return OK;
}
