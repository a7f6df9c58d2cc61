/* SPDX-License-Identifier: ISC
 *
 * Commands write a line or two: each opens the log for itself.
 */
#include "role/tool/tool_log.h"

#include <fcntl.h>

void tool_log_open_tag(struct task *t, const struct conf *c, struct arena *a,
                       str tag)
{
    str path = conf_str(c, P_maillog_file);
    int facility = log_facility(conf_str(c, P_syslog_facility));
    struct file *f;
    int fd = -1;

    log_name_set(t, arena_cstr(a, tag));
    if (!str_empty(path)) {
        if (file_open(t, NULL, path, FILE_WRITE | FILE_APPEND | FILE_CREATE
                                         | FILE_FOLLOW, 0644, &f))
            return;
        fd = fcntl(file_fd(f), F_DUPFD_CLOEXEC, 3);
        file_close(f);
    } else {
        fd = log_syslog_socket();
    }
    if (fd >= 0)
        log_open(t, str_empty(path) ? LOG_SINK_SYSLOG : LOG_SINK_FILE, fd,
                 conf_str(c, P_myhostname), facility);
}

static str tag_of(const struct conf *c, struct arena *a, str name)
{
    return arena_fmt(a, "%.*s/%.*s", STR(conf_str(c, P_syslog_name)),
                     STR(name));
}

void tool_log_adopt(struct task *t, const struct conf *c, struct arena *a,
                    str name, int fd)
{
    log_name_set(t, arena_cstr(a, tag_of(c, a, name)));
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        log_open(t, LOG_SINK_FILE, fd, conf_str(c, P_myhostname),
                 log_facility(conf_str(c, P_syslog_facility)));
}

void tool_log_open(struct task *t, const struct conf *c, struct arena *a,
                   str name)
{
    tool_log_open_tag(t, c, a, tag_of(c, a, name));
}
