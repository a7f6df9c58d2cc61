/* SPDX-License-Identifier: ISC
 *
 * The spool as its owner sees it: opening, messages coming in, changes, ends.
 */
#include "spool/spool.h"

#include "spool/events.h"
#include "spool/log.h"

enum {
    SEGMENT_SIZE = 16 * 1024 * 1024,
    SEGMENTS_START = 4,
    BATCH_MAX = 2 * 1024 * 1024,
};

static void log_init(struct spool *sp, int which)
{
    struct log *lg = &sp->logs[which];

    lg->sp = sp;
    lg->which = which;
    lg->used = which == LOG_HOT;
    list_init(&lg->segments);
    lg->open.number = 1;
    lg->open.p = heap_resize(NULL, sp->batch_max);
    lg->spare = heap_resize(NULL, sp->batch_max);
}

static void spool_free(void *arg)
{
    struct spool *sp = arg;

    list_each(l, &sp->found) {
        struct found *f = container_of(l, struct found, link);
        arena_reset(&f->arena);
        heap_free(f);
    }
    list_each(l, &sp->live) {
        struct spool_entry *e = container_of(l, struct spool_entry, link);
        heap_free(e->extents);
        heap_free(e);
    }
    for (int i = 0; i < N_LOGS; i++) {
        heap_free(sp->logs[i].open.p);
        heap_free(sp->logs[i].spare);
    }
    map_free(&sp->entries);
}

static void set_options(struct spool *sp, const struct spool_options *o)
{
    sp->options = *o;
    if (!sp->options.segment_size)
        sp->options.segment_size = SEGMENT_SIZE;
    if (!sp->options.segments_start)
        sp->options.segments_start = SEGMENTS_START;
    must(sp->options.segment_size % BATCH_ALIGN == 0);
    sp->batch_max = sp->options.segment_size / 2 < BATCH_MAX
                        ? sp->options.segment_size / 2 : BATCH_MAX;
    sp->record_max = sp->batch_max / 2;
}

/* A full disk stops only the start of a spool that has nothing. */
static err first_segments(struct task *t, struct log *lg)
{
    while (lg->n_segments < lg->sp->options.segments_start) {
        err e = segment_make(t, lg);
        if (e && (e == ERR_STOPPED || lg->n_segments == 0))
            return e;
        if (e) {
            say(t, spool_no_segment, task_why(t));
            break;
        }
    }
    return OK;
}

err spool_open(struct task *t, struct arena *a, struct dir *dir,
               const struct spool_options *options, struct spool_owner owner,
               struct spool **out)
{
    struct spool *sp = arena_new(a, struct spool);

    sp->arena = a;
    sp->dir = dir;
    sp->owner = owner;
    set_options(sp, options);
    list_init(&sp->found);
    list_init(&sp->live);
    list_init(&sp->drafts);
    map_init(&sp->entries, false);
    arena_own(a, spool_free, sp);
    for (int i = 0; i < N_LOGS; i++)
        log_init(sp, i);
    /* a segment whose maker was killed before its name was durable must not
     * vanish with what is written to it from now on */
    if (!sp->options.read_only)
        TRY(dir_sync(t, dir));
    for (int i = 0; i < N_LOGS; i++) {
        TRY(segments_load(t, &sp->logs[i]));
        TRY(log_recover(t, &sp->logs[i]));
    }
    TRY(ring_check(t, sp));
    TRY(damage_check(t, sp)); /* what no later record has made good */
    if (sp->options.read_only) {
        *out = sp;
        return OK;
    }
    TRY(first_segments(t, &sp->logs[LOG_HOT]));
    say(t, spool_recovered, sp->stats.n_messages,
        sp->logs[LOG_HOT].n_segments + sp->logs[LOG_COLD].n_segments);
    *out = sp;
    return OK;
}

err spool_found_next(struct task *t, struct spool *sp,
                     struct spool_found *out)
{
    struct link *l;

    (void)t;
    if (sp->handed) {
        arena_reset(&sp->handed->arena);
        heap_free(sp->handed);
        sp->handed = NULL;
    }
    l = list_pop(&sp->found);
    if (!l) {
        map_free(&sp->entries);
        return ERR_END;
    }
    sp->handed = container_of(l, struct found, link);
    sp->handed->f.entry->owner = NULL;
    *out = sp->handed->f;
    return OK;
}

/* The reason rides on the task that found it: keep it for who is told. */
static err ended(struct task *t, struct spool *sp, err e)
{
    if (e != ERR_STOPPED && !sp->failed_why.p)
        sp->failed_why = arena_str(sp->arena, str_from(task_why(t)));
    return e;
}

static err run_log(struct task *t, void *arg)
{
    struct log *lg = arg;

    return ended(t, lg->sp, log_run(t, lg));
}

static err run_keeper(struct task *t, void *sp)
{
    return ended(t, sp, spool_keeper(t, sp));
}

err spool_run(struct task *t, struct spool *sp)
{
    struct task_group g;
    err e = OK;

    group_open(t, &g);
    for (int i = 0; i < N_LOGS; i++)
        group_go(&g, "log", run_log, &sp->logs[i]);
    group_go(&g, "keeper", run_keeper, sp);
    while (!e && !g.first && g.n == N_LOGS + 1)
        e = bell_wait(t, &g.ended, NEVER);
    if (g.first)
        e = g.first;
    group_close(t, &g);
    return why(t, e ? e : ERR_IO, "%.*s", STR(sp->failed_why));
}

err spool_flush(struct task *t, struct spool *sp)
{
    for (int i = 0; i < N_LOGS; i++) {
        const struct batch *b = &sp->logs[i].open;
        /* what is in flight counts too */
        TRY(log_synced(t, &sp->logs[i], b->number - !b->segment));
        if (sp->logs[i].owed.n > 0)
            return why(t, ERR_LIMIT, "the spool is full");
    }
    return OK;
}

err spool_close(struct task *t, struct spool *sp)
{
    err e = spool_flush(t, sp);

    for (int i = 0; i < N_LOGS && !e; i++)
        e = log_close(t, &sp->logs[i]);
    return e;
}

struct spool_draft *spool_begin(struct spool *sp, uint64_t id)
{
    struct spool_draft *d = heap_new(struct spool_draft);

    if (id > sp->id_max)
        sp->id_max = id;
    d->id = id;
    arena_init(&d->arena, 0);
    list_add_last(&sp->drafts, &d->link);
    return d;
}

err spool_chunk(struct task *t, struct spool *sp, struct spool_draft *d,
                str bytes)
{
    struct log *lg = &sp->logs[LOG_HOT];
    struct extent x;

    must(bytes.n > 0 && bytes.n <= SPOOL_CHUNK_MAX);
    TRY(log_room(t, lg, (uint32_t)record_size(bytes.n), NEED_MAIL));
    if (d->lost)
        return why(t, ERR_CORRUPT, "what has come of it cannot be read");
    if (!spool_draft_fits(sp, d, 0))
        return why(t, ERR_LIMIT, "the message is too large");
    x = (struct extent){ .segment = lg->open.segment->number,
                         .size = (uint32_t)bytes.n,
                         .generation = lg->open.segment->generation };
    x.offset = log_append(t, lg, RECORD_CHUNK, d->id, bytes, S(""));
    segment_live_add(lg->open.segment, (uint32_t)record_size(x.size));
    vec_push(&d->arena, &d->extents, x);
    return OK;
}

bool spool_draft_fits(const struct spool *sp, const struct spool_draft *d,
                      size_t envelope)
{
    return SPOOL_RECORD_HEAD + 4 + (d->extents.n + 1) * EXTENT_PACKED
           + envelope + RECORD_ALIGN <= sp->record_max;
}

void draft_drop_text(struct spool *sp, struct spool_draft *d)
{
    for (size_t i = 0; i < d->extents.n; i++)
        segment_live_del(segment_find(sp, d->extents.p[i].segment),
                         (uint32_t)record_size(d->extents.p[i].size));
    d->extents.n = 0;
    d->lost = true;
}

void spool_abort(struct spool *sp, struct spool_draft *d)
{
    if (!d)
        return;
    draft_drop_text(sp, d);
    list_del(&d->link);
    keep_ring(sp);
    arena_reset(&d->arena);
    heap_free(d);
}

/* The ENV record and the entry; *number is the batch it rides with. */
static err seal(struct task *t, struct spool *sp, struct spool_draft *d,
                str envelope, struct spool_entry **out, uint64_t *number)
{
    struct log *lg = &sp->logs[LOG_HOT];
    struct env_place env;
    struct buf head;
    size_t size = 4 + d->extents.n * EXTENT_PACKED + envelope.n;

    if (SPOOL_RECORD_HEAD + size + RECORD_ALIGN > sp->record_max)
        return why(t, ERR_LIMIT, "the envelope is too large");
    TRY(log_room(t, lg, (uint32_t)record_size(size), NEED_MAIL));
    if (d->lost)
        return why(t, ERR_CORRUPT, "what has come of it cannot be read");
    buf_init(&head, &d->arena, sp->record_max);
    pack_u32(&head, (uint32_t)d->extents.n);
    for (size_t i = 0; i < d->extents.n; i++)
        extent_pack(&head, &d->extents.p[i]);
    log_append(t, lg, RECORD_ENV, d->id, buf_str(&head), envelope);
    *number = lg->open.number;
    env = (struct env_place){ lg->open.segment->number,
                              (uint32_t)record_size(size) };
    *out = entry_new(lg, d->id, env, d->extents.p, (uint32_t)d->extents.n);
    return OK;
}

err spool_seal_later(struct task *t, struct spool *sp, struct spool_draft *d,
                     str envelope, struct spool_entry **out)
{
    uint64_t number;
    err e = seal(t, sp, d, envelope, out, &number);

    spool_abort(sp, d); /* the entry keeps the chunks alive now */
    return e;
}

err spool_seal(struct task *t, struct spool *sp, struct spool_draft *d,
               str envelope, struct spool_entry **out)
{
    struct spool_entry *entry = NULL;
    uint64_t number;
    err e = seal(t, sp, d, envelope, &entry, &number);

    spool_abort(sp, d);
    TRY(e);
    TRY(log_synced(t, &sp->logs[LOG_HOT], number)); /* I2 */
    *out = entry;
    return OK;
}

err spool_together(struct task *t, struct spool *sp, size_t bytes)
{
    if (bytes > sp->batch_max / 2)
        return why(t, ERR_LIMIT, "%zu bytes do not fit one batch", bytes);
    /* what ends makes more room than the report about it takes */
    return log_room(t, &sp->logs[LOG_HOT], (uint32_t)bytes, NEED_END);
}

err spool_note(struct task *t, struct spool *sp, struct spool_entry *e,
               uint16_t kind, str body)
{
    char head[2] = { (char)(kind & 0xff), (char)(kind >> 8) };

    must(!e->ended);
    if (body.n + 64 > sp->record_max)
        return why(t, ERR_LIMIT, "the note is too large");
    for (;;) {
        struct log *lg = e->log;
        TRY(log_room(t, lg, (uint32_t)record_size(2 + body.n), NEED_END));
        if (lg != e->log)
            continue; /* it moved while we waited for room */
        log_append(t, lg, RECORD_NOTE, e->id, str_of(head, 2), body);
        return OK;
    }
}

err spool_end(struct task *t, struct spool *sp, struct spool_entry *e)
{
    must(!e->ended);
    for (;;) {
        struct log *lg = e->log;
        err full = log_room(t, lg, (uint32_t)record_size(0), NEED_END);
        if (full && full != ERR_LIMIT)
            return full;
        if (lg != e->log)
            continue;
        if (full)
            log_owe(lg, e->id);
        else
            log_append(t, lg, RECORD_GONE, e->id, S(""), S(""));
        break;
    }
    e->ended = true;
    if (!e->moving)
        entry_drop(sp, e);
    return OK;
}

bool spool_is_cold(const struct spool_entry *e)
{
    return e->log->which == LOG_COLD;
}

bool spool_open_for_mail(const struct spool *sp)
{
    const struct log *lg = &sp->logs[LOG_HOT];

    return !lg->failed
           && (!lg->stuck || log_free(lg) > SEGMENT_RESERVE
               || (lg->tail && sp->options.segment_size - lg->tail_at
                                   > sp->options.segment_size / 4));
}

err spool_gate_wait(struct task *t, struct spool *sp)
{
    return bell_wait(t, &sp->gate, NEVER);
}

struct file *spool_segment_file(struct spool *sp, uint32_t segment)
{
    struct segment *s = segment_find(sp, segment);

    return s ? s->file : NULL;
}

uint64_t spool_next_id(const struct spool *sp)
{
    return sp->id_max + 1;
}

void spool_stats(const struct spool *sp, struct spool_stats *out)
{
    *out = sp->stats;
    for (int i = 0; i < N_LOGS; i++) {
        out->n_segments += sp->logs[i].n_segments;
        out->n_segments_free += log_free(&sp->logs[i]);
    }
}
