/* SPDX-License-Identifier: ISC
 *
 * One binary, many names.  Called by a command's classic name (postconf,
 * mailq ...) it is that command; called as veredus, its first argument names
 * the command.  `veredus --role NAME` is how master starts a role.
 *
 * The only place that reads the environment and the process' arguments.
 */
#include "role/start.h"
#include "role/tool/tool.h"

#include <stdio.h>
#include <unistd.h>

/* Commands that this build does not have are NULL here. */
#define TOOL(name, ...) extern tool_fn tool_##name __attribute__((weak));
#define OWN TOOL
#include "role/tool/tools.def"
#undef OWN
#undef TOOL

struct command {
    str name;
    bool own;           /* no classic name: an argument of veredus only */
    const char *help;
    tool_fn *fn;
};

#define TOOL(name, _, help) { S_INIT(#name), false, help, tool_##name },
#define OWN(name, _, help) { S_INIT(#name), true, help, tool_##name },
static const struct command commands[] = {
#include "role/tool/tools.def"
    { S_INIT(""), false, NULL, NULL },
};
#undef OWN
#undef TOOL

/* posttls-finger is tool_posttls_finger. */
static bool name_is(str name, str identifier)
{
    if (name.n != identifier.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((name.p[i] == '-' ? '_' : name.p[i]) != identifier.p[i])
            return false;
    return true;
}

static const struct command *command_find(str name)
{
    for (const struct command *c = commands; c->name.n; c++)
        if (name_is(name, c->name))
            return c;
    return NULL;
}

/* Called with more rights than the caller has: argv[0] is the caller's choice,
 * so it may only choose among what is made for that. */
static bool may_have_rights(const struct command *c)
{
    return str_eq(c->name, S("postdrop")) || str_eq(c->name, S("postqueue"));
}

static bool has_rights(void)
{
    return getegid() != getgid() || geteuid() != getuid();
}

struct call {
    const struct command *command;
    struct tool_args args;
    int status;
};

static err run_command(struct task *t, void *arg)
{
    struct call *call = arg;

    call->status = call->command->fn(t, &call->args);
    return OK;
}

/* "veredus user": how a command of our own calls itself. */
static char *own_name(const struct command *c, char *room, size_t size)
{
    snprintf(room, size, "veredus %s", c->name.p);
    return room;
}

static int call_command(const struct command *c, int argc, char **argv)
{
    char name[64];
    struct call call = {
        .command = c,
        .args = { argc, argv, getenv("MAIL_CONFIG"), getenv("NAME") },
        .status = 1,
    };

    if (c->own)
        argv[0] = own_name(c, name, sizeof(name));
    if (!c->fn) {
        fprintf(stderr, "%s: fatal: this build does not have the command\n",
                argv[0]);
        return 1;
    }
    if (tool_help_asked(&call.args) && tool_help(c->name))
        return 0;
    if (world_run(c->name.p, run_command, &call))
        return 1;
    return call.status;
}

static str last_part(const char *path)
{
    str s = str_from(path);
    size_t slash = str_rchr(s, '/');

    return slash == STR_NONE ? s : str_skip(s, slash + 1);
}

/* What `veredus` itself understands. */
static int start_role(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    return role_start(str_from(argv[1]));
}

/* --master [CONFIG_DIR [READY_FD]] */
static int start_master(int argc, char **argv)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    uint64_t fd;
    struct master_options o = {
        .config_dir = argc > 1 ? argv[1] : getenv("MAIL_CONFIG"),
        .self = self,
        .program = process_self(),
        .ready_fd = argc > 2 && str_uint(str_from(argv[2]), 1024, &fd)
                        ? (int)fd : -1,
    };

    if (n <= 0)
        return 1;
    self[n] = 0;
    if (!o.config_dir)
        o.config_dir = "/etc/postfix";
    return master_start(&o);
}

static int show_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("Veredus %s\n", VEREDUS_VERSION);
    return 0;
}

static void put_commands(FILE *to, bool own)
{
    for (const struct command *c = commands; c->name.n; c++)
        if (c->fn && c->own == own)
            fprintf(to, "  %-12s %s\n", c->name.p, c->help);
}

static void put_help(FILE *to)
{
    fprintf(to, "usage: veredus COMMAND [ARGUMENTS]\n\n"
            "commands of its own (veredus COMMAND --help tells more):\n");
    put_commands(to, true);
    fprintf(to, "\nclassic commands, also called by their names:\n");
    put_commands(to, false);
}

/* help [COMMAND] */
static int show_help(int argc, char **argv)
{
    char help[] = "--help", *words[] = { NULL, help, NULL };
    const struct command *c = argc > 1 ? command_find(str_from(argv[1]))
                                       : NULL;

    if (c)
        return call_command(c, 2, words);
    if (argc > 1) {
        fprintf(stderr, "veredus: fatal: unknown command: %s\n", argv[1]);
        return 2;
    }
    put_help(stdout);
    return 0;
}

static const struct {
    str word;
    int (*fn)(int argc, char **argv);
} words[] = {
    { S_INIT("--role"), start_role },
    { S_INIT("--master"), start_master },
    { S_INIT("--version"), show_version },
    { S_INIT("--help"), show_help },
    { S_INIT("-h"), show_help },
    { S_INIT("help"), show_help },
};

int main(int argc, char **argv)
{
    const struct command *c;
    str first;

    if (argc < 1)
        return 1;
    c = command_find(last_part(argv[0]));
    if (has_rights() && (!c || !may_have_rights(c))) {
        fprintf(stderr, "veredus: fatal: only postdrop and postqueue may be "
                "set-group-id\n");
        return 1;
    }
    if (c && !c->own)
        return call_command(c, argc, argv);
    if (argc < 2) {
        put_help(stderr);
        return 2;
    }
    first = str_from(argv[1]);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_eq(words[i].word, first))
            return words[i].fn(argc - 1, argv + 1);
    c = command_find(last_part(argv[1]));
    if (c)
        return call_command(c, argc - 1, argv + 1);
    fprintf(stderr, "veredus: fatal: unknown command: %s (veredus help "
            "lists them)\n", argv[1]);
    return 2;
}
