/* SPDX-License-Identifier: ISC
 *
 * The caller, by their user id.
 */
#include "role/tool/caller.h"

#include "table/table.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 64 };

extern char **environ;

str caller_name(struct arena *a)
{
    const struct passwd *pw = getpwuid(getuid());

    return pw ? arena_str(a, str_from(pw->pw_name)) : S("");
}

/* The first field of the comment; '&' stands for the login name. */
str caller_full_name(struct arena *a)
{
    const struct passwd *pw = getpwuid(getuid());
    struct buf b;
    str gecos, login;

    if (!pw)
        return S("");
    gecos = str_from(pw->pw_gecos);
    gecos = str_head(gecos, str_any(gecos, S(",;")));
    login = str_from(pw->pw_name);
    buf_init(&b, a, 4096);
    for (size_t i = 0; i < gecos.n; i++) {
        if (gecos.p[i] != '&' || login.n == 0) {
            buf_byte(&b, gecos.p[i]);
            continue;
        }
        buf_byte(&b, upper(login.p[0]));
        buf_add(&b, str_skip(login, 1));
    }
    return str_trim(buf_str(&b));
}

err caller_allowed(struct task *t, const struct conf *c, enum param list)
{
    struct match_list *l;
    struct tables *ts;
    struct arena a;
    str name;
    err e;

    if (getuid() == 0)
        return OK;
    arena_init(&a, 0);
    name = caller_name(&a);
    if (str_empty(name))
        name = S("unknown");
    ts = tables_new(&a, c, table_opener_files());
    e = match_list_open(t, ts, &a, conf_param(list)->name, conf_str(c, list),
                        MATCH_STRING, false, &l);
    if (!e)
        e = match_list_find(t, l, name, S(""));
    arena_reset(&a);
    return e == ERR_ABSENT ? ERR_DENIED : e;
}

static bool lists_dir(const struct conf *c, enum param p, str dir)
{
    struct conf_items list = conf_items(c, p);

    for (size_t i = 0; i < list.n; i++)
        if (str_eq(list.p[i], dir))
            return true;
    return false;
}

err caller_conf(struct task *t, struct arena *a, const struct tool_args *args,
                const char *dir, struct conf **out)
{
    str wanted = tool_config_dir(args, dir);
    struct tool_args plain = *args;
    struct conf *c;

    if (getgid() != getegid() && getuid() != 0
        && !str_eq(wanted, TOOL_CONFIG_DIR)) {
        plain.config_dir = NULL;
        TRY(tool_conf(t, a, &plain, NULL, &c));
        if (!lists_dir(c, P_alternate_config_directories, wanted)
            && !lists_dir(c, P_multi_instance_directories, wanted)) {
            tool_fatal(args, "unauthorized configuration directory name: "
                       "%.*s", STR(wanted));
            tool_fatal(args, "specify \"alternate_config_directories = "
                       "%.*s\" in %.*s/main.cf", STR(wanted),
                       STR(TOOL_CONFIG_DIR));
            return ERR_DENIED;
        }
    }
    return tool_conf(t, a, args, dir, out);
}

bool caller_owns_queue(struct task *t, const struct conf *c)
{
    struct file_stat st;

    if (geteuid() == 0)
        return true;
    return !file_stat_path(t, NULL, conf_str(c, P_queue_directory), &st)
           && st.uid == geteuid();
}

static bool is_helper(struct task *t, str path)
{
    struct file_stat st;

    return !file_stat_path(t, NULL, path, &st) && st.is_regular
           && (st.mode & S_ISGID) && st.gid != getegid();
}

/* The path of a command of ours that may more than we, or NULL.  It is looked
 * for where this program was installed: what lies in $command_directory may be
 * another mail system's, which would put the mail into a queue of its own. */
static const char *helper(struct task *t, const char *name, struct arena *a)
{
    str self = str_from(tool_self(a)), dir;
    size_t slash = str_rchr(self, '/');
    str path;

    if (geteuid() == 0 || slash == STR_NONE)
        return NULL;
    dir = str_head(self, slash);
    path = arena_fmt(a, "%.*s/%s", STR(dir), name);
    if (!is_helper(t, path))
        path = arena_fmt(a, "%.*s/../sbin/%s", STR(dir), name);
    return is_helper(t, path) ? arena_cstr(a, path) : NULL;
}

static int run_helper(struct task *t, const char *path,
                      const char *const *argv, int stdin_fd)
{
    const char *args[ARGS_MAX + 1] = { path };
    int fds[3] = { stdin_fd < 0 ? 0 : stdin_fd, 1, 2 };
    struct process_plan plan = { .argv = args,
                                 .env = (const char *const *)environ,
                                 .fds = fds, .n_fds = 3 };
    struct process p;
    int status = 0;

    for (int i = 1; i < ARGS_MAX && argv[i]; i++)
        args[i] = argv[i];
    if (process_start(t, &plan, &p) || process_wait(t, &p, NEVER, &status)) {
        fprintf(stderr, "%s: fatal: %s\n", argv[0], task_why(t));
        return 75;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 75;
}

int caller_helper(struct task *t, const char *const *argv, int stdin_fd)
{
    struct arena a;
    const char *path;
    int status = -1;

    arena_init(&a, 0);
    path = helper(t, argv[0], &a);
    if (path)
        status = run_helper(t, path, argv, stdin_fd);
    arena_reset(&a);
    return status;
}

int caller_run(struct task *t, const struct conf *c, tool_fn *fn,
               const char *const *argv)
{
    char *args[ARGS_MAX + 1] = { NULL };
    struct tool_args call = { .argv = args };
    struct arena a;
    int status = caller_helper(t, argv, -1);

    if (status >= 0)
        return status;
    arena_init(&a, 0);
    for (; call.argc < ARGS_MAX && argv[call.argc]; call.argc++)
        args[call.argc] = arena_cstr(&a, str_from(argv[call.argc]));
    call.config_dir = arena_cstr(&a, conf_dir(c));
    status = fn(t, &call);
    arena_reset(&a);
    return status;
}
