/* SPDX-License-Identifier: ISC
 *
 * The spool over real files: seal, recover, end, recycle, copy forward, cool.
 * Power loss and disk faults are test/world's.
 */
#include "spool/spool.h"

#include "test/unit/check.h"

#include <unistd.h>

struct box {
    struct arena mem;
    struct dir *tmp, *dir;
    str name;
    struct spool *sp;
    struct task_group g;
    uint64_t last_id;
};

static void pack_state(void *self, struct spool_entry *e, struct buf *to)
{
    (void)self;
    buf_fmt(to, "packed %" PRIu64, e->id);
}

static err run(struct task *t, void *sp)
{
    return spool_run(t, sp);
}

static void box_open(struct task *t, struct box *b)
{
    struct spool_options o = { .segment_size = 256 * 1024,
                               .segments_start = 4, .segments_max = 8 };
    struct spool_owner owner = { b, pack_state };

    check_ok(spool_open(t, &b->mem, b->dir, &o, owner, &b->sp));
    group_open(t, &b->g);
    group_go(&b->g, "spool", run, b->sp);
}

static void box_make(struct task *t, struct box *b)
{
    *b = (struct box){ 0 };
    arena_init(&b->mem, 0);
    check_ok(dir_open(t, NULL, S("/tmp"), &b->tmp));
    b->name = arena_fmt(&b->mem, "veredus-spool-%d", (int)getpid());
    check_ok(dir_make(t, b->tmp, b->name, 0700));
    check_ok(dir_open(t, b->tmp, b->name, &b->dir));
    box_open(t, b);
}

/* As after kill -9: nothing is flushed. */
static void box_again(struct task *t, struct box *b)
{
    struct arena fresh;

    group_close(t, &b->g);
    arena_init(&fresh, 0);
    b->name = arena_str(&fresh, b->name);
    arena_reset(&b->mem);
    b->mem = fresh;
    box_open(t, b);
}

static void box_drop(struct task *t, struct box *b)
{
    struct names names;

    group_close(t, &b->g);
    check_ok(dir_list(t, b->dir, &b->mem, &names));
    for (size_t i = 0; i < names.n; i++)
        check_ok(file_unlink(t, b->dir, names.p[i]));
    dir_close(b->dir);
    check_ok(dir_remove(t, b->tmp, b->name));
    dir_close(b->tmp);
    arena_reset(&b->mem);
}

static struct spool_entry *put(struct task *t, struct box *b, size_t size)
{
    char *body = heap_alloc(size);
    struct spool_draft *d = spool_begin(b->sp, ++b->last_id);
    struct spool_entry *e = NULL;

    memset(body, 'a' + (char)(b->last_id % 26), size);
    check_ok(spool_chunk(t, b->sp, d, str_of(body, size)));
    check_ok(spool_seal(t, b->sp, d,
                        arena_fmt(&b->mem, "env %" PRIu64, b->last_id), &e));
    if (e)
        e->owner = b;
    heap_free(body);
    return e;
}

static void check_body(struct task *t, struct box *b, struct spool_entry *e)
{
    char *p = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    str bytes = S("");

    check_ok(spool_read(t, spool_segment_file(b->sp, e->extents[0].segment),
                        &e->extents[0], e->id, p, &bytes));
    for (size_t i = 0; i < bytes.n; i++)
        if (bytes.p[i] != 'a' + (char)(e->id % 26)) {
            check(!"the body is another's");
            break;
        }
    heap_free(p);
}

static int count_found(struct task *t, struct box *b, struct spool_found *last)
{
    struct spool_found f;
    int n = 0;

    while (!spool_found_next(t, b->sp, &f)) {
        check_body(t, b, f.entry);
        f.entry->owner = b;
        *last = f;
        last->envelope = arena_str(&b->mem, f.envelope);
        n++;
    }
    return n;
}

TASK_TEST(spool_seal_and_recover)
{
    struct box b;
    struct spool_found last;
    struct spool_entry *first;

    box_make(t, &b);
    first = put(t, &b, 1000);
    put(t, &b, SPOOL_CHUNK_MAX);
    check_ok(spool_note(t, b.sp, first, 7, S("later")));
    check_ok(spool_flush(t, b.sp));
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 2);
    check_str(last.envelope, S("env 2"));
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 2);
    check_ok(spool_end(t, b.sp, last.entry));
    check_ok(spool_flush(t, b.sp));
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 1);
    check(str_ends(last.envelope, S(" 1"))); /* perhaps copied */
    box_drop(t, &b);
}

TASK_TEST(spool_recycles)
{
    struct box b;
    struct spool_stats stats;
    struct spool_found last;
    struct spool_entry *kept;

    box_make(t, &b);
    kept = put(t, &b, 5000);
    for (int i = 0; i < 2000; i++) {
        struct spool_entry *e = put(t, &b, 4096);
        if (!e)
            break;
        check_ok(spool_end(t, b.sp, e));
    }
    spool_stats(b.sp, &stats);
    check(stats.n_copied > 0); /* kept stood in the way */
    check(stats.n_segments <= 8 + 4);
    check_body(t, &b, kept);
    check_ok(spool_flush(t, b.sp));
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 1);
    check_str(last.envelope, S("packed 1"));
    box_drop(t, &b);
}

TASK_TEST(spool_full_still_takes_ends)
{
    struct box b;
    vec_of(struct spool_entry *) all = { 0 };
    struct spool_draft *d;
    struct spool_found last;
    char *body = heap_alloc(SPOOL_CHUNK_MAX);
    int n_refused = 0;

    box_make(t, &b);
    for (;;) {
        struct spool_entry *e;
        d = spool_begin(b.sp, ++b.last_id);
        if (spool_chunk(t, b.sp, d, str_of(body, SPOOL_CHUNK_MAX))) {
            spool_abort(b.sp, d);
            if (task_sleep(t, after_ms(t, 100)) || ++n_refused > 10)
                break;
            continue;
        }
        if (spool_seal(t, b.sp, d, S("env"), &e))
            break;
        vec_push(&b.mem, &all, e);
    }
    check(all.n >= 12);
    for (size_t i = 0; i < all.n; i++)
        check_ok(spool_end(t, b.sp, all.p[i]));
    check_ok(spool_flush(t, b.sp));
    check(put(t, &b, 100) != NULL);
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 1);
    heap_free(body);
    box_drop(t, &b);
}

/* Its commit record could not grow any more. */
TASK_TEST(spool_too_many_pieces)
{
    struct box b;
    struct spool_draft *d;
    char body[16] = "fifteen bytes.\n";
    err e = OK;
    int n = 0;

    box_make(t, &b); /* records of 64 KiB at most */
    d = spool_begin(b.sp, ++b.last_id);
    while (!e && n < 10000) {
        e = spool_chunk(t, b.sp, d, str_of(body, 15));
        n++;
    }
    check_int(e, ERR_LIMIT);
    check(n > 2000 && n < 4000);
    check(!spool_draft_fits(b.sp, d, 1000));
    spool_abort(b.sp, d);
    check(put(t, &b, 100) != NULL);
    box_drop(t, &b);
}

/* A bit of the second of three: the others are whole, and it is said. */
TASK_TEST(spool_goes_on_behind_a_hole)
{
    struct box b;
    struct spool_found f;
    struct spool_entry *second;
    struct file *file;
    str lines = S("");
    char byte;
    size_t n;
    int n_damaged = 0, n_found = 0;

    box_make(t, &b);
    put(t, &b, 1000);
    second = put(t, &b, 1000);
    put(t, &b, 1000);
    check_ok(spool_close(t, b.sp));
    file = spool_segment_file(b.sp, second->extents[0].segment);
    check_ok(file_read(t, file, second->extents[0].offset + 500, &byte, 1,
                       &n));
    byte ^= 1;
    check_ok(file_write(t, file, second->extents[0].offset + 500,
                        str_of(&byte, 1)));
    box_again(t, &b);
    while (!spool_found_next(t, b.sp, &f)) {
        f.entry->owner = &b;
        n_found++;
        n_damaged += f.damaged;
        if (!f.damaged)
            check_body(t, &b, f.entry);
    }
    check_int(n_found, 3);
    check_int(n_damaged, 1);
    check_ok(spool_damage(t, b.sp, &b.mem, &lines));
    check(str_find(lines, S("cannot be read")) != STR_NONE);
    box_drop(t, &b);
}

TASK_TEST(spool_cools)
{
    struct box b;
    struct spool_found last;
    struct spool_entry *e;

    box_make(t, &b);
    e = put(t, &b, 3000);
    put(t, &b, 10);
    check_int(spool_cool(t, b.sp, e), ERR_LIMIT); /* no cold segment yet */
    check_ok(task_sleep(t, after_ms(t, 200)));
    check_ok(spool_cool(t, b.sp, e));
    check_body(t, &b, e);
    check_ok(spool_note(t, b.sp, e, 1, S("cold note")));
    check_ok(spool_flush(t, b.sp));
    box_again(t, &b);
    check_int(count_found(t, &b, &last), 2);
    box_drop(t, &b);
}
