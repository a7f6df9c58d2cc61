/* SPDX-License-Identifier: ISC
 *
 * postlog(1): lines of scripts in the mail log.
 */
#include "role/tool/tool.h"

#include "role/tool/tool_log.h"

#include "rt/log.h"

#include <stdio.h>
#include <unistd.h>

EVENT_DECLARE(postlog_info, INFO, "%.*s")
EVENT_DECLARE(postlog_warn, WARNING, "%.*s")
EVENT_DECLARE(postlog_error, ERROR, "%.*s")
EVENT_DECLARE(postlog_fatal, FATAL, "%.*s")
EVENT_DECLARE(postlog_panic, PANIC, "%.*s")

enum { LINE_ROOM = 64 * 1024, PAUSE_MS = 1000 };

struct postlog {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    enum log_level level;
    str tag;
};

static bool level_of(str name, enum log_level *out)
{
    static const struct { str name; enum log_level level; } levels[] = {
        { S_INIT("info"), LOG_LEVEL_INFO },
        { S_INIT("warn"), LOG_LEVEL_WARNING },
        { S_INIT("warning"), LOG_LEVEL_WARNING },
        { S_INIT("error"), LOG_LEVEL_ERROR },
        { S_INIT("fatal"), LOG_LEVEL_FATAL },
        { S_INIT("panic"), LOG_LEVEL_PANIC },
    };

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        if (str_ieq(name, levels[i].name)) {
            *out = levels[i].level;
            return true;
        }
    return false;
}

static void put(struct task *t, struct postlog *pl, str line)
{
    static const char *const prefixes[] = { "", "warning: ", "error: ",
                                            "fatal: ", "panic: " };

    if (isatty(2))
        fprintf(stderr, "%.*s: %s%.*s\n", STR(pl->tag), prefixes[pl->level],
                STR(line));
    switch (pl->level) {
    case LOG_LEVEL_INFO: say(t, postlog_info, STR(line)); break;
    case LOG_LEVEL_WARNING: say(t, postlog_warn, STR(line)); break;
    case LOG_LEVEL_ERROR: say(t, postlog_error, STR(line)); break;
    case LOG_LEVEL_FATAL: say(t, postlog_fatal, STR(line)); break;
    case LOG_LEVEL_PANIC: say(t, postlog_panic, STR(line)); break;
    }
}

static void put_arguments(struct task *t, struct postlog *pl, int at)
{
    struct buf line;

    buf_init(&line, &pl->arena, LINE_ROOM);
    for (int i = at; i < pl->args->argc; i++) {
        if (i > at)
            buf_byte(&line, ' ');
        buf_add(&line, str_from(pl->args->argv[i]));
    }
    put(t, pl, buf_str(&line));
}

static void put_input(struct task *t, struct postlog *pl)
{
    struct buf line;
    int c;

    buf_init(&line, &pl->arena, LINE_ROOM);
    do {
        c = getc_unlocked(stdin);
        if (c != '\n' && c != EOF) {
            buf_byte(&line, (char)c);
            continue;
        }
        if (c == '\n' || line.n > 0)
            put(t, pl, buf_str(&line));
        buf_clear(&line);
        line.over = false;
    } while (c != EOF);
}

static int run(struct task *t, struct postlog *pl)
{
    struct tool_options o = tool_options_of(pl->args, "c:ip:t:v");
    const char *dir = NULL, *tag = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(pl->args, "postlog", 1);
        if (letter == 'c') {
            dir = o.value;
        } else if (letter == 't') {
            tag = o.value;
        } else if (letter == 'p'
                   && !level_of(str_from(o.value), &pl->level)) {
            tool_fatal(pl->args, "unknown log level: %s", o.value);
            return 1;
        }
    }
    if (tool_conf(t, &pl->arena, pl->args, dir, &pl->conf))
        return 1;
    pl->tag = tag ? str_from(tag)
                  : arena_fmt(&pl->arena, "%.*s/postlog",
                              STR(conf_str(pl->conf, P_syslog_name)));
    tool_log_open_tag(t, pl->conf, &pl->arena, pl->tag);
    if (o.at < pl->args->argc)
        put_arguments(t, pl, o.at);
    else
        put_input(t, pl);
    if (pl->level >= LOG_LEVEL_FATAL) /* a loop in a script stays slow */
        err_ignore(task_sleep(t, after_ms(t, PAUSE_MS)));
    return 0;
}

int tool_postlog(struct task *t, const struct tool_args *args)
{
    struct postlog pl = { .args = args };
    int status;

    arena_init(&pl.arena, 0);
    status = run(t, &pl);
    arena_reset(&pl.arena);
    return status;
}
