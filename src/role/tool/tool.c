/* SPDX-License-Identifier: ISC
 *
 * What all commands share: messages, options, the configuration.
 */
#include "role/tool/tool.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { SELF_MAX = 4096, MESSAGE_MAX = 64 * 1024 };

static void message(const struct tool_args *args, const char *level,
                    const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void message(const struct tool_args *args, const char *level,
                    const char *fmt, va_list ap)
{
    struct buf line;

    buf_init(&line, NULL, MESSAGE_MAX);
    buf_vfmt(&line, fmt, ap);
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < ' ' || line.p[i] == 127)
            line.p[i] = '?'; /* nobody writes to the terminal through us */
    /* What was already put out comes first when both go to one terminal. */
    fflush(stdout);
    fprintf(stderr, "%s: %s: %.*s\n", args->argv[0], level,
            STR(buf_str(&line)));
    buf_free(&line);
}

void tool_fatal(const struct tool_args *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(args, "fatal", fmt, ap);
    va_end(ap);
}

void tool_warn(const struct tool_args *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(args, "warning", fmt, ap);
    va_end(ap);
}

const char *tool_reason(err e)
{
    switch (e) {
    case ERR_ABSENT:
        return "No such file or directory";
    case ERR_DENIED:
        return "Permission denied";
    case ERR_LIMIT:
        return "File too large";
    default:
        return "Input/output error";
    }
}

str tool_name(const struct tool_args *args)
{
    str path = str_from(args->argv[0]);
    size_t slash = str_rchr(path, '/');

    return slash == STR_NONE ? path : str_skip(path, slash + 1);
}

str tool_config_dir(const struct tool_args *args, const char *dir)
{
    if (dir)
        return str_from(dir);
    return args->config_dir ? str_from(args->config_dir) : TOOL_CONFIG_DIR;
}

/* A value that a command asks for and cannot use ends it, as a line that
 * cannot be read does; one that only others use is theirs to refuse. */
static void end_at(const void *args, const struct conf_finding *f)
{
    struct arena a;

    arena_init(&a, 0);
    tool_fatal(args, "%.*s", STR(conf_finding_text(&a, f)));
    fflush(NULL);
    _exit(str_eq(tool_name(args), S("sendmail")) ? EX_TEMPFAIL : 1);
}

err tool_conf_find(struct task *t, struct arena *a,
                   const struct tool_args *args, const char *dir,
                   struct conf_findings *findings, struct conf **out)
{
    struct conf_load load = {
        .dir = tool_config_dir(args, dir),
        .process_name = arena_cstr(a, tool_name(args)),
        .keep_going = true,
        .on_bad = end_at,
        .on_bad_self = args,
    };

    *out = NULL;
    return conf_load(t, a, &load, findings, out);
}

/* Values are for who asks for them, unless there is nothing to ask. */
static bool concerns(const struct conf_finding *f, const struct conf *c)
{
    return !(c && f->about_value) && !(f->about_name && !f->fatal);
}

err tool_conf(struct task *t, struct arena *a, const struct tool_args *args,
              const char *dir, struct conf **out)
{
    struct conf_findings findings = { 0 };
    struct conf *c;
    bool usable = true;
    err e = tool_conf_find(t, a, args, dir, &findings, &c);

    for (size_t i = 0; i < findings.list.n; i++) {
        const struct conf_finding *f = &findings.list.p[i];
        str text = conf_finding_text(a, f);
        if (!concerns(f, c))
            continue;
        usable &= !f->fatal;
        if (f->fatal)
            tool_fatal(args, "%.*s", STR(text));
        else
            tool_warn(args, "%.*s", STR(text));
    }
    if (e && e != ERR_SYNTAX)
        tool_fatal(args, "%s", task_why(t));
    if (!c || !usable)
        return e;
    *out = c;
    return OK;
}

struct tool_options tool_options_of(const struct tool_args *args,
                                    const char *letters)
{
    return (struct tool_options){ .args = args, .letters = letters, .at = 1 };
}

static int complain(const struct tool_options *o, const char *what, char c)
{
    fprintf(stderr, "%s: %s -- '%c'\n", o->args->argv[0], what, c);
    return '?';
}

int tool_option(struct tool_options *o)
{
    str arg = o->at < o->args->argc
        ? str_from(o->args->argv[o->at]) : S("");
    size_t place;
    char c;

    o->value = NULL;
    if (o->in == 0) {
        if (arg.n < 2 || arg.p[0] != '-')
            return 0;
        o->in = 1;
        if (str_eq(arg, S("--"))) {
            o->at++;
            o->in = 0;
            return 0;
        }
    }
    c = arg.p[o->in++];
    place = c == ':' ? STR_NONE : str_chr(str_from(o->letters), c);
    if (place != STR_NONE && o->letters[place + 1] == ':') {
        o->at++;
        if (o->in < arg.n)
            o->value = arg.p + o->in;
        else if (o->at < o->args->argc)
            o->value = o->args->argv[o->at++];
        o->in = 0;
        return o->value
            ? c : complain(o, "option requires an argument", c);
    }
    if (o->in == arg.n) {
        o->at++;
        o->in = 0;
    }
    return place == STR_NONE ? complain(o, "invalid option", c) : c;
}

const char *tool_self(struct arena *a)
{
    char path[SELF_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    return n > 0 ? arena_cstr(a, str_of(path, (size_t)n)) : "veredus";
}
