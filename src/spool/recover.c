/* SPDX-License-Identifier: ISC
 *
 * Recovery: what the log says after a stop of any kind.
 *
 * Segments are read in the order of their generations.  In each, batches
 * count while they are valid (I1); the segment ends at the first that is not.
 * A batch that was torn stays where it is, and the log goes on in another
 * segment with its sequence number: so every recovery checks all CRCs, not
 * only those of the last segment.
 *
 * Only the youngest segment can hold what is in the system's cache and not on
 * the disk: an earlier process was killed, or its sync failed.  It is synced
 * and read again from the disk, so that nothing is built on what a power loss
 * may take away.
 *
 * The records are replayed, the hot log's first: ENV begins a message anew (a
 * later one replaces an earlier one, I6), NOTE adds to it, GONE ends it.
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

static void on_env(struct log *lg, struct segment *s, const struct record *r)
{
    struct spool *sp = lg->sp;
    struct unpack u = unpack_of(r->payload);
    uint32_t n = unpack_count(&u, EXTENT_PACKED);
    struct found *before = found_get(sp, r->message);
    struct found *f = heap_new(struct found);
    struct env_place env = { s->number,
                             (uint32_t)record_size(r->payload.n) };
    struct extent *x;

    arena_init(&f->arena, 0);
    x = arena_array(&f->arena, struct extent, n);
    for (uint32_t i = 0; i < n; i++)
        extent_unpack(&u, &x[i]);
    f->damaged = u.bad || !extents_valid(sp, x, n);
    if (f->damaged)
        n = 0;
    if (before)
        found_drop(sp, before);
    f->f.envelope = arena_str(&f->arena, str_of(u.p, (size_t)(u.end - u.p)));
    f->f.entry = entry_new(lg, r->message, env, x, n);
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

static void replay(struct log *lg, struct segment *s, const struct record *r)
{
    struct found *f;

    switch (r->type) {
    case RECORD_ENV:
        on_env(lg, s, r);
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

/* Whether the batch's records are as they were written. */
static bool records_valid(str bytes, uint64_t generation,
                          const struct batch_head *head)
{
    uint32_t crc = 0;
    struct record r;

    bytes = str_skip(bytes, record_size(BATCH_PAYLOAD));
    for (uint32_t n = 0; n < head->n_records; n++) {
        if (record_get(bytes, generation, true, &r))
            return false;
        crc = crc32c(crc, str_head(bytes, SPOOL_RECORD_HEAD));
        bytes = str_skip(bytes, record_size(r.payload.n));
    }
    return crc == head->heads_crc;
}

/* Whether a batch that counts is at the start of bytes. */
static bool batch_get(str bytes, uint64_t generation, struct batch_head *head)
{
    struct record r;

    return !record_get(bytes, generation, true, &r)
           && !batch_head_get(&r, head) && head->size <= bytes.n
           && records_valid(str_head(bytes, head->size), generation, head);
}

static void batch_replay(struct log *lg, struct segment *s, str bytes,
                         const struct batch_head *head)
{
    struct record r;

    bytes = str_skip(bytes, record_size(BATCH_PAYLOAD));
    for (uint32_t i = 0; i < head->n_records; i++) {
        if (record_get(bytes, s->generation, false, &r))
            must_not_reach(); /* batch_get looked */
        if (r.message > lg->sp->id_max)
            lg->sp->id_max = r.message;
        replay(lg, s, &r);
        bytes = str_skip(bytes, record_size(r.payload.n));
    }
}

static err segment_replay(struct task *t, struct log *lg, struct segment *s,
                          char *memory)
{
    struct batch_head head;
    bool first = true;
    str left;
    size_t n;

    TRY(file_read(t, s->file, 0, memory, lg->sp->options.segment_size, &n));
    for (left = str_of(memory, n); batch_get(left, s->generation, &head);
         left = str_skip(left, head.size)) {
        if (first ? head.sequence <= lg->sequence
                  : head.sequence != lg->sequence + 1)
            break;
        first = false;
        lg->sequence = head.sequence;
        if (head.id_max > lg->sp->id_max)
            lg->sp->id_max = head.id_max;
        batch_replay(lg, s, left, &head);
    }
    return OK;
}

/* The youngest segment, as the disk has it. */
static err youngest_reread(struct task *t, struct log *lg)
{
    struct segment *s = container_of(lg->segments.prev, struct segment, link);

    if (list_empty(&lg->segments) || s->generation == 0
        || lg->sp->options.read_only)
        return OK;
    TRY(file_reread(t, s->file));
    s->generation = 0;
    TRY(generation_read(t, lg, s));
    sort_by_generation(lg);
    return OK;
}

static err recover(struct task *t, struct log *lg, char *memory)
{
    list_each(l, &lg->segments)
        TRY(generation_read(t, lg, container_of(l, struct segment, link)));
    sort_by_generation(lg);
    TRY(youngest_reread(t, lg));
    list_each(l, &lg->segments) {
        struct segment *s = container_of(l, struct segment, link);
        if (s->generation > 0)
            TRY(segment_replay(t, lg, s, memory));
    }
    return OK;
}

err log_recover(struct task *t, struct log *lg)
{
    char *memory = heap_resize(NULL, lg->sp->options.segment_size);
    err e = recover(t, lg, memory);

    heap_free(memory);
    return e;
}
