/* SPDX-License-Identifier: ISC
 *
 * The synopses of tools.def, as a complaint and as an answer to --help.
 */
#include "role/tool/tool.h"

#include <stdio.h>

static const struct {
    str name;
    const char *synopsis, *help;
} tools[] = {
#define TOOL(name, synopsis, help) { S_INIT(#name), synopsis, help },
#define OWN TOOL
#include "role/tool/tools.def"
#undef OWN
#undef TOOL
};

enum { N_TOOLS = sizeof(tools) / sizeof(*tools) };

/* Callers give names of tools.def, or paths that end with one. */
static size_t tool_of(str name)
{
    size_t slash = str_rchr(name, '/'), i = 0;

    if (slash != STR_NONE)
        name = str_skip(name, slash + 1);
    while (i < N_TOOLS && !str_eq(tools[i].name, name))
        i++;
    return i;
}

const char *tool_synopsis(str name)
{
    size_t i = tool_of(name);

    return i < N_TOOLS ? tools[i].synopsis : "[options]";
}

int tool_usage(const struct tool_args *args, const char *shown, int status)
{
    tool_fatal(args, "usage: %s %s", shown, tool_synopsis(str_from(shown)));
    return status;
}

bool tool_help(str name)
{
    size_t i = tool_of(name);

    if (i == N_TOOLS || !*tools[i].synopsis)
        return false;
    printf("usage: %s %s\n\n%s: %s.\n", tools[i].name.p, tools[i].synopsis,
           tools[i].name.p, tools[i].help);
    return true;
}

bool tool_help_asked(const struct tool_args *args)
{
    int at = 1;

    while (at + 2 < args->argc
           && str_eq(str_from(args->argv[at]), S("-c")))
        at += 2;
    return at < args->argc
           && str_eq(str_from(args->argv[at]), S("--help"));
}
