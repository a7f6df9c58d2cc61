/* SPDX-License-Identifier: ISC
 *
 * Recovery: what the log says after a stop of any kind, and after damage.
 *
 * Segments are read in the order of their generations, and the records of
 * the batches that count (I1) are replayed (replay.c), the hot log's first.
 * What cannot be read is one of two things:
 *
 * R1  Batches of a log are numbered without a gap, over all its segments and
 *     laps, and none is written before the one before it is on the disk.  So
 *     a batch that cannot be read, while one with a higher number can be, was
 *     on the disk and was answered for: a HOLE.  If none with a higher number
 *     can be read it is the TORN END of a run: nobody was told of it, and
 *     it does not count.
 * R2  A run that follows a torn end writes to another segment (I5) and gives
 *     the number of the torn batch again.  So numbers go on over a torn end,
 *     it never becomes a hole, and nothing in it comes to life later.
 * R3  A log with nothing more to write closes itself with an empty batch
 *     (log.c): only what was written in the last second before a crash can
 *     pass for a torn end.
 * R4  In a hole each record counts that is whole and of the segment's
 *     generation, which no mail can imitate (I0): a bad sector takes away the
 *     records that lay on it (I6).  Of a message whose envelope is whole and
 *     whose text is not the owner is told (spool_found.damaged).
 * R5  In a hole a GONE or NOTE does not count if something before it in the
 *     same batch is missing: that may have been the report about it.  A GONE
 *     that is lost or does not count brings its message back: mail comes
 *     twice rather than not at all, and the line about the hole says so.
 * R6  A segment with a hole is never written again.  It stays in the ring, in
 *     its place, until nothing in it is alive, so that I4 holds; then it is
 *     renamed (damage.c).
 *
 * A hole at the end of a segment shows in the number that the next segment
 * begins with, and so does a segment that is missing between two others; one
 * that is missing at the end is known by the file "ring" (segment.c).
 *
 * Only the youngest segment can hold what is in the system's cache and not on
 * the disk: an earlier process was killed, or its sync failed.  It is synced
 * and read again from the disk, so that nothing is built on what a power loss
 * may take away.
 */
#include "spool/log.h"

#include "spool/events.h"

/* Where the reading is. */
struct reading {
    struct log *lg;
    struct segment *s;
    str bytes;
    size_t at;
    bool counting;          /* log->sequence is known */
    uint32_t n_segments;    /* that there were when the last batch came */
};

struct hole {
    size_t from, to;        /* in the segment */
    uint64_t first, end;    /* numbers of the batches: from first to end - 1 */
    uint32_t n_saved, n_envelopes, n_distrusted;
};

static void sort_by_generation(struct log *lg)
{
    struct link sorted;
    struct link *l;

    list_init(&sorted);
    while ((l = list_pop(&lg->segments))) {
        struct segment *s = container_of(l, struct segment, link);
        struct link *at = sorted.next;
        while (at != &sorted
               && container_of(at, struct segment, link)->generation
                      <= s->generation)
            at = at->next;
        list_add_last(at, l);
    }
    list_init(&lg->segments);
    while ((l = list_pop(&sorted)))
        list_add_last(&lg->segments, l);
}

static void saw_id(struct log *lg, uint64_t id)
{
    if (id > lg->sp->id_max)
        lg->sp->id_max = id;
}

static void batch_replay(struct task *t, struct reading *rd,
                         const struct batch_head *head)
{
    str bytes = str_skip(rd->bytes, rd->at + record_size(BATCH_PAYLOAD));
    struct record r;

    for (uint32_t i = 0; i < head->n_records; i++) {
        if (record_get(bytes, rd->s->generation, false, &r))
            must_not_reach(); /* batch_next looked */
        saw_id(rd->lg, r.message);
        log_replay(t, rd->lg, rd->s, &r);
        bytes = str_skip(bytes, record_size(r.payload.n));
    }
    saw_id(rd->lg, head->id_max);
    rd->lg->sequence = head->sequence;
    rd->n_segments = head->n_segments;
    rd->at += head->size;
}

/* --- holes ---------------------------------------------------------------- */

/* One whole record of a hole (R4, R5). */
static void record_save(struct task *t, struct reading *rd, struct hole *h,
                        bool complete, const struct record *r)
{
    bool state = r->type == RECORD_GONE || r->type == RECORD_NOTE;

    saw_id(rd->lg, r->message);
    if (state && !complete) {
        h->n_distrusted++;
        return;
    }
    h->n_saved++;
    h->n_envelopes += r->type == RECORD_ENV;
    log_replay(t, rd->lg, rd->s, r);
}

/* Whether a batch begins here that is none of the hole: the torn end that
 * lies behind it. */
static bool is_beyond(const struct record *r, const struct hole *h)
{
    struct batch_head head;

    return !batch_head_get(r, &head) && head.sequence >= h->end;
}

static void hole_save(struct task *t, struct reading *rd, struct hole *h)
{
    bool complete = false; /* all since the head of the batch */
    struct record r;

    for (size_t at = h->from; at < h->to;) {
        str left = str_head(str_skip(rd->bytes, at), h->to - at);
        if (record_get(left, rd->s->generation, true, &r)) {
            at += RECORD_ALIGN;
            complete = false;
            continue;
        }
        if (r.type == RECORD_BATCH && is_beyond(&r, h))
            break;
        if (r.type == RECORD_BATCH)
            complete = true;
        else
            record_save(t, rd, h, complete, &r);
        at += record_size(r.payload.n);
    }
}

/* An empty batch at the start of a lap has nothing in it to be missed. */
static bool is_opening(const struct reading *rd, const struct hole *h)
{
    return rd->s->headless && h->from == 0 && h->to == BATCH_ALIGN
           && h->end - h->first == 1 && rd->n_segments > 0;
}

static void on_hole(struct task *t, struct reading *rd, struct hole *h)
{
    str name = segment_name(rd->lg->sp->arena, rd->lg, rd->s->number);

    if (is_opening(rd, h)) {
        say(t, spool_bad_opening, STR(name));
        return;
    }
    rd->lg->salvaging = true;
    rd->lg->doubtful = h->to == rd->bytes.n;
    hole_save(t, rd, h);
    rd->lg->salvaging = false;
    rd->s->damaged = true;
    damage_note(t, rd->lg->sp, arena_fmt(
        rd->lg->sp->arena, "segment %.*s: %zu bytes at %zu cannot be read: "
        "%" PRIu64 " batches from number %" PRIu64 " on; %u records of them "
        "are saved, %u with an envelope; %u changes of state are not "
        "trusted: mail that was there may be missing, mail may come twice",
        STR(name), h->to - h->from, h->from, h->end - h->first, h->first,
        h->n_saved, h->n_envelopes, h->n_distrusted));
}

/* Batches until number end are missing up to this place. */
static void miss(struct task *t, struct reading *rd, size_t to, uint64_t end)
{
    struct hole h = { .from = rd->at, .to = to,
                      .first = rd->lg->sequence + 1, .end = end };

    on_hole(t, rd, &h);
    rd->lg->sequence = end - 1;
}

/* --- segments ------------------------------------------------------------- */

static const struct segment *next_of(const struct log *lg,
                                     const struct segment *s)
{
    return s->link.next == &lg->segments
               ? NULL : container_of(s->link.next, struct segment, link);
}

/* The oldest segment may begin with any number.  If its head is lost, and
 * with it the number, there was one batch at least. */
static void count_from(struct reading *rd, uint64_t sequence)
{
    if (rd->counting)
        return;
    rd->lg->sequence = rd->s->first ? rd->s->first - 1
                     : sequence > 1 ? sequence - 2 : 0;
    rd->counting = true;
}

static err segment_replay(struct task *t, struct reading *rd, char *memory)
{
    struct log *lg = rd->lg;
    const struct segment *next = next_of(lg, rd->s);
    struct batch_head head;
    size_t at;

    TRY(segment_bytes(t, lg, rd->s, memory, &rd->bytes));
    rd->at = 0;
    while ((at = batch_next(rd->bytes, rd->at, rd->s, &head)) < rd->bytes.n) {
        count_from(rd, head.sequence);
        if (head.sequence <= lg->sequence)
            break;
        rd->n_segments = head.n_segments;
        if (head.sequence > lg->sequence + 1)
            miss(t, rd, at, head.sequence);
        rd->at = at;
        batch_replay(t, rd, &head);
    }
    if (next && next->first > 0) {
        count_from(rd, next->first);
        if (next->first > lg->sequence + 1)
            miss(t, rd, rd->bytes.n, next->first);
    }
    if (rd->s->n_unreadable > 0) {
        rd->s->damaged = true;
        damage_note(t, lg->sp, arena_fmt(lg->sp->arena,
            "segment %.*s: %u pages of the disk cannot be read",
            STR(segment_name(lg->sp->arena, lg, rd->s->number)),
            rd->s->n_unreadable));
    }
    return OK;
}

/* The youngest segment, as the disk has it. */
static err youngest_reread(struct task *t, struct log *lg, char *memory)
{
    struct segment *s = container_of(lg->segments.prev, struct segment, link);

    if (list_empty(&lg->segments) || s->generation == 0
        || lg->sp->options.read_only)
        return OK;
    TRY(file_reread(t, s->file));
    TRY(segment_survey(t, lg, s, memory));
    sort_by_generation(lg);
    return OK;
}

/* What is there and belongs to no lap that is known. */
static void say_lost(struct task *t, struct log *lg)
{
    list_each(l, &lg->segments) {
        struct segment *s = container_of(l, struct segment, link);
        if (s->generation == 0 && s->damaged)
            damage_note(t, lg->sp, arena_fmt(lg->sp->arena,
                "segment %.*s: its beginning is damaged and nothing of it "
                "can be read: mail that was in it is missing",
                STR(segment_name(lg->sp->arena, lg, s->number))));
    }
}

static err recover(struct task *t, struct log *lg, char *memory)
{
    struct reading rd = { .lg = lg };

    list_each(l, &lg->segments)
        TRY(segment_survey(t, lg, container_of(l, struct segment, link),
                           memory));
    sort_by_generation(lg);
    TRY(youngest_reread(t, lg, memory));
    list_each(l, &lg->segments) {
        rd.s = container_of(l, struct segment, link);
        if (rd.s->generation > 0)
            TRY(segment_replay(t, &rd, memory));
    }
    say_lost(t, lg);
    return OK;
}

err log_recover(struct task *t, struct log *lg)
{
    char *memory = heap_resize(NULL, lg->sp->options.segment_size);
    err e = recover(t, lg, memory);

    heap_free(memory);
    return e;
}
