/* SPDX-License-Identifier: ISC
 *
 * Keeping segments ready: new ones while the disk has room, and copying what
 * still lives in the oldest one forward, so that it can be reused (I4).  The
 * same copying moves long-deferred mail into the cold log.
 *
 * A copy is CHUNKs and an ENV of the same message under a younger
 * generation; recovery takes the youngest.  From the moment the new ENV is
 * appended the message's notes go to the log that holds it.  In the hot log a
 * moved message gets a GONE once its copy is on disk.
 */
#include "spool/log.h"

#include "spool/events.h"

enum {
    FREE_WANTED = SEGMENT_RESERVE + 2,
    KEEP_POLL_S = 5,
    CHEAP_SHARE = 4, /* copying up to 1/4 of a segment beats a new one */
};

struct copy {
    struct spool_entry *e;
    struct log *to;
    struct extent *extents;
    uint32_t n;
};

static err copy_chunks(struct task *t, struct spool *sp, struct copy *c,
                       char *memory)
{
    for (uint32_t i = 0; i < c->e->n_extents; i++) {
        struct extent *from = &c->e->extents[i], *to = &c->extents[i];
        str bytes;

        if (c->e->ended)
            return ERR_END;
        TRY(spool_read(t, segment_find(sp, from->segment)->file, from,
                       c->e->id, memory, &bytes));
        TRY(log_room(t, c->to, (uint32_t)record_size(bytes.n), true));
        *to = (struct extent){
            .segment = c->to->open.segment->number,
            .size = from->size,
            .generation = c->to->open.segment->generation,
        };
        to->offset = log_append(t, c->to, RECORD_CHUNK, c->e->id, bytes,
                                S(""));
        segment_live_add(segment_find(sp, to->segment), to->size);
        c->n++;
    }
    return OK;
}

static void extents_pack(struct buf *b, const struct extent *x, uint32_t n)
{
    pack_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        extent_pack(b, &x[i]);
}

/* Appends the new ENV and makes the copy the message: no wait between packing
 * its state and that.  *old takes over what the message was before. */
static err copy_seal(struct task *t, struct spool *sp, struct copy *c,
                     struct spool_entry **old)
{
    struct buf head, env;
    err e;

    buf_init(&head, NULL, sp->record_max);
    buf_init(&env, NULL, sp->record_max);
    extents_pack(&head, c->extents, c->n);
    e = log_room(t, c->to, sp->record_max, true);
    if (!e && c->e->ended)
        e = ERR_END;
    if (!e)
        sp->owner.pack(sp->owner.self, c->e, &env);
    if (!e && (env.over || head.n + env.n + SPOOL_RECORD_HEAD
                               > sp->record_max))
        e = why(t, ERR_LIMIT, "the envelope is too large");
    if (!e) {
        log_append(t, c->to, RECORD_ENV, c->e->id, buf_str(&head),
                   buf_str(&env));
        *old = entry_new(c->to, c->e->id, c->to->open.segment->number,
                         c->extents, c->n);
        entry_swap(c->e, *old);
    }
    buf_free(&head);
    buf_free(&env);
    return e;
}

/* Copies a message into log to.  The entry may end meanwhile; then it is
 * freed here. */
static err copy_message(struct task *t, struct spool *sp,
                        struct spool_entry *e, struct log *to)
{
    struct copy c = { .e = e, .to = to };
    struct spool_entry *old = NULL;
    struct log *from = e->log;
    char *memory = heap_resize(NULL, SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    err result;

    e->moving = true;
    c.extents = heap_alloc(e->n_extents * sizeof(*c.extents));
    result = copy_chunks(t, sp, &c, memory);
    if (!result)
        result = copy_seal(t, sp, &c, &old);
    heap_free(memory);
    for (uint32_t i = 0; i < c.n; i++) /* the entry counts them by now */
        segment_live_del(segment_find(sp, c.extents[i].segment),
                         c.extents[i].size);
    heap_free(c.extents);
    if (!result && from != to) {
        result = log_synced(t, to, to->open.number);
        if (!result)
            result = log_room(t, from, (uint32_t)record_size(0), true);
        if (!result)
            log_append(t, from, RECORD_GONE, e->id, S(""), S(""));
    }
    if (old) {
        entry_drop(sp, old);
        sp->stats.n_copied++;
    }
    e->moving = false;
    if (e->ended)
        entry_drop(sp, e);
    return result == ERR_END ? OK : result;
}

err spool_cool(struct task *t, struct spool *sp, struct spool_entry *e)
{
    if (e->moving || e->ended || e->log->which == LOG_COLD)
        return OK;
    sp->logs[LOG_COLD].used = true;
    return copy_message(t, sp, e, &sp->logs[LOG_COLD]);
}

static bool touches(const struct spool_entry *e, const struct segment *s)
{
    if (e->env_segment == s->number)
        return true;
    for (uint32_t i = 0; i < e->n_extents; i++)
        if (e->extents[i].segment == s->number)
            return true;
    return false;
}

/* Copies everything alive in a segment forward. */
static err segment_clear(struct task *t, struct spool *sp, struct log *lg,
                         struct segment *s)
{
    for (;;) {
        struct spool_entry *e = NULL;
        err result;

        list_each(l, &sp->live) {
            struct spool_entry *each =
                container_of(l, struct spool_entry, link);
            if (!each->moving && !each->ended && touches(each, s)) {
                e = each;
                break;
            }
        }
        if (!e)
            return OK;
        result = copy_message(t, sp, e, lg);
        if (result == ERR_CORRUPT) /* leave it: whoever reads it will say */
            say(t, spool_copy_failed, e->id, task_why(t));
        TRY(result);
    }
}

static bool may_grow(struct task *t, struct spool *sp, struct log *lg)
{
    uint64_t bytes, inodes;

    if (sp->options.segments_max && lg->n_segments >= sp->options.segments_max)
        return false;
    if (dir_space(t, sp->dir, &bytes, &inodes))
        return false;
    sp->disk_full = bytes < sp->options.disk_free_min
                                + sp->options.segment_size;
    return !sp->disk_full;
}

/* One step for one log; whether anything was done. */
static err keep_log(struct task *t, struct spool *sp, struct log *lg,
                    bool *done)
{
    struct segment *oldest;
    bool grow;

    *done = false;
    if (log_free(lg) >= FREE_WANTED || !(lg->used || lg->n_segments))
        return OK;
    oldest = container_of(lg->segments.next, struct segment, link);
    grow = may_grow(t, sp, lg);
    if (lg->n_segments > FREE_WANTED && oldest != lg->tail
        && oldest->live > 0 && log_free(lg) == 0
        && (!grow || oldest->live_bytes * CHEAP_SHARE
                         < sp->options.segment_size)) {
        uint32_t before = oldest->live;
        TRY(segment_clear(t, sp, lg, oldest));
        *done = oldest->live < before;
        if (*done)
            return OK;
    }
    if (!grow)
        return OK;
    if (segment_make(t, lg)) {
        say(t, spool_no_segment, task_why(t));
        sp->disk_full = true;
        return OK;
    }
    *done = true;
    bell_ring_all(&lg->room);
    return OK;
}

err spool_keeper(struct task *t, void *arg)
{
    struct spool *sp = arg;

    for (;;) {
        bool done = false;
        err e;

        for (int i = 0; i < N_LOGS; i++) {
            bool one;
            e = keep_log(t, sp, &sp->logs[i], &one);
            if (e == ERR_LIMIT || e == ERR_CORRUPT)
                one = false; /* try again when something has ended */
            else
                TRY(e);
            done |= one;
        }
        if (done)
            continue;
        e = bell_wait(t, &sp->keep, after_s(t, KEEP_POLL_S));
        if (e && e != ERR_LATE)
            return e;
    }
}
