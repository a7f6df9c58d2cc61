/* SPDX-License-Identifier: ISC
 *
 * Segment files: "hot-000017" and "cold-000003" in the spool's directory, all
 * of one size.  They are written full of zeroes once, so that later writes
 * allocate nothing and a sync costs the data alone.  The file "ring" has their
 * names, so that it is noticed when one is missing.
 */
#include "spool/log.h"

enum { ZERO_PIECE = 256 * 1024 };

str segment_name(struct arena *a, const struct log *lg, uint32_t number)
{
    return arena_fmt(a, "%s-%06u", lg->which == LOG_HOT ? "hot" : "cold",
                     number & ~(uint32_t)SEGMENT_COLD);
}

static struct segment *segment_add(struct log *lg, uint32_t number,
                                   struct file *file)
{
    struct segment *s = arena_new(lg->sp->arena, struct segment);

    s->number = number;
    s->file = file;
    arena_own(lg->sp->arena, file_close_any, file);
    list_add_first(&lg->segments, &s->link); /* generation 0: the oldest */
    lg->n_segments++;
    if (lg->next_number <= number)
        lg->next_number = number + 1;
    return s;
}

static err fill_with_zeroes(struct task *t, struct file *f, uint64_t size)
{
    char *zeroes = heap_alloc(ZERO_PIECE);
    err e = OK;

    for (uint64_t at = 0; at < size && !e; at += ZERO_PIECE) {
        uint64_t left = size - at;
        e = file_write(t, f, at, str_of(zeroes, left < ZERO_PIECE
                                                    ? left : ZERO_PIECE));
        if (!e)
            e = task_yield(t);
    }
    heap_free(zeroes);
    return e ? e : file_sync_aside(t, f);
}

enum { RING_MAX = 16 * 1024 * 1024 };

/* One that cannot be written says less than there is, which harms nobody. */
err ring_write(struct task *t, struct spool *sp)
{
    struct arena a;
    struct buf b;
    err e;

    arena_init(&a, 0);
    buf_init(&b, &a, RING_MAX);
    for (int i = 0; i < N_LOGS; i++)
        list_each(l, &sp->logs[i].segments) {
            const struct segment *s = container_of(l, struct segment, link);
            buf_fmt(&b, "%.*s\n",
                    STR(segment_name(&a, &sp->logs[i], s->number)));
        }
    e = file_replace(t, sp->dir, S("ring"), buf_str(&b), 0600);
    arena_reset(&a);
    return e == ERR_STOPPED ? e : OK;
}

static bool exists(struct task *t, struct spool *sp, struct arena *a,
                   str name)
{
    struct file_stat st;

    return !file_stat_path(t, sp->dir, name, &st)
           || !file_stat_path(t, sp->dir, arena_cat(a, S(DAMAGED), name),
                              &st);
}

err ring_check(struct task *t, struct spool *sp)
{
    struct arena a;
    str list, name;
    err e;

    arena_init(&a, 0);
    e = file_load(t, sp->dir, S("ring"), &a, RING_MAX, &list);
    while (!e && str_cut(&list, '\n', &name))
        if (name.n > 0 && !exists(t, sp, &a, name))
            damage_note(t, sp, arena_fmt(sp->arena, "segment %.*s is "
                        "missing: mail that was in it is lost",
                        STR(name)));
    if (!e && sp->damage.n > 0 && !sp->options.read_only)
        e = ring_write(t, sp); /* it has been said, and is written down */
    arena_reset(&a);
    return e == ERR_STOPPED ? e : OK;
}

/* A new segment is made under another name, so that a crash on the way leaves
 * no half of one. */
err segment_make(struct task *t, struct log *lg)
{
    struct spool *sp = lg->sp;
    struct arena a;
    struct file *f;
    str name, temporary;
    uint32_t number = lg->next_number;
    err e;

    arena_init(&a, 0);
    name = segment_name(&a, lg, number);
    temporary = arena_fmt(&a, "%.*s.new", STR(name));
    lg->next_number++;
    e = file_open(t, sp->dir, temporary, FILE_READ | FILE_WRITE | FILE_CREATE,
                  0600, &f);
    if (!e) {
        e = fill_with_zeroes(t, f, sp->options.segment_size);
        if (!e)
            e = file_rename(t, sp->dir, temporary, sp->dir, name);
        if (!e)
            e = dir_sync(t, sp->dir);
        if (e) {
            str said = arena_str(&a, str_from(task_why(t)));
            file_close(f);
            err_ignore(file_unlink(t, sp->dir, temporary)); /* no litter */
            lg->next_number--;
            e = why(t, e, "%.*s", STR(said));
        } else {
            segment_add(lg, number, f);
            e = ring_write(t, sp);
        }
    }
    arena_reset(&a);
    return e;
}

static bool number_of(str name, str prefix, uint64_t *number)
{
    return str_starts(name, prefix)
           && str_uint(str_skip(name, prefix.n), SEGMENT_COLD - 1, number);
}

/* A segment of the wrong size is damaged; what is there of it is read. */
static err segment_load(struct task *t, struct log *lg, str name,
                        uint32_t number)
{
    struct spool *sp = lg->sp;
    struct segment *s;
    struct file_stat st;
    struct file *f;

    TRY(file_open(t, sp->dir, name,
                  FILE_READ | (sp->options.read_only ? 0 : FILE_WRITE), 0,
                  &f));
    s = segment_add(lg, number, f);
    TRY(file_stat_open(t, f, &st));
    if (st.size == sp->options.segment_size)
        return OK;
    s->damaged = true;
    damage_note(t, sp, arena_fmt(sp->arena, "segment %.*s has %" PRIu64
                                 " bytes instead of %u", STR(name), st.size,
                                 sp->options.segment_size));
    return OK;
}

err segments_load(struct task *t, struct log *lg)
{
    struct spool *sp = lg->sp;
    bool hot = lg->which == LOG_HOT;
    str prefix = hot ? S("hot-") : S("cold-");
    str aside = hot ? S(DAMAGED "hot-") : S(DAMAGED "cold-");
    uint32_t first = hot ? 0 : SEGMENT_COLD;
    struct names names;

    lg->next_number = first;
    TRY(dir_list(t, sp->dir, sp->arena, &names));
    for (size_t i = 0; i < names.n; i++) {
        uint64_t number;
        if (number_of(names.p[i], prefix, &number)) {
            TRY(segment_load(t, lg, names.p[i], first + (uint32_t)number));
        } else if (number_of(names.p[i], aside, &number)) {
            /* its number is not given again */
            if (lg->next_number <= first + (uint32_t)number)
                lg->next_number = first + (uint32_t)number + 1;
        }
    }
    return OK;
}

err spool_segment_open(struct task *t, struct spool *sp, uint32_t segment,
                       struct file **out)
{
    struct log *lg = &sp->logs[segment & SEGMENT_COLD ? LOG_COLD : LOG_HOT];
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = file_open(t, sp->dir, segment_name(&a, lg, segment), FILE_READ, 0,
                  out);
    arena_reset(&a);
    return e;
}
