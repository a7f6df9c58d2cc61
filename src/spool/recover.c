/* SPDX-License-Identifier: ISC
 *
 * Recovery: what the log says after a stop of any kind.
 *
 * Segments are read in the order of their generations.  In each, batches
 * count while they are valid (I1); the segment ends at the first that is not.
 * Only the very last batch of a log can be torn, because the one before was
 * synced before it was written; so the payloads' CRCs are checked for the
 * last segment's batches and the heads' for all, and every reader checks what
 * it reads (spool_read).
 *
 * The records are replayed: ENV begins a message anew (a copy that was moved
 * forward replaces the older one), NOTE adds to it, GONE ends it.
 */
#include "spool/log.h"

#include "spool/events.h"

/* The generation at the head of a segment, 0 if it was never written. */
static err generation_read(struct task *t, struct log *lg, struct segment *s)
{
    char head[SPOOL_RECORD_HEAD + BATCH_PAYLOAD];
    struct record r;
    size_t n;

    TRY(file_read(t, s->file, 0, head, sizeof(head), &n));
    if (n == sizeof(head) && get_u32(head) == RECORD_MAGIC) {
        uint64_t generation = get_u64(head + 16);
        if (!record_get(str_of(head, n), generation, true, &r)
            && r.type == RECORD_BATCH)
            s->generation = generation;
    }
    if (s->generation > lg->sp->generation)
        lg->sp->generation = s->generation;
    return OK;
}

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

static struct found *found_get(struct spool *sp, uint64_t id)
{
    return map_get(&sp->entries, str_of(&id, sizeof(id)));
}

static void found_drop(struct spool *sp, struct found *f)
{
    uint64_t id = f->f.entry->id;

    map_del(&sp->entries, str_of(&id, sizeof(id)));
    list_del(&f->link);
    entry_drop(sp, f->f.entry);
    arena_reset(&f->arena);
    heap_free(f);
}

static bool extents_valid(struct spool *sp, const struct extent *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct segment *s = segment_find(sp, x[i].segment);
        if (!s || s->generation != x[i].generation
            || x[i].size > SPOOL_CHUNK_MAX)
            return false;
    }
    return true;
}

static void on_env(struct task *t, struct log *lg, struct segment *s,
                   const struct record *r)
{
    struct spool *sp = lg->sp;
    struct unpack u = unpack_of(r->payload);
    uint32_t n = unpack_count(&u, EXTENT_PACKED);
    struct found *before = found_get(sp, r->message);
    struct found *f = heap_new(struct found);
    struct extent *x;

    arena_init(&f->arena, 0);
    x = arena_array(&f->arena, struct extent, n);
    for (uint32_t i = 0; i < n; i++)
        extent_unpack(&u, &x[i]);
    if (before && before->generation < r->generation) {
        found_drop(sp, before);
        before = NULL;
    }
    if (before || u.bad || !extents_valid(sp, x, n)) {
        if (!before)
            say(t, spool_bad_message, r->message);
        arena_reset(&f->arena);
        heap_free(f);
        return;
    }
    f->generation = r->generation;
    f->f.envelope = arena_str(&f->arena, str_of(u.p, (size_t)(u.end - u.p)));
    f->f.entry = entry_new(lg, r->message, s->number, x, n);
    f->f.entry->owner = f;
    map_put(&sp->entries,
            str_of(&f->f.entry->id, sizeof(f->f.entry->id)), f);
    list_add_last(&sp->found, &f->link);
}

static void on_note(struct log *lg, const struct record *r)
{
    struct found *f = found_get(lg->sp, r->message);
    struct unpack u = unpack_of(r->payload);
    struct spool_note note = { .kind = unpack_u16(&u) };

    if (!f || f->f.entry->log != lg || u.bad)
        return;
    note.body = arena_str(&f->arena, str_of(u.p, (size_t)(u.end - u.p)));
    vec_push(&f->arena, &f->f.notes, note);
}

static void replay(struct task *t, struct log *lg, struct segment *s,
                   const struct record *r)
{
    struct found *f;

    switch (r->type) {
    case RECORD_ENV:
        on_env(t, lg, s, r);
        break;
    case RECORD_NOTE:
        on_note(lg, r);
        break;
    case RECORD_GONE:
        f = found_get(lg->sp, r->message);
        if (f && f->f.entry->log == lg)
            found_drop(lg->sp, f);
        break;
    default:
        break; /* CHUNKs are found through their ENV */
    }
}

/* Whether the batch's records are as they were written; how far they go. */
static bool batch_valid(str bytes, uint64_t generation,
                        const struct batch_head *head, bool whole)
{
    uint32_t crc = 0, n = 0;
    struct record r;

    bytes = str_skip(bytes, record_size(BATCH_PAYLOAD));
    for (; n < head->n_records; n++) {
        if (record_get(bytes, generation, whole, &r))
            return false;
        crc = crc32c(crc, str_head(bytes, SPOOL_RECORD_HEAD));
        bytes = str_skip(bytes, record_size(r.payload.n));
    }
    return crc == head->heads_crc;
}

/* Replays the batch at the start of bytes; *size is what it took, 0 at the
 * segment's end. */
static void batch_replay(struct task *t, struct log *lg, struct segment *s,
                         str bytes, bool whole, uint32_t *size)
{
    struct record r;
    struct batch_head head;
    str rest;

    *size = 0;
    if (record_get(bytes, s->generation, true, &r)
        || batch_head_get(&r, &head) || head.size > bytes.n
        || (lg->sequence && head.sequence <= lg->sequence)
        || !batch_valid(str_head(bytes, head.size), s->generation, &head,
                        whole))
        return;
    rest = str_skip(bytes, record_size(BATCH_PAYLOAD));
    for (uint32_t i = 0; i < head.n_records; i++) {
        if (record_get(rest, s->generation, false, &r))
            must_not_reach(); /* batch_valid looked */
        if (r.message > lg->sp->id_max)
            lg->sp->id_max = r.message;
        replay(t, lg, s, &r);
        rest = str_skip(rest, record_size(r.payload.n));
    }
    lg->sequence = head.sequence;
    *size = head.size;
}

static err segment_replay(struct task *t, struct log *lg, struct segment *s,
                          char *memory, bool last)
{
    uint32_t segment_size = lg->sp->options.segment_size;
    uint32_t at = 0, size;
    size_t n;

    TRY(file_read(t, s->file, 0, memory, segment_size, &n));
    do {
        batch_replay(t, lg, s, str_skip(str_of(memory, n), at), last, &size);
        at += size;
    } while (size > 0);
    return OK;
}

err log_recover(struct task *t, struct log *lg)
{
    char *memory = heap_resize(NULL, lg->sp->options.segment_size);
    err e = OK;

    list_each(l, &lg->segments) {
        e = generation_read(t, lg, container_of(l, struct segment, link));
        if (e)
            break;
    }
    sort_by_generation(lg);
    list_each(l, &lg->segments) {
        struct segment *s = container_of(l, struct segment, link);
        if (e)
            break;
        if (s->generation > 0)
            e = segment_replay(t, lg, s, memory, l->next == &lg->segments);
    }
    heap_free(memory);
    return e;
}
