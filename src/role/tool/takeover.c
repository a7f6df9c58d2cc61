/* SPDX-License-Identifier: ISC
 *
 * veredus takeover: what a Postfix left in incoming, active, deferred and hold
 * of the queue directory becomes mail of ours.  `postfix start' calls it
 * before the system runs.
 *
 * K1  A file goes when its mail is on the disk in our log, not before.
 * K2  A file that cannot be read goes to corrupt/, never away.
 */
#include "role/events.h"
#include "role/tool/foreign.h"
#include "role/tool/queue_edit.h"
#include "role/tool/queue_talk.h"
#include "role/tool/tool.h"
#include "role/tool/tool_log.h"

enum { DEPTH_MAX = 8 };

struct takeover {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    struct queue_edit *edit;
    struct dir *queue;
    str name;               /* of the queue: "deferred" */
    uint64_t n_taken, n_bad;
};

static void note(struct task *t, struct takeover *k, str text)
{
    say(t, role_text, arena_cstr(&k->arena, text));
}

/* K2 */
static err put_away(struct task *t, struct takeover *k, struct dir *dir,
                    str name)
{
    k->n_bad++;
    note(t, k, arena_fmt(&k->arena, "warning: %.*s/%.*s is no queue file "
                         "that can be read: moved to corrupt", STR(k->name),
                         STR(name)));
    return file_rename(t, dir, name, k->queue,
                       arena_fmt(&k->arena, "corrupt/%.*s", STR(name)));
}

static err take_mail(struct task *t, struct takeover *k, str name,
                     const struct file_stat *st, struct foreign_mail *m)
{
    struct queue_new new = {
        .envelope = &m->envelope,
        .text = m->text,
        .hold = str_eq(k->name, S("hold")),
        .next_us = str_eq(k->name, S("deferred")) ? st->mtime_us : 0,
    };
    struct queue_id id;

    if (m->envelope.arrival_us == 0)
        m->envelope.arrival_us = st->mtime_us;
    if (m->envelope.recipients.n == 0)
        return OK; /* all were done: it was about to go */
    TRY(queue_edit_add(t, k->edit, &new, &id));
    k->n_taken++;
    note(t, k, arena_fmt(&k->arena, "%s: was %.*s in %.*s", id.text,
                         STR(name), STR(k->name)));
    return OK;
}

static err take_file(struct task *t, struct takeover *k, struct dir *dir,
                     str name, const struct file_stat *st)
{
    struct foreign_mail m;
    struct arena a;
    str file;
    err e;

    arena_init(&a, 0);
    e = file_load(t, dir, name, &a, INT64_MAX, &file);
    if (!e && foreign_read(file, &a, &m))
        e = put_away(t, k, dir, name);
    else if (!e) {
        e = take_mail(t, k, name, st, &m);
        if (e == ERR_SYNTAX)
            e = put_away(t, k, dir, name);
        else if (!e)
            e = file_unlink(t, dir, name); /* K1 */
    }
    arena_reset(&a);
    return e;
}

/* A directory and those below it: Postfix spreads deferred mail by name. */
static err take_dir(struct task *t, struct takeover *k, struct dir *dir,
                    int depth)
{
    struct names names;

    TRY(dir_list(t, dir, &k->arena, &names));
    for (size_t i = 0; i < names.n; i++) {
        struct file_stat st;
        struct dir *below;
        err e = OK;
        TRY(file_stat_path(t, dir, names.p[i], &st));
        if (st.is_regular) {
            e = take_file(t, k, dir, names.p[i], &st);
        } else if (st.is_dir && depth < DEPTH_MAX) {
            TRY(dir_open(t, dir, names.p[i], &below));
            e = take_dir(t, k, below, depth + 1);
            dir_close(below);
        }
        TRY(e);
    }
    return OK;
}

static bool has_file(struct task *t, struct dir *dir, struct arena *a,
                     int depth)
{
    struct names names;
    bool any = false;

    if (dir_list(t, dir, a, &names))
        return true;
    for (size_t i = 0; i < names.n && !any; i++) {
        struct file_stat st;
        struct dir *below;
        if (file_stat_path(t, dir, names.p[i], &st))
            continue;
        any = st.is_regular;
        if (st.is_dir && depth < DEPTH_MAX
            && !dir_open(t, dir, names.p[i], &below)) {
            any = has_file(t, below, a, depth + 1);
            dir_close(below);
        }
    }
    return any;
}

static const str queues[] = { S_INIT("incoming"), S_INIT("active"),
                              S_INIT("deferred"), S_INIT("hold") };

static bool anything(struct task *t, struct takeover *k)
{
    bool any = false;

    for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
        struct dir *dir;
        if (dir_open(t, k->queue, queues[i], &dir))
            continue;
        any |= has_file(t, dir, &k->arena, 0);
        dir_close(dir);
    }
    return any;
}

static err take_all(struct task *t, struct takeover *k)
{
    for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
        struct dir *dir;
        err e = dir_open(t, k->queue, queues[i], &dir);
        if (e == ERR_ABSENT)
            continue;
        TRY(e);
        k->name = queues[i];
        e = take_dir(t, k, dir, 0);
        dir_close(dir);
        TRY(e);
    }
    return OK;
}

static int act(struct task *t, struct takeover *k)
{
    err e = dir_open(t, NULL, conf_str(k->conf, P_queue_directory),
                     &k->queue), end;

    if (e == ERR_ABSENT)
        return 0; /* nobody was here before */
    if (!e && !anything(t, k)) {
        dir_close(k->queue);
        return 0;
    }
    tool_log_open(t, k->conf, &k->arena, S("takeover"));
    if (!e)
        e = queue_edit_open_new(t, k->conf, &k->arena, &k->edit);
    if (!e)
        e = take_all(t, k);
    if (e)
        tool_fatal(k->args, "%s", task_why(t));
    end = k->edit ? queue_edit_close(t, k->edit) : OK;
    if (end && !e)
        tool_fatal(k->args, "%s", task_why(t));
    dir_close(k->queue);
    note(t, k, arena_fmt(&k->arena, "%" PRIu64 " messages of Postfix taken "
                         "over, %" PRIu64 " unreadable", k->n_taken,
                         k->n_bad));
    return e || end;
}

int tool_takeover(struct task *t, const struct tool_args *args)
{
    struct takeover k = { .args = args };
    struct tool_options o = tool_options_of(args, "c:v");
    const char *dir = NULL;
    int letter, status = 1;

    while ((letter = tool_option(&o))) {
        if (letter == '?')
            return tool_usage(args, "takeover", 1);
        if (letter == 'c')
            dir = o.value;
    }
    arena_init(&k.arena, 0);
    if (!tool_conf(t, &k.arena, args, dir, &k.conf))
        status = act(t, &k);
    arena_reset(&k.arena);
    return status;
}
