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
#define TOOL(name) extern tool_fn tool_##name __attribute__((weak));
#include "role/tool/tools.def"
#undef TOOL

struct command {
    str name;
    tool_fn *fn;
};

#define TOOL(name) { S_INIT(#name), tool_##name },
static const struct command commands[] = {
#include "role/tool/tools.def"
    { S_INIT(""), NULL },
};
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

static int call_command(const struct command *c, int argc, char **argv)
{
    struct call call = {
        .command = c,
        .args = { argc, argv, getenv("MAIL_CONFIG"), getenv("NAME") },
        .status = 1,
    };

    if (!c->fn) {
        fprintf(stderr, "%s: fatal: this build does not have the command\n",
                argv[0]);
        return 1;
    }
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

static const struct {
    str word;
    int (*fn)(int argc, char **argv);
} words[] = {
    { S_INIT("--role"), start_role },
    { S_INIT("--master"), start_master },
    { S_INIT("--version"), show_version },
};

static int usage(const char *self)
{
    fprintf(stderr, "usage: %s COMMAND [ARGUMENTS]\n\ncommands:", self);
    for (const struct command *c = commands; c->name.n; c++)
        if (c->fn)
            fprintf(stderr, " %s", c->name.p);
    fprintf(stderr, "\n");
    return 1;
}

int main(int argc, char **argv)
{
    const struct command *c;
    str first;

    if (argc < 1)
        return 1;
    c = command_find(last_part(argv[0]));
    if (c)
        return call_command(c, argc, argv);
    if (argc < 2)
        return usage(argv[0]);
    first = str_from(argv[1]);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_eq(words[i].word, first))
            return words[i].fn(argc - 1, argv + 1);
    c = command_find(last_part(argv[1]));
    return c ? call_command(c, argc - 1, argv + 1) : usage(argv[0]);
}
