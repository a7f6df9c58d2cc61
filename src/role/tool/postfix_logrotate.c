/* SPDX-License-Identifier: ISC
 *
 * postfix logrotate: gives the log file a name with the time in it, has a new
 * one opened, and compresses the old.
 */
#include "role/tool/postfix.h"

#include "mail/date.h"
#include "role/tool/running.h"

#include <signal.h>
#include <sys/wait.h>

enum { SUFFIX_MAX = 256, SETTLE_MS = 1000, COMPRESS_S = 3600 };

extern char **environ;

/* maillog_file_rotate_suffix: the conversions of strftime(3) that name a
 * moment in digits. */
static bool suffix_make(str format, const struct date *d, struct buf *to)
{
    for (size_t i = 0; i < format.n; i++) {
        char c = format.p[i];
        if (c != '%') {
            buf_byte(to, c);
            continue;
        }
        c = ++i < format.n ? format.p[i] : 0;
        switch (c) {
        case 'Y': buf_fmt(to, "%04d", d->year); break;
        case 'y': buf_fmt(to, "%02d", d->year % 100); break;
        case 'm': buf_fmt(to, "%02d", d->month); break;
        case 'd': buf_fmt(to, "%02d", d->day); break;
        case 'H': buf_fmt(to, "%02d", d->hour); break;
        case 'M': buf_fmt(to, "%02d", d->minute); break;
        case 'S': buf_fmt(to, "%02d", d->second); break;
        case '%': buf_byte(to, '%'); break;
        default: return false;
        }
    }
    return !to->over && str_chr(buf_str(to), '/') == STR_NONE;
}

static bool prefix_allowed(const struct conf *c, str path)
{
    struct conf_items list = conf_items(c, P_maillog_file_prefixes);

    for (size_t i = 0; i < list.n; i++)
        if (str_starts(path, list.p[i]))
            return true;
    return false;
}

static int fatal(struct task *t, const char *text)
{
    postfix_say(t, POSTFIX_FATAL, "%s", text);
    return 1;
}

static int compress(struct task *t, struct postfix *p, str path)
{
    str words = conf_str(p->conf, P_maillog_file_compressor);
    struct conf_items list = conf_split(&p->arena, words);
    const char **argv = arena_array(&p->arena, const char *, list.n + 4);
    struct process process;
    struct process_plan plan = { .argv = argv, .fds = (int[]){ 0, 1, 2 },
                                 .env = (const char *const *)environ,
                                 .n_fds = 3 };
    int status = 0;
    size_t n = 0;

    if (list.n == 0)
        return 0;
    argv[n++] = "/usr/bin/env"; /* looks for it in PATH */
    for (size_t i = 0; i < list.n; i++)
        argv[n++] = arena_cstr(&p->arena, list.p[i]);
    argv[n++] = arena_cstr(&p->arena, path);
    if (process_start(t, &plan, &process)
        || process_wait(t, &process, after_s(t, COMPRESS_S), &status))
        return fatal(t, task_why(t));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int postfix_logrotate(struct task *t, struct postfix *p)
{
    str path = conf_str(p->conf, P_maillog_file), rotated;
    int64_t now = rt_wall(t);
    struct date d = date_of(now, world_zone_s(t, now));
    int pid = running_pid(t, p->conf);
    struct buf suffix;

    if (str_empty(path))
        return fatal(t, "no 'maillog_file' setting: nothing to rotate");
    if (str_starts(path, S("/dev/")))
        return fatal(t, "will not rotate a file under /dev");
    if (!prefix_allowed(p->conf, path))
        return fatal(t, "maillog_file is outside maillog_file_prefixes");
    buf_init(&suffix, &p->arena, SUFFIX_MAX);
    if (!suffix_make(conf_raw(p->conf, P_maillog_file_rotate_suffix), &d,
                     &suffix))
        return fatal(t, "maillog_file_rotate_suffix: cannot be used");
    rotated = arena_fmt(&p->arena, "%.*s.%.*s", STR(path),
                        STR(buf_str(&suffix)));
    if (file_rename(t, NULL, path, NULL, rotated))
        return fatal(t, task_why(t));
    if (pid) {
        if (running_signal(t, pid, SIGHUP, false)) /* opens a new one */
            return fatal(t, task_why(t));
        if (task_sleep(t, after_ms(t, SETTLE_MS)))
            return 1;
    }
    return compress(t, p, rotated);
}
