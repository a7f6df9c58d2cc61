/* SPDX-License-Identifier: ISC
 *
 * sendmail(1): the interface that programs have known since 4.2BSD.  By its
 * name or an option it is also mailq and newaliases.
 */
#include "role/tool/sendmail.h"

#include "role/tool/caller.h"

#include <sysexits.h>

/* -C names a directory, or main.cf in it. */
static const char *config_dir(struct task *t, struct sendmail *sm)
{
    str path = str_from(sm->config_dir);
    size_t slash = str_rchr(path, '/');
    struct file_stat st;

    if (!sm->config_dir)
        return NULL;
    if (file_stat_path(t, NULL, path, &st) || st.is_dir
        || slash == STR_NONE)
        return sm->config_dir;
    return arena_cstr(&sm->arena, str_head(path, slash ? slash : 1));
}

static int queue_command(struct task *t, struct sendmail *sm)
{
    const char mode[3] = { '-', sm->mode == SENDMAIL_LIST ? 'p' : sm->flush };
    const char *argv[] = { "postqueue", "-c",
                           arena_cstr(&sm->arena, conf_dir(sm->conf)), mode,
                           sm->flush_what, NULL };

    return caller_run(t, sm->conf, tool_postqueue, argv);
}

static int alias_command(struct task *t, struct sendmail *sm)
{
    const char *dir = arena_cstr(&sm->arena, conf_dir(sm->conf));
    const char *all[] = { "newaliases", NULL };
    const char *one[] = { "postalias", "-c", dir, "--", sm->alias_database,
                          NULL };

    return sm->alias_database
               ? caller_run(t, sm->conf, tool_postalias, one)
               : caller_run(t, sm->conf, sendmail_aliases, all);
}

static int start_command(struct task *t, struct sendmail *sm)
{
    const char *argv[] = { "postfix", "-c",
                           arena_cstr(&sm->arena, conf_dir(sm->conf)),
                           "start", NULL };

    return caller_run(t, sm->conf, tool_postfix, argv);
}

static int run(struct task *t, struct sendmail *sm)
{
    int status;

    if (!sendmail_options(sm, &status))
        return status;
    if (sm->mode == SENDMAIL_NOTHING)
        return EX_OK;
    if (tool_conf(t, &sm->arena, sm->args, config_dir(t, sm), &sm->conf))
        return EX_TEMPFAIL;
    switch (sm->mode) {
    case SENDMAIL_LIST:
    case SENDMAIL_FLUSH:
        return queue_command(t, sm);
    case SENDMAIL_ALIASES:
        return alias_command(t, sm);
    case SENDMAIL_DAEMON:
        return start_command(t, sm);
    case SENDMAIL_SERVER:
        return sendmail_serve(t, sm);
    default:
        return sendmail_enqueue(t, sm);
    }
}

static int start(struct task *t, const struct tool_args *args,
                 enum sendmail_mode mode)
{
    struct sendmail sm = { .args = args, .mode = mode };
    int status;

    arena_init(&sm.arena, 0);
    status = run(t, &sm);
    arena_reset(&sm.arena);
    return status;
}

int tool_sendmail(struct task *t, const struct tool_args *args)
{
    return start(t, args, SENDMAIL_MAIL);
}

int tool_newaliases(struct task *t, const struct tool_args *args)
{
    return start(t, args, SENDMAIL_ALIASES);
}

int tool_mailq(struct task *t, const struct tool_args *args)
{
    return start(t, args, SENDMAIL_LIST);
}
