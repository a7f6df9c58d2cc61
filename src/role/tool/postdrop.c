/* SPDX-License-Identifier: ISC
 *
 * postdrop(1): puts a message into maildrop.  It is installed set-group-id,
 * so that anybody can drop mail there and nobody can read what others
 * dropped; standard input is not trusted.  When the system runs, the message
 * is handed over at once.
 */
#include "role/tool/caller.h"
#include "role/tool/drop.h"
#include "role/tool/queue_talk.h"
#include "role/tool/submit.h"

#include <sysexits.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

struct postdrop {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    struct buf file;
};

static int fatal(struct postdrop *pd, const char *what)
{
    tool_fatal(pd->args, "uid=%ld: %s", (long)getuid(), what);
    return 1;
}

/* No more than what may be taken: the rest would be the caller's memory, and
 * then our disk. */
static bool read_input(struct postdrop *pd)
{
    uint64_t limit = (uint64_t)conf_int(pd->conf, P_message_size_limit);
    uint64_t max = limit + DROP_ENVELOPE_MAX + DROP_HEAD + DROP_TAIL;
    size_t n;

    do {
        char *room = buf_room(&pd->file, READ_SIZE);
        if (!room || (limit > 0 && pd->file.n > max)) {
            pd->file.over = true;
            return true;
        }
        n = fread(room, 1, READ_SIZE, stdin);
        pd->file.n += n;
    } while (n > 0);
    return !ferror(stdin);
}

static bool text_fits(struct postdrop *pd, str text)
{
    uint64_t limit = (uint64_t)conf_int(pd->conf, P_message_size_limit);

    return limit == 0 || text.n <= limit;
}

/* Tries to hand it over.  Until that is known its file is hidden: pickup would
 * submit it too. */
static bool handed_over(struct task *t, struct postdrop *pd,
                        const struct envelope *env, str text)
{
    struct submit_mail m = { .envelope = env, .text = text };
    struct submit_result r;

    submit(t, pd->conf, &m, &pd->arena, &r);
    return r.outcome == SUBMIT_TAKEN && r.refused.n == 0;
}

static int not_queued(struct task *t, struct postdrop *pd)
{
    tool_warn(pd->args, "maildrop: %s", task_why(t));
    return fatal(pd, "the message could not be queued");
}

static int drop(struct task *t, struct postdrop *pd)
{
    struct envelope env;
    str name, text;

    if (!read_input(pd))
        return fatal(pd, "error reading input");
    if (pd->file.over)
        return fatal(pd, "message file too big");
    if (drop_unpack(buf_str(&pd->file), &pd->arena, &env, &text)
        || env.recipients.n == 0)
        return fatal(pd, "malformed input");
    if (!text_fits(pd, text))
        return fatal(pd, "message file too big");
    if (drop_hide(t, pd->conf, buf_str(&pd->file), &pd->arena, &name))
        return not_queued(t, pd);
    if (handed_over(t, pd, &env, text))
        drop_forget(t, pd->conf, name);
    else if (drop_show(t, pd->conf, name))
        return not_queued(t, pd);
    return EX_OK;
}

static int run(struct task *t, struct postdrop *pd)
{
    struct tool_options o = tool_options_of(pd->args, "c:rv");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(pd->args, "postdrop", 1);
        if (letter == 'c')
            dir = o.value;
    }
    if (caller_conf(t, &pd->arena, pd->args, dir, &pd->conf))
        return 1;
    if (caller_allowed(t, pd->conf, P_authorized_submit_users)) {
        tool_fatal(pd->args, "User %.*s(%ld) is not allowed to submit mail",
                   STR(caller_name(&pd->arena)), (long)getuid());
        return EX_NOPERM;
    }
    return drop(t, pd);
}

int tool_postdrop(struct task *t, const struct tool_args *args)
{
    struct postdrop pd = { .args = args };
    int status;

    arena_init(&pd.arena, 0);
    buf_init(&pd.file, NULL, STR_NONE / 2);
    status = run(t, &pd);
    buf_free(&pd.file);
    arena_reset(&pd.arena);
    return status;
}
