/* SPDX-License-Identifier: ISC
 *
 * postmulti(1), as far as one instance needs it: instances are listed, and
 * a command is run for the one there is.  Managing more is refused.
 */
#include "role/tool/caller.h"

#include <sys/wait.h>

enum { ARGS_MAX = 64 };

extern char **environ;

struct postmulti {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    char mode;              /* 'l', 'p', 'x', 0 */
    const char *name;
};

static int fatal(struct postmulti *pm, const char *text)
{
    tool_fatal(pm->args, "%s", text);
    return 1;
}

static str instance_name(const struct postmulti *pm)
{
    str name = conf_str(pm->conf, P_multi_instance_name);

    return str_empty(name) ? S("-") : name;
}

/* Whether -i means this instance. */
static bool chosen(const struct postmulti *pm)
{
    str name = str_from(pm->name);

    return !pm->name || str_eq(name, S("-"))
           || str_eq(name, instance_name(pm))
           || str_eq(name, conf_dir(pm->conf));
}

static void put_line(const struct postmulti *pm)
{
    str name = instance_name(pm);
    str group = conf_str(pm->conf, P_multi_instance_group);
    str dir = conf_dir(pm->conf);
    bool enabled = conf_bool(pm->conf, P_multi_instance_enable)
                   || str_empty(conf_str(pm->conf,
                                         P_multi_instance_directories));

    if (str_empty(group))
        group = S("-");
    printf("%-15.*s %-15.*s %-9s %.*s\n", STR(name), STR(group),
           enabled ? "y" : "n", STR(dir));
}

static int run_postfix(struct task *t, struct postmulti *pm, int at)
{
    const char *argv[ARGS_MAX] = {
        "postfix", "-c", arena_cstr(&pm->arena, conf_dir(pm->conf)),
    };
    int n = 3;

    for (; at < pm->args->argc && n < ARGS_MAX - 1; at++)
        argv[n++] = pm->args->argv[at];
    return caller_run(t, pm->conf, tool_postfix, argv);
}

static int run_unix(struct task *t, struct postmulti *pm, int at)
{
    const char *argv[ARGS_MAX] = {
        "/usr/bin/env",
        arena_fmt(&pm->arena, "MAIL_CONFIG=%.*s",
                  STR(conf_dir(pm->conf))).p,
    };
    struct process p;
    struct process_plan plan = { .argv = argv, .fds = (int[]){ 0, 1, 2 },
                                 .env = (const char *const *)environ,
                                 .n_fds = 3 };
    int n = 2, status = 0;

    for (; at < pm->args->argc && n < ARGS_MAX - 1; at++)
        argv[n++] = pm->args->argv[at];
    if (process_start(t, &plan, &p) || process_wait(t, &p, NEVER, &status))
        return fatal(pm, task_why(t));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(struct task *t, struct postmulti *pm)
{
    struct tool_options o = tool_options_of(pm->args, "ae:g:G:i:I:lpRvx");
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(pm->args, "postmulti", 1);
        if (letter == 'e' || letter == 'G' || letter == 'I')
            return fatal(pm, "managing several instances is not available "
                         "here: start each with postfix -c config_dir");
        if (letter == 'l' || letter == 'p' || letter == 'x')
            pm->mode = pm->mode ? '?' : (char)letter;
        if (letter == 'i')
            pm->name = o.value;
    }
    if (!pm->mode || pm->mode == '?'
        || (pm->mode == 'l') != (o.at == pm->args->argc))
        return tool_usage(pm->args, "postmulti", 1);
    if (tool_conf(t, &pm->arena, pm->args, NULL, &pm->conf))
        return 1;
    if (!str_empty(conf_str(pm->conf, P_multi_instance_directories)))
        return fatal(pm, "multi_instance_directories is set: several "
                     "instances are not available here");
    if (!chosen(pm))
        return fatal(pm, "No matching instances");
    if (pm->mode == 'p')
        return run_postfix(t, pm, o.at);
    if (pm->mode == 'x')
        return run_unix(t, pm, o.at);
    put_line(pm);
    return 0;
}

int tool_postmulti(struct task *t, const struct tool_args *args)
{
    struct postmulti pm = { .args = args };
    int status;

    arena_init(&pm.arena, 0);
    status = run(t, &pm);
    arena_reset(&pm.arena);
    return status;
}
