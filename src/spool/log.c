/* SPDX-License-Identifier: ISC
 *
 * One log: appending to the open batch, committing it, rolling over to the
 * next segment.  See record.h for the invariants that the code cites.
 *
 * A batch's place is decided when its first record comes, so that extents are
 * final at once.  While one batch is in flight the next may open behind it.
 */
#include "spool/log.h"

enum {
    NOTE_DELAY_MS = 100,
    CLOSE_DELAY_MS = 1000,
    EAGER_BYTES = 256 * 1024, /* so much unwanted makes a batch all the same */
};

static uint32_t rounded(uint32_t n)
{
    return (n + BATCH_ALIGN - 1) & ~(uint32_t)(BATCH_ALIGN - 1);
}

void segment_live_add(struct segment *s, uint32_t bytes)
{
    s->live++;
    s->live_bytes += bytes;
}

void segment_live_del(struct segment *s, uint32_t bytes)
{
    must(s->live > 0 && s->live_bytes >= bytes);
    s->live--;
    s->live_bytes -= bytes;
}

struct segment *segment_find(struct spool *sp, uint32_t number)
{
    struct log *lg = &sp->logs[number & SEGMENT_COLD ? LOG_COLD : LOG_HOT];

    list_each(l, &lg->segments) {
        struct segment *s = container_of(l, struct segment, link);
        if (s->number == number)
            return s;
    }
    return NULL;
}

uint32_t log_free(const struct log *lg)
{
    uint32_t n = 0;

    list_each(l, &lg->segments) {
        const struct segment *s = container_of(l, struct segment, link);
        if (s == lg->tail || s->live > 0 || s->damaged)
            break;
        n++;
    }
    return n;
}

struct segment *log_oldest_live(const struct log *lg)
{
    list_each(l, &lg->segments) {
        struct segment *s = container_of(l, struct segment, link);
        if (s == lg->tail)
            break;
        if (s->live > 0)
            return s;
    }
    return NULL;
}

/* The next generation: a count, so that laps have an order, and chance below
 * it, so that nobody can write mail whose text reads as records of ours. */
static uint64_t generation_next(struct task *t, uint64_t last)
{
    uint32_t chance;

    rt_random(t, &chance, sizeof(chance));
    return ((last >> 32) + 1) << 32 | chance;
}

/* Takes the oldest segment as the new tail (I4). */
static void segment_take(struct task *t, struct log *lg)
{
    struct segment *s = container_of(lg->segments.next, struct segment, link);

    must(s->live == 0 && s != lg->tail && !s->damaged);
    list_del(&s->link);
    list_add_last(&lg->segments, &s->link);
    lg->opening = true;
    s->generation = generation_next(t, lg->sp->generation);
    lg->sp->generation = s->generation;
    lg->tail = s;
    lg->tail_at = BATCH_ALIGN;
}

static void batch_open(struct task *t, struct log *lg)
{
    struct batch *b = &lg->open;
    uint32_t left = lg->sp->options.segment_size - lg->tail_at;

    b->segment = lg->tail;
    b->at = lg->tail_at;
    b->cap = left < lg->sp->batch_max ? left : lg->sp->batch_max;
    b->n = (uint32_t)record_size(BATCH_PAYLOAD);
    b->n_records = 0;
    b->heads_crc = 0;
    b->since = rt_now(t);
    b->wanted = b->has_mail = false;
}

/* Opens a batch with room for bytes, on the tail or on the next segment. */
static err batch_begin(struct task *t, struct log *lg, uint32_t bytes,
                       enum log_need need)
{
    static const uint32_t leaves[] = { SEGMENT_RESERVE, SEGMENT_RESERVE,
                                       0, 0 };
    uint32_t size = rounded(bytes + (uint32_t)record_size(BATCH_PAYLOAD));
    uint32_t n_free;

    must(size <= lg->sp->batch_max);
    if (!lg->tail || lg->sp->options.segment_size - lg->tail_at < size) {
        n_free = log_free(lg);
        if (n_free <= SEGMENT_RESERVE * 2)
            keep_ring(lg->sp);
        if (n_free <= leaves[need]) {
            if (!lg->stuck || !lg->sp->gate_shut)
                keep_ring(lg->sp); /* else it knows */
            return why(t, ERR_LIMIT, "the spool is full");
        }
        segment_take(t, lg);
    }
    batch_open(t, lg);
    return OK;
}

err log_room(struct task *t, struct log *lg, uint32_t bytes,
             enum log_need need)
{
    for (;;) {
        struct batch *b = &lg->open;

        if (lg->failed)
            return why(t, lg->failed, "the spool's disk failed");
        if (b->segment && b->n + bytes <= b->cap)
            return OK;
        if (!b->segment) {
            err e = batch_begin(t, lg, bytes, need);
            if (e != ERR_LIMIT || need != NEED_MAIL || lg->stuck)
                return e;
            TRY(bell_wait(t, &lg->room, NEVER)); /* the keeper makes some */
            continue;
        }
        b->wanted = true; /* full: the next one has room */
        bell_ring(&lg->work);
        TRY(bell_wait(t, &lg->room, NEVER));
    }
}

void log_owe(struct log *lg, uint64_t message)
{
    vec_push(lg->sp->arena, &lg->owed, message);
}

/* Ends that found no room: they come first when there is some. */
static void owed_append(struct task *t, struct log *lg)
{
    uint32_t size = (uint32_t)record_size(0);

    while (lg->owed.n > 0 && lg->open.segment
           && lg->open.n + size <= lg->open.cap)
        log_append(t, lg, RECORD_GONE, lg->owed.p[--lg->owed.n], S(""),
                   S(""));
}

uint32_t log_append(struct task *t, struct log *lg, enum record_type type,
                    uint64_t message, str first, str second)
{
    struct batch *b = &lg->open;
    struct record r = { .type = type, .generation = b->segment->generation,
                        .message = message };
    uint32_t size = (uint32_t)record_size(first.n + second.n);
    uint32_t at = b->at + b->n;

    (void)t;
    must(b->segment && b->n + size <= b->cap);
    record_put(b->p + b->n, &r, first, second);
    b->heads_crc = crc32c(b->heads_crc,
                          str_of(b->p + b->n, SPOOL_RECORD_HEAD));
    b->n += size;
    b->n_records++;
    b->has_mail |= type == RECORD_ENV;
    if (b->n_records == 1 || b->n > EAGER_BYTES)
        bell_ring(&lg->work);
    return at;
}

err log_roll(struct task *t, struct log *lg)
{
    while (lg->open.segment) {
        lg->open.wanted = true;
        bell_ring(&lg->work);
        TRY(bell_wait(t, &lg->room, NEVER));
        if (lg->failed)
            return lg->failed;
    }
    lg->tail_at = lg->sp->options.segment_size;
    TRY(batch_begin(t, lg, 0, NEED_END));
    return log_synced(t, lg, lg->open.number);
}

err log_synced(struct task *t, struct log *lg, uint64_t number)
{
    if (lg->open.segment && lg->open.number == number) {
        lg->open.wanted = true;
        bell_ring(&lg->work);
    }
    while (lg->n_synced < number) {
        if (lg->failed)
            return why(t, lg->failed, "the spool's disk failed");
        TRY(bell_wait(t, &lg->synced, NEVER));
    }
    return OK;
}

/* Takes the open batch off; the next one opens behind it. */
static struct batch batch_take(struct log *lg)
{
    struct batch b = lg->open;
    uint32_t size = rounded(b.n);
    struct batch_head head = { .sequence = ++lg->sequence, .size = size,
                               .heads_crc = b.heads_crc,
                               .n_records = b.n_records,
                               .n_segments = lg->n_segments,
                               .id_max = lg->sp->id_max };

    must(lg->spare != NULL && size <= b.cap);
    memset(b.p + b.n, 0, size - b.n);
    b.n = size;
    batch_head_put(b.p, b.segment->generation, &head);
    lg->tail_at = b.at + size;
    lg->open = (struct batch){ .p = lg->spare, .number = b.number + 1 };
    lg->spare = NULL;
    return b;
}

/* A lap begins on the disk before anything is written behind it (I4). */
static err segment_begin(struct task *t, struct log *lg, struct segment *s)
{
    char page[BATCH_ALIGN] = { 0 };
    struct batch_head head = { .sequence = ++lg->sequence,
                               .size = BATCH_ALIGN,
                               .n_segments = lg->n_segments,
                               .id_max = lg->sp->id_max };

    batch_head_put(page, s->generation, &head);
    TRY(file_write(t, s->file, 0, str_of(page, sizeof(page))));
    return file_sync(t, s->file);
}

static err batch_commit(struct task *t, struct log *lg)
{
    struct batch b;
    err e = OK;

    if (lg->opening) {
        lg->opening = false;
        e = segment_begin(t, lg, lg->open.segment);
    }
    b = batch_take(lg);
    if (!e)
        e = file_write(t, b.segment->file, b.at, str_of(b.p, b.n));
    bell_ring_all(&lg->room);
    if (!e)
        e = file_sync(t, b.segment->file);
    lg->spare = b.p;
    if (e) {
        lg->failed = ERR_IO; /* I3 */
        bell_ring_all(&lg->synced);
        bell_ring_all(&lg->room);
        return why(t, ERR_IO, "spool segment: %s", task_why(t));
    }
    lg->n_synced = b.number;
    lg->unclosed = b.has_mail;
    lg->committed = rt_now(t);
    lg->sp->stats.n_batches++;
    lg->sp->stats.bytes_written += b.n;
    bell_ring_all(&lg->synced);
    return OK;
}

/* Whether an empty batch is due that says that the one before was on the
 * disk (R3).  At a segment's very end the next segment says so. */
static bool may_close(const struct log *lg)
{
    return lg->unclosed && !lg->failed
           && lg->sp->options.segment_size - lg->tail_at >= BATCH_ALIGN;
}

/* When the batch, or the one that closes the log, is to be written. */
static when batch_due(struct log *lg)
{
    const struct batch *b = &lg->open;

    if (b->segment)
        return b->wanted || b->n > EAGER_BYTES
                   ? 0 : b->since + NOTE_DELAY_MS * 1000;
    if (!may_close(lg))
        return NEVER;
    return lg->close_now ? 0 : lg->committed + CLOSE_DELAY_MS * 1000;
}

/* Until somebody waits for the batch, or it is large, or old. */
static err batch_wait(struct task *t, struct log *lg)
{
    for (;;) {
        when until = batch_due(lg);
        err e;

        if (until <= rt_now(t)) {
            if (!lg->open.segment)
                batch_open(t, lg);
            return OK;
        }
        e = bell_wait(t, &lg->work, until);
        if (e && e != ERR_LATE)
            return e;
    }
}

err log_close(struct task *t, struct log *lg)
{
    lg->close_now = true;
    bell_ring(&lg->work);
    while (may_close(lg))
        TRY(bell_wait(t, &lg->synced, NEVER));
    return OK;
}

err log_run(struct task *t, struct log *lg)
{
    for (;;) {
        TRY(batch_wait(t, lg));
        TRY(task_yield(t)); /* who is ready comes aboard */
        owed_append(t, lg);
        if (lg->open.segment)
            TRY(batch_commit(t, lg));
    }
}
