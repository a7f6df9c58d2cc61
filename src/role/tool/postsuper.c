/* SPDX-License-Identifier: ISC
 *
 * postsuper(1): what the superuser may do with the queue.  Queue directories
 * of files do not exist here, so that there is little to repair: -s and -S
 * make directories that are missing, -p removes what was left half written.
 */
#include "mail/queue_id.h"
#include "role/events.h"
#include "role/tool/caller.h"
#include "role/tool/drop.h"
#include "role/tool/queue_edit.h"
#include "role/tool/queue_talk.h"
#include "role/tool/requeue.h"
#include "role/tool/tool_log.h"

enum { OLD_S = 36 * 60 * 60, PICKUP_S = 600, LINE_ROOM = 512 };

struct op {
    char verb;
    str id;
};

struct postsuper {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    vec_of(struct op) ops;
    vec_of(str) queues;
    bool purge, structure, any; /* any: some message is named */
    struct queue_edit *edit;
    struct queue_items items;   /* read when queues are named */
    uint64_t counts[128];       /* by verb */
    bool asked[128];            /* the same: totals are due */
};

static const struct {
    char verb;
    const char *done, *total;
} verbs[] = {
    { 'd', "removed", "Deleted" },
    { 'h', "placed on hold", "Placed on hold" },
    { 'H', "released from hold", "Released from hold" },
    { 'r', "requeued", "Requeued" },
};

static int fatal(struct postsuper *ps, const char *text)
{
    tool_fatal(ps->args, "%s", text);
    return 1;
}

/* One line on standard error and in the log. */
static void note(struct task *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct task *t, const char *fmt, ...)
{
    char line[LINE_ROOM];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fprintf(stderr, "postsuper: %s\n", line);
    say(t, role_text, line);
}

static bool queue_wanted(const struct postsuper *ps, str queue)
{
    for (size_t i = 0; i < ps->queues.n; i++)
        if (str_eq(ps->queues.p[i], queue))
            return true;
    return ps->queues.n == 0 && !str_eq(queue, S("maildrop"));
}

static bool is_wanted(const struct postsuper *ps, str id)
{
    for (size_t i = 0; i < ps->items.list.n; i++)
        if (str_eq(ps->items.list.p[i].id, id))
            return queue_wanted(ps, ps->items.list.p[i].queue);
    return false;
}

static void changed(struct task *t, struct postsuper *ps, char verb, str id,
                    bool loud)
{
    ps->counts[(unsigned char)verb]++;
    for (size_t i = 0; loud && i < sizeof(verbs) / sizeof(*verbs); i++)
        if (verbs[i].verb == verb)
            note(t, "%.*s: %s", STR(id), verbs[i].done);
}

static err change_one(struct task *t, struct postsuper *ps, char verb,
                      str id, bool loud)
{
    uint32_t n = 0;

    if (verb == 'r')
        TRY(requeue(t, ps->conf, ps->edit, id, &n));
    else
        TRY(queue_edit_change(t, ps->edit, verb, id, &n));
    if (n > 0)
        changed(t, ps, verb, id, loud);
    return OK;
}

/* Mail in maildrop can only be deleted. */
static err drops_delete(struct task *t, struct postsuper *ps, str id)
{
    bool all = str_eq(id, S("ALL"));
    struct names names;
    struct dir *dir;
    err e;

    if (!queue_wanted(ps, S("maildrop")))
        return OK;
    TRY(dir_open(t, NULL, queue_path(ps->conf, &ps->arena, S("maildrop")),
                 &dir));
    e = dir_list(t, dir, &ps->arena, &names);
    for (size_t i = 0; i < names.n && !e; i++) {
        if (str_starts(names.p[i], DROP_TMP)
            || (!all && !str_eq(names.p[i], id)))
            continue;
        e = file_unlink(t, dir, names.p[i]);
        if (!e)
            changed(t, ps, 'd', id, !all);
    }
    dir_close(dir);
    return e;
}

static err change_all(struct task *t, struct postsuper *ps, char verb)
{
    uint32_t n = 0;

    if (ps->queues.n == 0 && verb != 'r') {
        TRY(queue_edit_change(t, ps->edit, verb, S("ALL"), &n));
        ps->counts[(unsigned char)verb] += n;
        return OK;
    }
    for (size_t i = 0; i < ps->items.list.n; i++)
        if (queue_wanted(ps, ps->items.list.p[i].queue))
            TRY(change_one(t, ps, verb, ps->items.list.p[i].id, false));
    return OK;
}

static err do_op(struct task *t, struct postsuper *ps, const struct op *op)
{
    if (ps->queues.n > 0 || op->verb == 'r')
        /* what was done before may have moved them */
        TRY(queue_edit_list(t, ps->edit, &ps->arena, &ps->items));
    if (op->verb == 'd')
        TRY(drops_delete(t, ps, op->id));
    if (str_eq(op->id, S("ALL")))
        return change_all(t, ps, op->verb);
    if (ps->queues.n > 0 && !is_wanted(ps, op->id))
        return OK;
    return change_one(t, ps, op->verb, op->id, true);
}

static void totals(struct task *t, struct postsuper *ps)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        uint64_t n = ps->counts[(unsigned char)verbs[i].verb];
        if (ps->asked[(unsigned char)verbs[i].verb])
            note(t, "%s: %" PRIu64 " message%s", verbs[i].total, n,
                 n == 1 ? "" : "s");
    }
}

/* Those that were requeued need not wait for the next wake-up. */
static void kick_pickup(struct task *t, struct postsuper *ps)
{
    const char *argv[] = { "pickup", "-c",
                           arena_cstr(&ps->arena, conf_dir(ps->conf)), NULL };
    const char *env[] = { NULL };
    int fds[] = { -1, -1, -1 }, status;
    struct process_plan plan = { .path = tool_self(&ps->arena), .argv = argv,
                                 .env = env, .fds = fds, .n_fds = 3 };
    struct process p;

    /* else master's own will find them */
    if (!process_start(t, &plan, &p))
        err_ignore(process_wait(t, &p, after_s(t, PICKUP_S), &status));
}

static int do_ops(struct task *t, struct postsuper *ps)
{
    err e = queue_edit_open(t, ps->conf, &ps->arena, &ps->edit), end;

    for (size_t i = 0; i < ps->ops.n && !e; i++)
        e = do_op(t, ps, &ps->ops.p[i]);
    if (e)
        tool_fatal(ps->args, "%s", task_why(t));
    if (!e && ps->counts['r'] > 0 && queue_edit_running(ps->edit))
        kick_pickup(t, ps);
    end = queue_edit_close(t, ps->edit);
    if (end && !e)
        tool_fatal(ps->args, "%s", task_why(t));
    totals(t, ps);
    return e || end;
}

/* Half-written drops of processes that died. */
static void purge(struct task *t, struct postsuper *ps)
{
    struct names names;
    struct dir *dir;

    if (dir_open(t, NULL, queue_path(ps->conf, &ps->arena, S("maildrop")),
                 &dir))
        return;
    if (dir_list(t, dir, &ps->arena, &names))
        names.n = 0;
    for (size_t i = 0; i < names.n; i++) {
        struct file_stat st;
        if (str_starts(names.p[i], DROP_TMP)
            && !file_stat_path(t, dir, names.p[i], &st)
            && st.mtime_us < rt_wall(t) - (int64_t)OLD_S * 1000000
            && !file_unlink(t, dir, names.p[i]))
            note(t, "%.*s: removed", STR(names.p[i]));
    }
    dir_close(dir);
}

static int structure(struct task *t, struct postsuper *ps)
{
    const char *argv[] = { "postfix", "-c",
                           arena_cstr(&ps->arena, conf_dir(ps->conf)),
                           "check", NULL };

    return caller_run(t, ps->conf, tool_postfix, argv);
}

static void add_op(struct postsuper *ps, char verb, str id)
{
    struct op op = { verb, arena_str(&ps->arena, id) };

    if (!queue_id_valid(id) && !str_eq(id, S("ALL")))
        tool_warn(ps->args, "invalid mail queue id: %.*s", STR(id));
    else
        vec_push(&ps->arena, &ps->ops, op);
}

/* "-": names from standard input, one a line. */
static void add_from_stdin(struct postsuper *ps, char verb)
{
    struct buf line;
    int c;

    buf_init(&line, &ps->arena, 1024);
    do {
        c = getc_unlocked(stdin);
        if (c != '\n' && c != EOF) {
            buf_byte(&line, (char)c);
            continue;
        }
        if (!str_empty(str_trim(buf_str(&line))))
            add_op(ps, verb, str_trim(buf_str(&line)));
        buf_clear(&line);
        line.over = false;
    } while (c != EOF);
}

static bool take_queues(struct postsuper *ps, int at)
{
    static const str known[] = {
        S_INIT("hold"), S_INIT("incoming"), S_INIT("active"),
        S_INIT("deferred"), S_INIT("maildrop"), S_INIT("corrupt"),
        S_INIT("defer"), S_INIT("bounce"), S_INIT("trace"),
        S_INIT("flush"), S_INIT("saved"),
    };

    for (; at < ps->args->argc; at++) {
        str name = str_from(ps->args->argv[at]);
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            found |= str_eq(name, known[i]);
        if (!found) {
            tool_fatal(ps->args, "invalid directory name: %.*s", STR(name));
            return false;
        }
        vec_push(&ps->arena, &ps->queues, name);
    }
    return true;
}

static int act(struct task *t, struct postsuper *ps)
{
    int status = 0;

    if (!caller_owns_queue(t, ps->conf))
        return fatal(ps, "use of this command is reserved for the "
                     "superuser");
    tool_log_open(t, ps->conf, &ps->arena, S("postsuper"));
    if (ps->structure || (!ps->purge && !ps->any))
        status = structure(t, ps);
    if (ps->purge || !ps->any)
        purge(t, ps);
    return ps->any ? do_ops(t, ps) | status : status;
}

static int run(struct task *t, struct postsuper *ps)
{
    struct tool_options o = tool_options_of(ps->args, "c:d:e:f:h:H:pr:sSv");
    const char *dir = NULL;
    int letter;

    while ((letter = tool_option(&o))) {
        switch (letter) {
        case '?': return tool_usage(ps->args, "postsuper", 1);
        case 'c': dir = o.value; break;
        case 'p': ps->purge = true; break;
        case 's':
        case 'S': ps->structure = true; break;
        case 'v': break;
        case 'e':
        case 'f':
            return fatal(ps, "-e and -f: expiring by hand is not available "
                         "here; delete with -d");
        default:
            ps->any = ps->asked[letter] = true;
            if (str_eq(str_from(o.value), S("-")))
                add_from_stdin(ps, (char)letter);
            else
                add_op(ps, (char)letter, str_from(o.value));
        }
    }
    if (!take_queues(ps, o.at)
        || tool_conf(t, &ps->arena, ps->args, dir, &ps->conf))
        return 1;
    return act(t, ps);
}

int tool_postsuper(struct task *t, const struct tool_args *args)
{
    struct postsuper ps = { .args = args };
    int status;

    arena_init(&ps.arena, 0);
    status = run(t, &ps);
    arena_reset(&ps.arena);
    return status;
}
