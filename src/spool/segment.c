/* SPDX-License-Identifier: ISC
 *
 * Segment files: "hot-000017" and "cold-000003" in the spool's directory, all
 * of one size.  They are written full of zeroes once, so that later writes
 * allocate nothing and a sync costs the data alone.
 */
#include "spool/log.h"

enum { ZERO_PIECE = 256 * 1024 };

static str segment_name(struct arena *a, const struct log *lg,
                        uint32_t number)
{
    return arena_fmt(a, "%s-%06u", lg->which == LOG_HOT ? "hot" : "cold",
                     number & ~(uint32_t)SEGMENT_COLD);
}

static void segment_add(struct log *lg, uint32_t number, struct file *file)
{
    struct segment *s = arena_new(lg->sp->arena, struct segment);

    s->number = number;
    s->file = file;
    arena_own(lg->sp->arena, file_close_any, file);
    list_add_first(&lg->segments, &s->link); /* generation 0: the oldest */
    lg->n_segments++;
    if (lg->next_number <= number)
        lg->next_number = number + 1;
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
            e = why(t, e, "%.*s", STR(said));
        } else {
            segment_add(lg, number, f);
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

err segments_load(struct task *t, struct log *lg)
{
    struct spool *sp = lg->sp;
    str prefix = lg->which == LOG_HOT ? S("hot-") : S("cold-");
    struct names names;
    struct file_stat st;

    if (lg->which == LOG_COLD)
        lg->next_number = SEGMENT_COLD;
    TRY(dir_list(t, sp->dir, sp->arena, &names));
    for (size_t i = 0; i < names.n; i++) {
        struct file *f;
        uint64_t number;
        if (!number_of(names.p[i], prefix, &number))
            continue;
        TRY(file_open(t, sp->dir, names.p[i],
                      FILE_READ | (sp->options.read_only ? 0 : FILE_WRITE),
                      0, &f));
        segment_add(lg, (uint32_t)number
                            + (lg->which == LOG_COLD ? SEGMENT_COLD : 0), f);
        TRY(file_stat_open(t, f, &st));
        if (st.size != sp->options.segment_size)
            return why(t, ERR_CORRUPT, "segment %.*s has %" PRIu64
                       " bytes instead of %u", STR(names.p[i]), st.size,
                       sp->options.segment_size);
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
