/* SPDX-License-Identifier: ISC
 *
 * Where rows come from.
 */
#include "role/tool/queue_rows.h"

#include "role/tool/drop.h"
#include "role/tool/queue_talk.h"

struct walk {
    queue_row_fn *fn;
    void *self;
    err stopped;        /* what fn returned */
    struct arena *memory; /* of damage */
    str damage;
};

static err on_packed(struct task *t, void *self, str packed)
{
    struct walk *w = self;
    struct queue_row row;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = queue_row_unpack(packed, &a, &row);
    if (e)
        e = why(t, ERR_PEER, "a row that cannot be read");
    else
        e = w->stopped = w->fn(t, w->self, &row, &a);
    arena_reset(&a);
    return e;
}

static err on_found(struct task *t, void *self, struct spool *sp,
                    const struct spool_found *f, const struct queue_state *q)
{
    struct walk *w = self;
    struct queue_row row;
    struct arena a;

    (void)sp, (void)f;
    arena_init(&a, 0);
    queue_state_row(q, rt_wall(t), &a, &row);
    w->stopped = w->fn(t, w->self, &row, &a);
    arena_reset(&a);
    return w->stopped;
}

static err one_drop(struct task *t, struct dir *dir, str name,
                    struct arena *a, struct walk *w)
{
    struct queue_row row = { .queue = S("maildrop"), .id = name };
    struct queue_row_rcpt *x;
    struct drop_file d;
    const struct envelope *env = &d.envelope;
    size_t n;

    if (drop_open(t, dir, name, 0, a, &d))
        return OK; /* it went, or the next pickup complains */
    drop_close(&d);
    n = env->recipients.n;
    x = arena_array(a, struct queue_row_rcpt, n);
    for (size_t i = 0; i < n; i++)
        x[i].address = env->recipients.p[i].address.text;
    row.arrival_us = env->arrival_us;
    row.size = d.text_size;
    row.sender = env->sender.text;
    row.rcpts = x;
    row.n_rcpts = (uint32_t)n;
    return w->stopped = w->fn(t, w->self, &row, a);
}

static err drops_each(struct task *t, const struct conf *c, struct walk *w)
{
    struct arena a, one;
    struct names names;
    struct dir *dir;
    err e;

    arena_init(&a, 0);
    arena_init(&one, 0);
    e = dir_open(t, NULL, queue_path(c, &a, S("maildrop")), &dir);
    if (e) { /* not for us to see */
        arena_reset(&a);
        return OK;
    }
    e = dir_list(t, dir, &a, &names);
    for (size_t i = 0; i < names.n && !e; i++) {
        if (str_starts(names.p[i], DROP_TMP))
            continue;
        e = one_drop(t, dir, names.p[i], &one, w);
        arena_reset(&one);
    }
    dir_close(dir);
    arena_reset(&a);
    return e;
}

static err running_each(struct task *t, struct queue_talk *q, struct walk *w)
{
    uint32_t n;
    err e;

    q->memory = w->memory;
    e = queue_talk_ask(t, q, 'l', S(""), on_packed, w, &n);
    w->damage = q->damage;
    queue_talk_close(q);
    return e;
}

err queue_rows_each(struct task *t, const struct tool_args *args,
                    const struct conf *c, queue_row_fn *fn, void *self,
                    struct queue_damage *damage)
{
    struct walk w = { .fn = fn, .self = self,
                      .memory = damage ? damage->memory : NULL };
    struct queue_talk q;
    struct arena a;
    str down;
    err e = queue_talk_open(t, c, &q);

    arena_init(&a, 0);
    down = arena_str(&a, str_from(task_why(t)));
    if (!e) {
        e = running_each(t, &q, &w);
        if (e && !w.stopped)
            tool_fatal(args, "Queue report unavailable: %s", task_why(t));
    } else {
        struct file_stat st;
        bool may = e != ERR_DENIED;
        may = may && !file_stat_path(t, NULL, queue_path(c, &a, S(".")), &st);
        if (may)
            tool_warn(args, "Mail system is down -- accessing queue "
                      "directly (%.*s)", STR(down));
        e = may ? spool_list(t, c, on_found, &w, damage) : ERR_DENIED;
        if (e && !w.stopped)
            tool_fatal(args, "Queue report unavailable - mail system is "
                       "down (%.*s)", STR(may ? str_from(task_why(t))
                                              : down));
    }
    if (damage && w.damage.n > 0)
        damage->lines = w.damage;
    if (!e)
        e = drops_each(t, c, &w);
    arena_reset(&a);
    return e;
}
