/* SPDX-License-Identifier: ISC
 *
 * What one record says, when the log is read again: ENV begins a message anew
 * (a later one replaces an earlier one, I7), NOTE adds to it, GONE ends it.
 */
#include "spool/log.h"

static struct found *found_get(struct spool *sp, uint64_t id)
{
    return map_get(&sp->entries, str_of(&id, sizeof(id)));
}

/* Whether all that the message lies in is still there. */
static enum found_state look(struct spool *sp, const struct extent *x,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct segment *s = segment_find(sp, x[i].segment);
        if (!s || (s->generation == 0 && s->damaged)
            || x[i].size > SPOOL_CHUNK_MAX)
            return FOUND_DAMAGED;
        if (s->generation != x[i].generation)
            return FOUND_RECYCLED;
    }
    return FOUND_WHOLE;
}

static bool is_readable(struct task *t, struct spool *sp, uint64_t id,
                        const struct extent *x, size_t n)
{
    char *memory;
    str bytes;
    bool all = look(sp, x, n) == FOUND_WHOLE;

    memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    for (size_t i = 0; i < n && all; i++)
        all = !spool_read(t, segment_find(sp, x[i].segment)->file, &x[i], id,
                          memory, &bytes);
    heap_free(memory);
    return all;
}

static void on_env(struct task *t, struct log *lg, struct segment *s,
                   const struct record *r)
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
    /* perhaps a torn copy, or mail nobody was answered for */
    if (lg->salvaging && (before || lg->doubtful)
        && !is_readable(t, sp, r->message, x, n)) {
        arena_reset(&f->arena);
        heap_free(f);
        return;
    }
    f->state = u.bad ? FOUND_DAMAGED : look(sp, x, n);
    if (f->state)
        n = 0; /* nothing that could be kept alive */
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

void log_replay(struct task *t, struct log *lg, struct segment *s,
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
