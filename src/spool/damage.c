/* SPDX-License-Identifier: ISC
 *
 * What is damaged: said in the log, written down in the file "damaged-list"
 * for who looks later (postqueue, veredus doctor), and put aside.  The file
 * has one line for each finding, once, and is the administrator's to remove.
 *
 * A damaged segment stays in the ring until nothing in it is alive and it is
 * the oldest; then its file gets the name "damaged-hot-000017" and no other
 * takes its number.  It must leave before the next younger segment is used
 * again: else its ENVs would outlive their GONEs (I4).
 */
#include "spool/log.h"

#include "spool/events.h"

enum { LIST_MAX = 256 * 1024 };

void damage_note(struct task *t, struct spool *sp, str line)
{
    say(t, spool_damaged, STR(line));
    vec_push(sp->arena, &sp->damage, line);
}

static bool is_in(str list, str line)
{
    str one;

    while (str_cut(&list, '\n', &one))
        if (str_eq(one, line))
            return true;
    return false;
}

/* The list, and what has been found since. */
static err list_read(struct task *t, struct spool *sp, struct arena *a,
                     str *before, struct buf *b)
{
    err e = file_load(t, sp->dir, S(DAMAGE_FILE), a, LIST_MAX, before);

    if (e == ERR_ABSENT)
        *before = S("");
    else
        TRY(e);
    buf_init(b, a, (size_t)4 * LIST_MAX);
    buf_add(b, *before);
    for (size_t i = sp->n_damage_kept; i < sp->damage.n; i++)
        if (!is_in(buf_str(b), sp->damage.p[i]) && b->n < LIST_MAX - 4096)
            buf_fmt(b, "%.*s\n", STR(sp->damage.p[i]));
    return OK;
}

static err list_write(struct task *t, struct spool *sp, struct arena *a)
{
    struct buf b;
    str before;

    TRY(list_read(t, sp, a, &before, &b));
    if (b.n == before.n)
        return OK;
    return file_replace(t, sp->dir, S(DAMAGE_FILE), buf_str(&b), 0600);
}

err damage_keep(struct task *t, struct spool *sp)
{
    struct arena a;
    err e;

    if (sp->n_damage_kept == sp->damage.n || sp->options.read_only)
        return OK;
    arena_init(&a, 0);
    e = list_write(t, sp, &a);
    arena_reset(&a);
    if (e == ERR_STOPPED)
        return e;
    if (e) /* it was said; and is found again */
        say(t, spool_no_list, task_why(t));
    sp->n_damage_kept = sp->damage.n;
    return OK;
}

err spool_damage(struct task *t, struct spool *sp, struct arena *a,
                 str *lines)
{
    struct buf b;
    str before;

    TRY(list_read(t, sp, a, &before, &b));
    *lines = buf_str(&b);
    return OK;
}

/* Whether all pieces of it that lie in damaged segments are whole. */
static bool is_whole(struct task *t, struct spool *sp,
                     const struct spool_entry *e, char *memory)
{
    for (uint32_t i = 0; i < e->n_extents; i++) {
        const struct extent *x = &e->extents[i];
        const struct segment *s = segment_find(sp, x->segment);
        str bytes;
        if (s->damaged
            && spool_read(t, s->file, x, e->id, memory, &bytes))
            return false;
    }
    return true;
}

static void check_one(struct task *t, struct spool *sp, struct found *f,
                      char *memory)
{
    uint64_t id = f->f.entry->id;

    if (f->state == FOUND_WHOLE
        && !is_whole(t, sp, f->f.entry, memory))
        f->state = FOUND_DAMAGED;
    f->f.damaged = f->f.entry->damaged = f->state == FOUND_DAMAGED;
    if (f->state != FOUND_RECYCLED)
        return;
    /* its segments would not have been used again while it was alive */
    say(t, spool_bad_message, id);
    found_drop(sp, f);
}

err damage_check(struct task *t, struct spool *sp)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);

    list_each(l, &sp->found)
        check_one(t, sp, container_of(l, struct found, link), memory);
    heap_free(memory);
    return damage_keep(t, sp);
}

bool segment_to_put_aside(const struct log *lg)
{
    const struct segment *s = container_of(lg->segments.next,
                                           const struct segment, link);

    return !list_empty(&lg->segments) && s->damaged && s->live == 0
           && s != lg->tail;
}

err segment_put_aside(struct task *t, struct log *lg)
{
    struct segment *s = container_of(lg->segments.next, struct segment, link);
    struct spool *sp = lg->sp;
    str name = segment_name(sp->arena, lg, s->number);
    str aside = arena_cat(sp->arena, S(DAMAGED), name);

    TRY(damage_keep(t, sp));
    TRY(file_rename(t, sp->dir, name, sp->dir, aside));
    TRY(dir_sync(t, sp->dir));
    list_del(&s->link);
    lg->n_segments--;
    say(t, spool_put_aside, STR(name), STR(aside));
    return ring_write(t, sp);
}
