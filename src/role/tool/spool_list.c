/* SPDX-License-Identifier: ISC
 *
 * The log of a stopped system, read only.
 */
#include "role/tool/queue_rows.h"

#include "role/tool/queue_talk.h"

static err each(struct task *t, const struct conf *c, struct spool *sp,
                spool_list_fn *fn, void *self)
{
    bool long_ids = conf_bool(c, P_enable_long_queue_ids);
    struct spool_found f;
    struct arena a;
    err e;

    arena_init(&a, 0);
    while (!(e = spool_found_next(t, sp, &f))) {
        struct queue_state q;
        arena_reset(&a);
        if (queue_state_read(&f, long_ids, &a, &q))
            continue; /* the queue manager will complain about it */
        e = fn(t, self, sp, &f, &q);
        if (e)
            break;
    }
    arena_reset(&a);
    return e == ERR_END ? OK : e;
}

err spool_list(struct task *t, const struct conf *c, spool_list_fn *fn,
               void *self, struct queue_damage *damage)
{
    struct spool_options o = { .read_only = true };
    struct spool_owner owner = { NULL, NULL };
    struct arena a;
    struct spool *sp;
    struct dir *dir;
    err e;

    arena_init(&a, 0);
    e = dir_open(t, NULL, queue_path(c, &a, S("log")), &dir);
    if (e == ERR_ABSENT) { /* it was never started: nothing is queued */
        arena_reset(&a);
        return OK;
    }
    if (!e) {
        arena_own(&a, dir_close_any, dir);
        e = spool_open(t, &a, dir, &o, owner, &sp);
    }
    if (!e && damage)
        e = spool_damage(t, sp, damage->memory, &damage->lines);
    if (!e)
        e = each(t, c, sp, fn, self);
    arena_reset(&a);
    return e;
}
