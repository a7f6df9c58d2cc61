/* SPDX-License-Identifier: ISC
 *
 * Keeping segments ready: new ones while the disk has room, and copying what
 * still lives in the oldest one forward, so that it can be reused (I4).  The
 * same copying moves long-deferred mail into the cold log.
 *
 * A copy is CHUNKs and an ENV of the same message; recovery takes the latest.
 * From the moment the new ENV is appended the message's notes go to the log
 * that holds it; readers are shown the new places once they are on disk.  In
 * the hot log a message that was moved to the cold one then gets a GONE.
 */
#include "spool/log.h"

#include "spool/events.h"

enum {
    FREE_WANTED = SEGMENT_RESERVE + 2,
    KEEP_POLL_S = 5,
    LEAVE_RETRY_MS = 100,
    URGENT_MORE = 2,
    CHEAP_OF_4 = 1, /* copying up to 1/4 of a segment beats a new one */
    DEAR_OF_4 = 3,  /* up to 3/4 where there will be no new one */
};

struct copy {
    struct link link;
    struct spool_entry *e;
    struct spool_entry *fresh;  /* the new places; NULL: not sealed yet */
    struct log *to;
    uint64_t number;            /* the batch that holds the new ENV */
    enum log_need need;
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
        TRY(log_room(t, c->to, (uint32_t)record_size(bytes.n), c->need));
        *to = (struct extent){
            .segment = c->to->open.segment->number,
            .size = from->size,
            .generation = c->to->open.segment->generation,
        };
        to->offset = log_append(t, c->to, RECORD_CHUNK, c->e->id, bytes,
                                S(""));
        segment_live_add(segment_find(sp, to->segment),
                         (uint32_t)record_size(to->size));
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

/* Room for the ENV as it is now: it may have changed when there is room. */
static err seal_room(struct task *t, struct spool *sp, struct copy *c,
                     struct buf *env)
{
    size_t head = 4 + (size_t)c->n * EXTENT_PACKED, size;

    do {
        if (!c->e->owner)
            return ERR_END;
        buf_clear(env);
        sp->owner.pack(sp->owner.self, c->e, env);
        size = head + env->n;
        if (env->over || size + SPOOL_RECORD_HEAD > sp->record_max)
            return why(t, ERR_LIMIT, "the envelope is too large");
        TRY(log_room(t, c->to, (uint32_t)record_size(size), c->need));
        if (c->e->ended || !c->e->owner)
            return ERR_END;
        buf_clear(env);
        sp->owner.pack(sp->owner.self, c->e, env);
    } while (head + env->n > size);
    return OK;
}

/* Appends the new ENV: from here on what happens to the message is told to
 * log to.  Nothing waits between packing its state and that. */
static err copy_seal(struct task *t, struct spool *sp, struct copy *c)
{
    struct buf head, env;
    struct env_place place;
    err e;

    buf_init(&head, NULL, sp->record_max);
    buf_init(&env, NULL, sp->record_max);
    extents_pack(&head, c->extents, c->n);
    e = seal_room(t, sp, c, &env);
    if (!e) {
        log_append(t, c->to, RECORD_ENV, c->e->id, buf_str(&head),
                   buf_str(&env));
        place = (struct env_place){
            c->to->open.segment->number,
            (uint32_t)record_size(head.n + env.n),
        };
        c->number = c->to->open.number;
        c->fresh = entry_new(c->to, c->e->id, place, c->extents, c->n);
        c->fresh->moving = true; /* not to be copied itself */
        c->e->log = c->to;
    }
    buf_free(&head);
    buf_free(&env);
    return e;
}

/* Chunks and ENV are appended, or nothing of it counts. */
static err copy_begin(struct task *t, struct spool *sp, struct copy *c)
{
    char *memory = heap_resize(NULL, SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    err result;

    c->e->moving = true;
    list_del(&c->e->link); /* as young as its ENV will be */
    list_add_last(&sp->live, &c->e->link);
    c->extents = heap_alloc(c->e->n_extents * sizeof(*c->extents));
    result = copy_chunks(t, sp, c, memory);
    if (!result)
        result = copy_seal(t, sp, c);
    heap_free(memory);
    for (uint32_t i = 0; i < c->n; i++) /* the entry counts them by now */
        segment_live_del(segment_find(sp, c->extents[i].segment),
                         (uint32_t)record_size(c->extents[i].size));
    heap_free(c->extents);
    c->extents = NULL;
    return result;
}

/* The copy is on disk, so that who reads the message finds it there; or it
 * did not come to that.  The entry may have ended meanwhile. */
static void copy_finish(struct spool *sp, struct copy *c)
{
    if (c->fresh) {
        entry_swap(c->e, c->fresh);
        entry_drop(sp, c->fresh);
        sp->stats.n_copied++;
    }
    c->e->moving = false;
    if (c->e->ended)
        entry_drop(sp, c->e);
}

/* A message of which not all can be read: its owner ends it, and its segments
 * are kept aside. */
static void unreadable(struct task *t, struct spool *sp,
                       const struct copy *c)
{
    struct spool_entry *e = c->e;

    e->damaged = true;
    segment_find(sp, e->extents[c->n].segment)->damaged = true;
    damage_note(t, sp, arena_fmt(sp->arena, "message %" PRIx64 " cannot be "
                                 "copied: %s", e->id, task_why(t)));
    if (sp->owner.damaged)
        sp->owner.damaged(sp->owner.self, e);
}

/* The message is in the other log, on disk: log from has nothing more to say
 * about it.  This must not be left out, or the message could come back when
 * the other log has forgotten it. */
static err leave(struct task *t, uint64_t id, struct log *from)
{
    err result;

    while ((result = log_room(t, from, (uint32_t)record_size(0), NEED_END))
           == ERR_LIMIT)
        TRY(task_sleep(t, after_ms(t, LEAVE_RETRY_MS)));
    if (!result)
        log_append(t, from, RECORD_GONE, id, S(""), S(""));
    return result;
}

err spool_cool(struct task *t, struct spool *sp, struct spool_entry *e)
{
    struct copy c = { .e = e, .to = &sp->logs[LOG_COLD], .need = NEED_COOL };
    struct log *from = e->log;
    uint64_t id = e->id;
    err result;

    if (e->moving || e->ended || e->damaged || e->log->which == LOG_COLD)
        return OK;
    c.to->used = true;
    keep_ring(sp); /* it may have no segments yet */
    if (log_free(from) == 0)
        return why(t, ERR_LIMIT, "the spool is full");
    result = copy_begin(t, sp, &c);
    if (result == ERR_CORRUPT)
        unreadable(t, sp, &c);
    if (!result)
        result = log_synced(t, c.to, c.number);
    if (!result)
        result = leave(t, id, from);
    copy_finish(sp, &c);
    return result == ERR_END ? OK : result;
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

/* The piece of a draft that lies in the segment; the draft may be gone after
 * any wait, so it is found anew. */
static struct extent *draft_piece(struct spool *sp, const struct segment *s,
                                  uint64_t *id)
{
    list_each(l, &sp->drafts) {
        struct spool_draft *d = container_of(l, struct spool_draft, link);
        for (size_t i = 0; i < d->extents.n; i++) {
            *id = d->id;
            if (d->extents.p[i].segment == s->number)
                return &d->extents.p[i];
        }
    }
    return NULL;
}

/* What has come of it so far cannot be read: it will not be taken. */
static void draft_lost(struct task *t, struct spool *sp, uint64_t id)
{
    say(t, spool_draft_lost, id, task_why(t));
    list_each(l, &sp->drafts) {
        struct spool_draft *d = container_of(l, struct spool_draft, link);
        if (d->id == id)
            draft_drop_text(sp, d);
    }
}

/* A slow sender must not hold up the ring: what has come of its message so
 * far is copied too.  One piece; ERR_END when there is none. */
static err draft_copy(struct task *t, struct spool *sp, struct log *lg,
                      struct segment *s, char *memory)
{
    uint64_t id = 0, now_id = 0;
    struct extent *x = draft_piece(sp, s, &id);
    struct extent was;
    str bytes;
    err e;

    if (!x)
        return ERR_END;
    was = *x;
    e = spool_read(t, s->file, &was, id, memory, &bytes);
    if (e == ERR_CORRUPT) {
        draft_lost(t, sp, id);
        return OK;
    }
    TRY(e);
    TRY(log_room(t, lg, (uint32_t)record_size(bytes.n), NEED_COPY));
    x = draft_piece(sp, s, &now_id);
    if (!x || now_id != id || x->offset != was.offset)
        return OK; /* it was sealed or dropped meanwhile */
    x->segment = lg->open.segment->number;
    x->generation = lg->open.segment->generation;
    x->offset = log_append(t, lg, RECORD_CHUNK, id, bytes, S(""));
    segment_live_add(lg->open.segment, (uint32_t)record_size(was.size));
    segment_live_del(s, (uint32_t)record_size(was.size));
    return OK;
}

static err drafts_copy(struct task *t, struct spool *sp, struct log *lg,
                       struct segment *s)
{
    char *memory = heap_resize(NULL, SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    err e = OK;

    while (!e)
        e = draft_copy(t, sp, lg, s, memory);
    heap_free(memory);
    return e == ERR_END ? OK : e;
}

static struct spool_entry *next_in(struct spool *sp, const struct segment *s)
{
    list_each(l, &sp->live) {
        struct spool_entry *e = container_of(l, struct spool_entry, link);
        if (e->owner && !e->moving && !e->ended && !e->damaged
            && touches(e, s))
            return e;
    }
    return NULL;
}

/* Copies what lives in a segment, all into as few batches as it fills. */
static err entries_copy(struct task *t, struct spool *sp, struct log *lg,
                        struct segment *s, struct link *copies)
{
    struct spool_entry *e;

    while ((e = next_in(sp, s))) {
        struct copy *c = heap_new(struct copy);
        err result;
        c->e = e;
        c->to = lg;
        c->need = NEED_COPY;
        list_add_last(copies, &c->link);
        result = copy_begin(t, sp, c);
        if (result == ERR_CORRUPT)
            unreadable(t, sp, c);
        else if (result != ERR_END)
            TRY(result);
    }
    return OK;
}

/* Copies everything alive in a segment forward. */
static err segment_clear(struct task *t, struct spool *sp, struct log *lg,
                         struct segment *s)
{
    struct link copies, *l;
    uint64_t number = 0;
    err e, synced = OK;

    list_init(&copies);
    e = entries_copy(t, sp, lg, s, &copies);
    list_each(each, &copies) {
        const struct copy *c = container_of(each, struct copy, link);
        if (c->number > number)
            number = c->number;
    }
    if (number)
        synced = log_synced(t, lg, number);
    while ((l = list_pop(&copies))) {
        struct copy *c = container_of(l, struct copy, link);
        copy_finish(sp, c);
        heap_free(c);
    }
    TRY(synced);
    TRY(e);
    return drafts_copy(t, sp, lg, s);
}

/* Whether a whole turn of copying would win a segment. */
static bool much_garbage(const struct log *lg)
{
    uint64_t size = lg->sp->options.segment_size, garbage = 0;
    uint32_t n_free = log_free(lg);

    list_each(l, &lg->segments) {
        const struct segment *s = container_of(l, struct segment, link);
        if (s == lg->tail)
            break;
        if (n_free > 0)
            n_free--;
        else
            garbage += s->live_bytes < size ? size - s->live_bytes : 0;
    }
    return garbage > size + size / 4;
}

/* Whether the copies find room to the last: half a segment copied would have
 * taken room and freed none. */
static bool fits(const struct log *lg, const struct segment *s)
{
    uint64_t size = lg->sp->options.segment_size;
    uint64_t tail = lg->tail ? size - lg->tail_at : 0;

    return log_free(lg) > 1
           || tail + log_free(lg) * size > s->live_bytes + size / 8;
}

/* Whether to copy what lives in s; grow: or have a new segment instead. */
static bool worth_copying(const struct log *lg, const struct segment *s,
                          bool grow)
{
    uint64_t quarter = lg->sp->options.segment_size / 4;

    if (!s || lg->n_segments <= FREE_WANTED || !fits(lg, s))
        return false;
    return s->live_bytes < quarter * (grow ? CHEAP_OF_4 : DEAR_OF_4)
           || (!grow && log_free(lg) <= SEGMENT_RESERVE && much_garbage(lg));
}

/* Where not even an end can be written any more the bounds do not count. */
static bool may_grow(struct task *t, struct spool *sp, struct log *lg)
{
    bool urgent = log_free(lg) == 0;
    uint64_t bytes, inodes;

    sp->full_why = NULL;
    if (sp->options.segments_max
        && lg->n_segments >= sp->options.segments_max
                                 + (urgent ? URGENT_MORE : 0))
        sp->full_why = "it has all the segments that it may have";
    else if (dir_space(t, sp->dir, &bytes, &inodes))
        sp->full_why = "the free space of the disk cannot be learnt";
    else if (bytes < (urgent ? 0 : sp->options.disk_free_min)
                         + sp->options.segment_size)
        sp->full_why = "the disk has less free space than queue_minfree "
                       "asks for";
    return !sp->full_why;
}

/* Whether nothing keeps a damaged segment but that older ones come first: all
 * are free.  Their ENVs may have ended in it, so it cannot leave before. */
static bool is_in_turn(const struct log *lg)
{
    list_each(l, &lg->segments) {
        const struct segment *s = container_of(l, struct segment, link);
        if (s == lg->tail || s->live > 0)
            return false;
        if (s->damaged)
            return true;
    }
    return false;
}

/* The damaged one at the ring's end leaves it. */
static err put_aside(struct task *t, struct log *lg, bool *done)
{
    err e = segment_put_aside(t, lg);

    *done = !e;
    if (e == ERR_STOPPED || e == ERR_IO)
        return e;
    if (e)
        say(t, spool_not_aside, task_why(t));
    return OK;
}

/* Copies or grows, whichever is cheaper; whether anything was done. */
static err make_room(struct task *t, struct spool *sp, struct log *lg,
                     bool *done)
{
    struct segment *oldest = log_oldest_live(lg);
    bool grow = may_grow(t, sp, lg);
    err e;

    *done = false;
    if (worth_copying(lg, oldest, grow)) {
        uint32_t before = oldest->live;
        e = segment_clear(t, sp, lg, oldest);
        if (e && e != ERR_LIMIT && e != ERR_CORRUPT)
            return e;
        *done = oldest->live < before;
        if (*done)
            return OK;
    }
    if (!grow && is_in_turn(lg) && log_free(lg) > 0) {
        TRY(log_roll(t, lg));
        *done = true;
    }
    if (!grow)
        return OK;
    e = segment_make(t, lg);
    if (e == ERR_STOPPED)
        return e;
    if (e) {
        say(t, spool_no_segment, task_why(t));
        sp->full_why = "no new segment can be made";
        return OK;
    }
    *done = true;
    return OK;
}

/* One step for one log; whether anything was done, and whether more could be
 * if there were room. */
static err keep_log(struct task *t, struct spool *sp, struct log *lg,
                    bool *done, bool *wanting)
{
    *done = *wanting = false;
    if (segment_to_put_aside(lg)) {
        TRY(put_aside(t, lg, done));
        *wanting = !*done;
    } else if (log_free(lg) < FREE_WANTED && (lg->used || lg->n_segments)) {
        TRY(make_room(t, sp, lg, done));
        *wanting = !*done;
    }
    lg->stuck = *wanting && log_free(lg) <= SEGMENT_RESERVE;
    if (*done || lg->stuck || log_free(lg) > SEGMENT_RESERVE)
        bell_ring_all(&lg->room);
    return OK;
}

/* Says when mail has to stay outside, and when it need not any more. */
static void watch_gate(struct task *t, struct spool *sp)
{
    bool shut = !spool_open_for_mail(sp);

    if (shut == sp->gate_shut)
        return;
    sp->gate_shut = shut;
    if (!shut)
        say(t, spool_opened);
    else
        say(t, spool_shut, sp->full_why ? sp->full_why
                                        : "what is in it has to leave first");
    bell_ring_all(&sp->gate);
}

void keep_ring(struct spool *sp)
{
    sp->keep_asked = true;
    bell_ring(&sp->keep);
}

err spool_keeper(struct task *t, void *arg)
{
    struct spool *sp = arg;

    for (;;) {
        bool done = false, wanting = false;
        err e;

        sp->keep_asked = false;
        for (int i = 0; i < N_LOGS; i++) {
            bool one, more;
            TRY(keep_log(t, sp, &sp->logs[i], &one, &more));
            done |= one;
            wanting |= more;
        }
        TRY(damage_keep(t, sp));
        watch_gate(t, sp);
        if (done)
            continue;
        if (sp->keep_asked)
            TRY(task_yield(t));
        if (sp->keep_asked)
            continue;
        e = bell_wait(t, &sp->keep, wanting ? after_s(t, KEEP_POLL_S) : NEVER);
        if (e && e != ERR_LATE)
            return e;
    }
}
