/* SPDX-License-Identifier: ISC
 *
 * Log lines: stamped, coalesced, and kept free of control characters, since
 * what clients say ends up in them.
 */
#include "rt/log.h"

#include "rt/sched.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2000, FLUSH_AT = 64 * 1024, FACILITY_MAIL = 2,
       FACILITY_LOCAL = 16 };

int log_facility(str name)
{
    static const str names[] = {
        S_INIT("kern"), S_INIT("user"), S_INIT("mail"), S_INIT("daemon"),
        S_INIT("auth"), S_INIT("syslog"), S_INIT("lpr"), S_INIT("news"),
        S_INIT("uucp"), S_INIT("cron"), S_INIT("authpriv"), S_INIT("ftp"),
    };
    uint64_t n;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_ieq(name, names[i]))
            return (int)i;
    if (str_istarts(name, S("local")) && str_uint(str_skip(name, 5), 7, &n))
        return FACILITY_LOCAL + (int)n;
    return FACILITY_MAIL;
}

int log_syslog_socket(void)
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

static void log_panic(void *arg, const char *text);

void log_open(struct task *t, enum log_sink sink, int fd, str host,
              int facility)
{
    struct world *w = t->world;

    log_flush(w);
    w->log.sink = sink;
    w->log.fd = fd;
    w->log.facility = facility;
    w->log.pid = (int)getpid();
    if (host.n >= sizeof(w->log.host))
        host.n = sizeof(w->log.host) - 1;
    memcpy(w->log.host, host.p, host.n);
    w->log.host[host.n] = 0;
    must_report_with(log_panic, w);
}

/* "Nov 24 03:11:50" of this second. */
static const char *stamp(struct task *t)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct log_state *log = &t->world->log;
    int64_t us = rt_wall(t);
    time_t s = (time_t)(us / 1000000);
    struct tm tm;

    if (s == log->stamp_s)
        return log->stamp;
    log->stamp_s = s;
    localtime_r(&s, &tm);
    snprintf(log->stamp, sizeof(log->stamp), "%.3s %2u %02u:%02u:%02u",
             months + 3 * tm.tm_mon, (unsigned)tm.tm_mday % 32,
             (unsigned)tm.tm_hour % 24, (unsigned)tm.tm_min % 60,
             (unsigned)tm.tm_sec % 61);
    return log->stamp;
}

static const char *prefix(enum log_level level)
{
    static const char *const words[] = { "", "warning: ", "error: ",
                                         "fatal: ", "panic: " };
    return words[level];
}

/* syslog's priority: facility and severity. */
static int priority(const struct log_state *log, enum log_level level)
{
    static const int severity[] = { 6, 4, 3, 2, 2 };

    return log->facility << 3 | severity[level];
}

static void clean(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 127)
            p[i] = '?';
}

/* Appends one line; the text is clean. */
static void line_add(struct task *t, enum log_level level, str text)
{
    struct log_state *log = &t->world->log;

    if (log->sink == LOG_SINK_SYSLOG)
        buf_fmt(&log->lines, "<%d>%s %s[%d]: %s%.*s\n",
                priority(log, level), stamp(t), t->log_name, log->pid,
                prefix(level), STR(text));
    else
        buf_fmt(&log->lines, "%s %s %s[%d]: %s%.*s\n", stamp(t), log->host,
                t->log_name, log->pid, prefix(level), STR(text));
}

/* What was said before it comes first: it may tell why. */
static void log_panic(void *arg, const char *text)
{
    struct world *w = arg;
    struct task *t = w->current;

    log_flush(w);
    if (!t && !list_empty(&w->tasks))
        t = container_of(w->tasks.next, struct task, all);
    if (w->log.sink == LOG_SINK_NONE || !t)
        return;
    line_add(t, LOG_LEVEL_PANIC, str_from(text));
    log_flush(w);
}

void log_event(struct task *t, const struct event *e, const char *format, ...)
{
    struct log_state *log = &t->world->log;
    char text[LINE_MAX_BYTES];
    va_list ap;
    int n;

    if (log->sink == LOG_SINK_NONE)
        return;
    va_start(ap, format);
    n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    must(n >= 0);
    if ((size_t)n >= sizeof(text))
        n = sizeof(text) - 1;
    clean(text, (size_t)n);
    if (log->lines.n > FLUSH_AT)
        log_flush(t->world);
    line_add(t, e->level, str_of(text, (size_t)n));
}

void log_flush(struct world *w)
{
    if (w->log.lines.n == 0)
        return;
    w->ops->log_write(w, buf_str(&w->log.lines));
    buf_clear(&w->log.lines);
}
