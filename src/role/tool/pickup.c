/* SPDX-License-Identifier: ISC
 *
 * veredus pickup: hands what lies in maildrop to the running system, oldest
 * name first, and ends.  Master runs it at the start and every minute.  A
 * file that is none, or whose mail is refused for good, goes to corrupt/.
 */
#include "role/events.h"
#include "role/tool/drop.h"
#include "role/tool/foreign.h"
#include "role/tool/queue_talk.h"
#include "role/tool/submit.h"
#include "role/tool/tool.h"
#include "role/tool/tool_log.h"

#include <sysexits.h>

struct pickup {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    struct dir *queue, *drops;
    bool down;              /* nobody takes mail now: another time */
};

static void put_away(struct task *t, struct pickup *p, str name,
                     const char *reason)
{
    char line[256];
    err e = file_rename(t, p->drops, name, p->queue,
                        arena_fmt(&p->arena, "corrupt/%.*s", STR(name)));

    snprintf(line, sizeof(line), "%.*s: %s: %s", STR(name), reason,
             e ? task_why(t) : "moved to corrupt");
    tool_warn(p->args, "%s", line);
    say(t, role_warn, line);
}

static void on_result(struct task *t, struct pickup *p, str name,
                      const struct submit_result *r)
{
    switch (r->outcome) {
    case SUBMIT_TAKEN: /* D3 */
        if (r->refused.n)
            put_away(t, p, name, "some recipients were refused");
        else if (file_unlink(t, p->drops, name))
            put_away(t, p, name, task_why(t));
        break;
    case SUBMIT_REFUSED:
        put_away(t, p, name,
                 arena_fmt(&p->arena, "refused: %d %s %.*s", r->reply.code,
                           r->reply.dsn, STR(r->reply.text)).p);
        break;
    default:
        p->down = true;
        break;
    }
}

/* A file of ours, or one that a Postfix before us left. */
static err unpack(str file, struct arena *a, struct envelope *env, str *text)
{
    struct foreign_mail m;
    err e = drop_unpack(file, a, env, text);

    if (e != ERR_CORRUPT || foreign_read(file, a, &m))
        return e;
    *env = m.envelope;
    *text = m.text;
    return OK;
}

static void one(struct task *t, struct pickup *p, str name)
{
    struct arena a;
    struct file_stat st;
    struct envelope env;
    struct submit_mail m = { .envelope = &env, .for_other = true };
    struct submit_result r;
    str file;

    arena_init(&a, 0);
    if (file_stat_path(t, p->drops, name, &st) || !st.is_regular
        || file_load(t, p->drops, name, &a, INT64_MAX, &file)) {
        put_away(t, p, name, "cannot be read");
    } else if (unpack(file, &a, &env, &m.text)
               || env.recipients.n == 0) {
        put_away(t, p, name, "damaged");
    } else {
        m.uid = st.uid; /* D2 */
        submit(t, p->conf, &m, &a, &r);
        on_result(t, p, name, &r);
    }
    arena_reset(&a);
}

static int all(struct task *t, struct pickup *p)
{
    struct names names;

    if (dir_open(t, NULL, conf_str(p->conf, P_queue_directory), &p->queue)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    arena_own(&p->arena, dir_close_any, p->queue);
    if (dir_open(t, p->queue, S("maildrop"), &p->drops)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    arena_own(&p->arena, dir_close_any, p->drops);
    if (dir_list(t, p->drops, &p->arena, &names)) {
        tool_fatal(p->args, "%s", task_why(t));
        return EX_UNAVAILABLE;
    }
    for (size_t i = 0; i < names.n && !p->down; i++)
        if (!str_starts(names.p[i], DROP_TMP)) /* D1 */
            one(t, p, names.p[i]);
    return p->down ? EX_TEMPFAIL : EX_OK;
}

static int run(struct task *t, struct pickup *p)
{
    struct tool_options o = tool_options_of(p->args, "c:v");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        if (letter == '?') {
            tool_fatal(p->args, "usage: pickup [-c config_dir]");
            return EX_USAGE;
        }
        if (letter == 'c')
            dir = o.value;
    }
    if (tool_conf(t, &p->arena, p->args, dir, &p->conf))
        return EX_CONFIG;
    tool_log_open(t, p->conf, &p->arena, S("pickup"));
    return all(t, p);
}

int tool_pickup(struct task *t, const struct tool_args *args)
{
    struct pickup p = { .args = args };
    int status;

    arena_init(&p.arena, 0);
    status = run(t, &p);
    arena_reset(&p.arena);
    return status;
}
