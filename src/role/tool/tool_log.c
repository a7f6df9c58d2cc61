/* SPDX-License-Identifier: ISC
 *
 * Commands write a line or two: each opens the log for itself.
 */
#include "role/tool/tool_log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FACILITY_MAIL = 2 << 3, FACILITY_LOCAL = 16 << 3 };

int tool_log_facility(str name)
{
    static const str names[] = {
        S_INIT("kern"), S_INIT("user"), S_INIT("mail"), S_INIT("daemon"),
        S_INIT("auth"), S_INIT("syslog"), S_INIT("lpr"), S_INIT("news"),
        S_INIT("uucp"), S_INIT("cron"), S_INIT("authpriv"), S_INIT("ftp"),
    };
    uint64_t n;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_ieq(name, names[i]))
            return (int)i << 3;
    if (str_istarts(name, S("local")) && str_uint(str_skip(name, 5), 7, &n))
        return FACILITY_LOCAL + ((int)n << 3);
    return FACILITY_MAIL;
}

/* syslog's socket takes datagrams, which rt's sockets are not: it is handed
 * to the log and nobody else sees it. */
static int syslog_socket(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX,
                              .sun_path = "/dev/log" };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at))) {
        close(fd);
        return -1;
    }
    return fd;
}

void tool_log_open_tag(struct task *t, const struct conf *c, struct arena *a,
                       str tag)
{
    str path = conf_str(c, P_maillog_file);
    int facility = tool_log_facility(conf_str(c, P_syslog_facility));
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
        fd = syslog_socket();
    }
    if (fd >= 0)
        log_open(t, str_empty(path) ? LOG_SINK_SYSLOG : LOG_SINK_FILE, fd,
                 conf_str(c, P_myhostname), facility);
}

void tool_log_open(struct task *t, const struct conf *c, struct arena *a,
                   str name)
{
    tool_log_open_tag(t, c, a, arena_fmt(a, "%.*s/%.*s",
                                         STR(conf_str(c, P_syslog_name)),
                                         STR(name)));
}
