/* SPDX-License-Identifier: ISC
 *
 * postfix(1): the control program.
 */
#include "role/tool/postfix.h"

#include "role/events.h"
#include "role/tool/caller.h"
#include "role/tool/tool_log.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_ROOM = 2048 };

void postfix_say(struct task *t, enum postfix_level level, const char *fmt,
                 ...)
{
    static const char *const prefixes[] = { "", "warning: ", "fatal: " };
    char line[LINE_ROOM];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fflush(stdout);
    fprintf(stderr, "postfix/postfix-script: %s%s\n", prefixes[level], line);
    if (level == POSTFIX_INFO)
        say(t, role_text, line);
    else if (level == POSTFIX_WARN)
        say(t, role_warn, line);
    else
        say(t, role_fatal, line);
}

static int upgrade(struct task *t, struct postfix *p)
{
    (void)t, (void)p; /* every configuration of the past is understood */
    return 0;
}

static int version(struct task *t, struct postfix *p)
{
    (void)t, (void)p;
    printf("Veredus %s\n", VEREDUS_VERSION);
    return 0;
}

static const struct {
    str name;
    int (*fn)(struct task *t, struct postfix *p);
} commands[] = {
    { S_INIT("start"), postfix_start },
    { S_INIT("start-fg"), postfix_start_fg },
    { S_INIT("stop"), postfix_stop },
    { S_INIT("quick-stop"), postfix_stop },
    { S_INIT("abort"), postfix_abort },
    { S_INIT("reload"), postfix_reload },
    { S_INIT("flush"), postfix_flush },
    { S_INIT("check"), postfix_check },
    { S_INIT("status"), postfix_status },
    { S_INIT("set-permissions"), postfix_set_permissions },
    { S_INIT("upgrade-configuration"), upgrade },
    { S_INIT("logrotate"), postfix_logrotate },
    { S_INIT("version"), version },
};

static int dispatch(struct task *t, struct postfix *p)
{
    str name = str_from(p->command);

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_eq(name, commands[i].name))
            return commands[i].fn(t, p);
    if (str_eq(name, S("tls"))) {
        postfix_say(t, POSTFIX_FATAL, "'postfix tls' is not available here: "
                    "set smtpd_tls_chain_files, or see veredus-init(1)");
        return 1;
    }
    postfix_say(t, POSTFIX_FATAL, "unknown command: '%s'. Usage: postfix "
                "start (or stop, reload, abort, flush, check, status, "
                "set-permissions, upgrade-configuration, logrotate)",
                p->command);
    return 1;
}

/* In plain mode an ordinary user runs a system of their own. */
static bool may(struct task *t, struct postfix *p)
{
    struct file_stat st;
    str dir = conf_dir(p->conf);

    if (caller_owns_queue(t, p->conf)
        || (!file_stat_path(t, NULL, dir, &st) && st.uid == geteuid()))
        return true;
    tool_fatal(p->args, "to submit mail, use the Postfix sendmail command");
    tool_fatal(p->args, "the postfix command is reserved for the superuser");
    return false;
}

/* Those that examine the configuration say themselves what is wrong. */
static bool read_configuration(struct task *t, struct postfix *p)
{
    static const str examining[] = { S_INIT("check"), S_INIT("start"),
                                     S_INIT("start-fg"), S_INIT("reload") };
    struct conf_findings findings = { 0 };
    str command = str_from(p->command);

    for (size_t i = 0; i < sizeof(examining) / sizeof(*examining); i++)
        if (str_eq(command, examining[i])
            && (!tool_conf_find(t, &p->arena, p->args, p->dir, &findings,
                                &p->conf) || p->conf))
            return true;
    return !tool_conf(t, &p->arena, p->args, p->dir, &p->conf);
}

static int run(struct task *t, struct postfix *p)
{
    struct tool_options o = tool_options_of(p->args, "c:Dv");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(p->args, "postfix", 1);
        if (letter == 'c')
            dir = o.value;
        p->debug |= letter == 'D';
    }
    p->command = o.at < p->args->argc ? p->args->argv[o.at] : "";
    p->operands = p->args->argv + o.at + 1;
    p->n_operands = p->args->argc - o.at - 1;
    p->dir = arena_cstr(&p->arena, tool_config_dir(p->args, dir));
    if (!read_configuration(t, p) || !may(t, p))
        return 1;
    tool_log_open(t, p->conf, &p->arena, S("postfix-script"));
    return dispatch(t, p);
}

int tool_postfix(struct task *t, const struct tool_args *args)
{
    struct postfix p = { .args = args };
    int status;

    arena_init(&p.arena, 0);
    status = run(t, &p);
    arena_reset(&p.arena);
    return status;
}
