/* SPDX-License-Identifier: ISC
 *
 * Bit rot, lost sectors, unreadable pages, segments that are short or away.
 *
 * Whom it hits is found by reading the log as it was before: every message of
 * which a record lies where the damage is, in whatever lap.
 */
#include "test/world/rot.h"

#include "spool/log.h"

enum damage_kind { FLIPPED, ZEROED, GARBLED, UNREADABLE, SHORT, AWAY, N_KINDS };

struct target {
    str name;
    char *bytes;
    size_t n;
    uint64_t generation;
    uint64_t sequence;      /* of its last batch */
    size_t last_at, end;    /* of that; and behind it */
};

static void hit(struct rot *rot, uint64_t id)
{
    uint64_t *kept;

    if (rot_hit(rot, id))
        return;
    kept = arena_new(&rot->memory, uint64_t);
    *kept = id;
    map_put(&rot->hit, str_of(kept, sizeof(*kept)), kept);
}

bool rot_hit(const struct rot *rot, uint64_t id)
{
    return map_get(&rot->hit, str_of(&id, sizeof(id))) != NULL;
}

static bool load(struct task *t, struct dir *dir, str name, uint32_t size,
                 struct target *to)
{
    struct segment s = { 0 };
    struct batch_head head;
    struct file *f;

    *to = (struct target){ .name = name, .bytes = heap_alloc(size) };
    if (file_open(t, dir, name, FILE_READ, 0, &f))
        return false;
    if (file_read(t, f, 0, to->bytes, size, &to->n))
        to->n = 0;
    file_close(f);
    if (to->n != size || get_u32(to->bytes) != RECORD_MAGIC)
        return false;
    s.generation = to->generation = get_u64(to->bytes + 16);
    for (size_t at = 0;;) {
        at = batch_next(str_of(to->bytes, to->n), at, &s, &head);
        if (at >= to->n)
            break;
        to->sequence = head.sequence;
        to->last_at = at;
        at += head.size;
        to->end = at;
    }
    return to->end > 0;
}

/* All messages with a record that touches the bytes from begin to end. */
static void hit_between(struct rot *rot, const struct target *g, size_t begin,
                        size_t end)
{
    for (size_t at = 0; at < g->end;) {
        struct record r;
        str left = str_of(g->bytes + at, g->n - at);
        size_t size = RECORD_ALIGN;
        if (!record_get(left, g->generation, true, &r)) {
            size = record_size(r.payload.n);
            if (r.type != RECORD_BATCH && at < end && at + size > begin)
                hit(rot, r.message);
        }
        at += size;
    }
}

static void overwrite(struct task *t, struct file *f, const struct target *g,
                      enum damage_kind kind, size_t at, size_t n)
{
    char *bytes = heap_alloc(n);

    if (kind == FLIPPED) {
        bytes[0] = (char)(g->bytes[at] ^ (1 << below(t, 8)));
        n = 1;
    } else if (kind == GARBLED) {
        rt_random(t, bytes, n);
    }
    err_ignore(file_write(t, f, at, str_of(bytes, n)));
    err_ignore(file_sync(t, f));
    heap_free(bytes);
}

/* Somewhere that does not touch the last batch of the log. */
static void damage(struct task *t, struct rot *rot, struct dir *dir,
                   const struct target *g, bool is_last)
{
    enum damage_kind kind = (enum damage_kind)below(t, N_KINDS);
    size_t bound = is_last ? g->last_at : g->end;
    size_t at = bound ? below(t, bound) : 0, n = 1;
    struct file *f;

    if (bound == 0 || (is_last && kind >= SHORT)
        || file_open(t, dir, g->name, FILE_READ | FILE_WRITE, 0, &f))
        return;
    if (one_in(t, 4))
        at = 0;
    if (kind == ZEROED || kind == GARBLED) {
        at -= at % 512;
        n = 512 * (1 + below(t, 4));
    } else if (kind == UNREADABLE) {
        at -= at % BATCH_ALIGN;
        n = BATCH_ALIGN;
    } else if (kind >= SHORT) {
        n = g->n;
    }
    if (kind == AWAY)
        at = 0;
    n = n < g->n - at ? n : g->n - at;
    if (is_last && at + n > bound)
        n = bound - at;
    sim_say(t, "--- rot %d: %.*s, %zu bytes at %zu", (int)kind, STR(g->name),
            n, at);
    hit_between(rot, g, at, at + n);
    if (kind < UNREADABLE)
        overwrite(t, f, g, kind, at, n);
    else if (kind == UNREADABLE)
        sim_page_break(f, at);
    else if (kind == SHORT)
        err_ignore(file_size_set(t, f, at));
    else
        err_ignore(file_unlink(t, dir, g->name));
    err_ignore(file_sync(t, f));
    err_ignore(dir_sync(t, dir));
    file_close(f);
    rot->n++;
}

static bool is_segment(str name)
{
    return str_starts(name, S("hot-")) || str_starts(name, S("cold-"));
}

void rot_once(struct task *t, struct rot *rot, struct dir *dir,
              uint32_t segment_size)
{
    struct target best = { 0 }, g;
    uint64_t last[N_LOGS] = { 0 };
    struct names names;
    struct arena a;
    uint64_t n = 0;

    arena_init(&a, 0);
    err_ignore(dir_list(t, dir, &a, &names));
    for (size_t i = 0; i < names.n; i++) {
        uint64_t *most = &last[names.p[i].p[0] == 'c'];
        if (!is_segment(names.p[i]) || str_ends(names.p[i], S(".new")))
            continue;
        if (load(t, dir, names.p[i], segment_size, &g)
            && g.sequence > *most)
            *most = g.sequence;
        if (g.end > 0 && one_in(t, ++n)) {
            heap_free(best.bytes);
            best = g;
        } else {
            heap_free(g.bytes);
        }
    }
    if (best.bytes)
        damage(t, rot, dir, &best,
               best.sequence == last[best.name.p[0] == 'c']);
    heap_free(best.bytes);
    arena_reset(&a);
}
