/* SPDX-License-Identifier: ISC
 *
 * The log.  One fact, one event: the modules' events.def name them, say()
 * writes the line.  Lines have the shape that log analysers for Postfix read:
 *
 *     Nov 24 03:11:50 host postfix/smtpd[4711]: text
 *
 * Lines of one loop turn leave in one write (to a file) or one sendmmsg (to
 * syslog).
 */
#ifndef RT_LOG_H
#define RT_LOG_H

#include "rt/task.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR,
                 LOG_LEVEL_FATAL, LOG_LEVEL_PANIC };

/* A fact that can be logged; made by EVENT lines of an events.def:
 *     EVENT(smtpd_connect, INFO, "connect from %.*s[%.*s]")
 * and used as say(t, smtpd_connect, STR(name), STR(address)).  INFO has no
 * prefix in the line, the others have "warning: ", "error: ", ... */
struct event {
    const char *name;
    enum log_level level;
};

#define EVENT_DECLARE(name, level, format)                                    \
    __attribute__((unused)) static const char ev_##name##_format[] = format;  \
    __attribute__((unused)) static const struct event ev_##name =             \
        { #name, LOG_LEVEL_##level };

#define say(t, name, ...)                                                     \
    log_event((t), &ev_##name, ev_##name##_format, ##__VA_ARGS__)

void log_event(struct task *t, const struct event *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name in the line ("postfix/smtpd") for this task and, from then on, for
 * the children it starts.  Kept by pointer: must outlive the task. */
void log_name_set(struct task *t, const char *name);
const char *log_name_get(struct task *t);

/* Where lines go, for the whole process: a descriptor of a file or pipe that
 * gets whole lines, or of a datagram socket of syslog's. */
enum log_sink { LOG_SINK_NONE, LOG_SINK_FILE, LOG_SINK_SYSLOG };
void log_open(struct task *t, enum log_sink sink, int fd, str host,
              int facility);

/* The number of syslog's facility of that name; LOG_MAIL's if there is
 * none. */
int log_facility(str name);

/* A datagram socket to the syslog daemon, for log_open; -1 if none runs. */
int log_syslog_socket(void);

/* Writes what is queued now; the world does it at each turn's end. */
void log_flush(struct world *w);

#endif
