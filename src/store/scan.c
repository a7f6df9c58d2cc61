/* SPDX-License-Identifier: ISC
 *
 * The comparison.  Rows are found by the base of their names through a hash
 * table that lives as long as the scan.
 */
#include "store/scan.h"

enum {
    YOUNG_US = 2 * 1000 * 1000, /* more than any file system's clock tick */
    PATH_LEN_MAX = 600,
    STALE_S = 36 * 3600,
    SORT_ASIDE_MIN = 4096,
};

struct scan_job {
    struct index *ix;
    struct arena a;
    int dirs;                   /* which are listed */
    uint32_t *slots;            /* row index + 1 by hash of the base, of the
                                   rows that should be in these */
    size_t n_slots;
    uint64_t modseq;
    struct index_stamp stamp;
    vec_of(struct found) added;
};

struct found {
    struct maildir_name name;
    str whole;
    bool in_new;
};

str scan_path(struct arena *a, str map, const struct row *r)
{
    struct buf b;

    buf_init(&b, a, PATH_LEN_MAX);
    if (r->bits & ROW_IN_NEW) {
        buf_add(&b, S("new/"));
        buf_add(&b, index_name(map, r));
    } else {
        buf_add(&b, S("cur/"));
        if (r->bits & ROW_PLAIN)
            maildir_name_put(&b, index_name(map, r), r->flags, r->keywords);
        else
            buf_add(&b, index_name(map, r));
    }
    return buf_str(&b);
}

static err stamps(struct task *t, struct index *ix, struct index_stamp *out)
{
    struct file_stat n, c;

    out->checked_us = rt_wall(t);
    TRY(file_stat_path(t, ix->dir, S("new"), &n));
    TRY(file_stat_path(t, ix->dir, S("cur"), &c));
    out->new_us = n.mtime_us;
    out->cur_us = c.mtime_us;
    return OK;
}

/* I1 for one directory. */
static bool stamp_stale(int64_t mtime_us, int64_t known_us,
                        int64_t checked_us, int64_t now_us)
{
    return mtime_us != known_us || (checked_us < mtime_us + YOUNG_US
                                    && now_us >= mtime_us + YOUNG_US);
}

err scan_needed(struct task *t, struct index *ix, int *dirs)
{
    const struct index_stamp *known = &ix->s.stamp;
    struct index_stamp now;

    TRY(stamps(t, ix, &now));
    *dirs = 0;
    if (stamp_stale(now.new_us, known->new_us, known->checked_us,
                    now.checked_us))
        *dirs |= SCAN_NEW;
    if (stamp_stale(now.cur_us, known->cur_us, known->checked_us,
                    now.checked_us))
        *dirs |= SCAN_CUR;
    return OK;
}

err scan_stamp(struct task *t, struct index *ix)
{
    struct index_stamp now;

    TRY(stamps(t, ix, &now));
    index_put_stamp(&ix->frame, &now);
    return OK;
}

static int dir_of_row(const struct row *r)
{
    return r->bits & ROW_IN_NEW ? SCAN_NEW : SCAN_CUR;
}

/* Rows that are not looked for count as seen. */
static void slots_fill(struct scan_job *job, int dirs)
{
    struct rows *rows = &job->ix->s.rows;
    size_t n = 0;

    job->dirs = dirs;
    for (size_t i = 0; i < rows->n; i++) {
        rows->p[i].bits &= (uint8_t)~ROW_MARKED;
        if (dirs & dir_of_row(&rows->p[i]))
            n++;
        else
            rows->p[i].bits |= ROW_MARKED;
    }
    job->n_slots = 64;
    while (job->n_slots < n * 2)
        job->n_slots *= 2;
    job->slots = arena_array(&job->a, uint32_t, job->n_slots);
    for (size_t i = 0; i < rows->n; i++) {
        str base = maildir_base(index_name(job->ix->map, &rows->p[i]));
        size_t at;

        if (rows->p[i].bits & (ROW_LOST | ROW_MARKED))
            continue;
        at = str_hash(base, false) & (job->n_slots - 1);
        while (job->slots[at])
            at = (at + 1) & (job->n_slots - 1);
        job->slots[at] = (uint32_t)i + 1;
    }
}

static struct row *slots_find(struct scan_job *job, str base)
{
    size_t at = str_hash(base, false) & (job->n_slots - 1);

    for (; job->slots[at]; at = (at + 1) & (job->n_slots - 1)) {
        struct row *r = &job->ix->s.rows.p[job->slots[at] - 1];
        if (str_eq(maildir_base(index_name(job->ix->map, r)), base))
            return r;
    }
    return NULL;
}

/* The keywords that have names; other letters mean nothing here. */
static uint64_t keywords_known(const struct index *ix, uint64_t letters)
{
    size_t n = ix->s.n_words;

    return n >= 64 ? letters : letters & ((UINT64_C(1) << n) - 1);
}

/* Whether a name is what its flags would make of it. */
static bool is_plain(struct arena *a, str name, uint8_t flags,
                     uint64_t keywords)
{
    struct buf b;

    buf_init(&b, a, PATH_LEN_MAX);
    maildir_name_put(&b, name, flags, keywords);
    return str_eq(buf_str(&b), name);
}

/* A row's file was seen: is anything else than we know? */
static void compare_row(struct scan_job *job, struct row *r,
                        const struct found *f)
{
    uint64_t past = ~((UINT64_C(1) << MAILDIR_LETTERS) - 1);
    struct row now = *r;
    str known = scan_path(&job->a, job->ix->map, r);

    r->bits |= ROW_MARKED;
    if (str_eq(str_skip(known, 4), f->whole)
        && f->in_new == ((r->bits & ROW_IN_NEW) != 0))
        return;
    now.flags = f->name.flags;
    now.keywords = keywords_known(job->ix, f->name.keywords)
                   | (r->keywords & past);
    now.bits &= (uint8_t)~ROW_SAVED;
    if (f->in_new)
        now.bits |= ROW_IN_NEW;
    else if (is_plain(&job->a, f->whole, now.flags, now.keywords))
        now.bits |= ROW_PLAIN;
    if (now.flags != r->flags || now.keywords != r->keywords)
        now.modseq = job->modseq;
    index_put_flags(&job->ix->frame, &now, f->whole);
}

static err look_at(struct task *t, struct scan_job *job, str dir_name)
{
    bool in_new = str_eq(dir_name, S("new"));
    struct names names;
    struct dir *d;
    err e;

    TRY(dir_open(t, job->ix->dir, dir_name, &d));
    e = dir_list(t, d, &job->a, &names);
    dir_close(d);
    TRY(e);
    for (size_t i = 0; i < names.n; i++) {
        struct found f = { .whole = names.p[i], .in_new = in_new };
        struct row *r;

        task_breathe(t);
        if (!maildir_name_parse(names.p[i], &f.name))
            continue;
        r = slots_find(job, f.name.base);
        if (r && !(r->bits & ROW_MARKED))
            compare_row(job, r, &f);
        else if (!r)
            vec_push(&job->a, &job->added, f);
    }
    return OK;
}

static size_t n_missing(const struct index *ix)
{
    size_t n = 0;

    for (size_t i = 0; i < ix->s.rows.n; i++)
        n += !(ix->s.rows.p[i].bits & (ROW_MARKED | ROW_LOST));
    return n;
}

static int found_order(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    uint64_t s, u;
    uint32_t s_us, u_us;

    maildir_arrival(x->whole, &s, &s_us);
    maildir_arrival(y->whole, &u, &u_us);
    if (s != u)
        return s < u ? -1 : 1;
    if (s_us != u_us)
        return s_us < u_us ? -1 : 1;
    return str_cmp(x->whole, y->whole);
}

static void sort_added(void *arg)
{
    struct scan_job *job = arg;

    qsort(job->added.p, job->added.n, sizeof(struct found), found_order);
}

static err add_rows(struct task *t, struct scan_job *job)
{
    struct index *ix = job->ix;
    uint32_t uid = ix->s.uid_next;

    if (job->added.n > SORT_ASIDE_MIN)
        offload(t, sort_added, job);
    else if (job->added.n)
        sort_added(job);
    for (size_t i = 0; i < job->added.n; i++) {
        const struct found *f = &job->added.p[i];
        str path = arena_fmt(&job->a, "%s/%.*s", f->in_new ? "new" : "cur",
                             STR(f->whole));
        struct file_stat st;
        struct row r;
        err e;

        task_breathe(t);
        if (i > 0 && str_eq(f->name.base, job->added.p[i - 1].name.base))
            continue;       /* the same message twice */
        e = file_stat_path(t, ix->dir, path, &st);
        if (e == ERR_ABSENT || (!e && !st.is_regular))
            continue;       /* gone again, or nothing of ours */
        TRY(e);
        if (uid == UINT32_MAX)
            return why(t, ERR_LIMIT, "no more UIDs");
        r = (struct row){ .uid = uid++, .modseq = job->modseq,
                          .flags = f->name.flags,
                          .keywords = keywords_known(ix, f->name.keywords),
                          .size = maildir_wire_size(&f->name, st.size),
                          .date_s = st.mtime_us / 1000000 };
        if (f->in_new)
            r.bits = ROW_IN_NEW;
        else if (is_plain(&job->a, f->whole, r.flags, r.keywords))
            r.bits = ROW_PLAIN;
        index_put_row(&ix->frame, &r, f->whole);
        ix->assigns = true;
    }
    return OK;
}

static void drop_missing(struct scan_job *job)
{
    struct index *ix = job->ix;

    for (size_t i = 0; i < ix->s.rows.n; i++) {
        const struct row *r = &ix->s.rows.p[i];
        if (!(r->bits & (ROW_MARKED | ROW_LOST)))
            index_put_gone(&ix->frame, r->uid, job->modseq);
    }
}

/* Moves what is in new/ to cur/. */
static err take_new(struct task *t, struct index *ix)
{
    struct arena a;
    bool moved = false;
    err e = OK;

    arena_init(&a, 0);
    for (size_t i = 0; !e && i < ix->s.rows.n; i++) {
        struct row r = ix->s.rows.p[i];
        str from;

        if (!(r.bits & ROW_IN_NEW) || (r.bits & ROW_LOST))
            continue;
        from = scan_path(&a, ix->map, &r);
        r.bits = (uint8_t)((r.bits & ~ROW_SAVED) | ROW_PLAIN);
        e = file_rename(t, ix->dir, from, ix->dir,
                        scan_path(&a, ix->map, &r));
        if (e == ERR_ABSENT) {
            e = OK;         /* the next scan finds out */
            continue;
        }
        index_put_flags(&ix->frame, &r, S(""));
        moved = true;
        task_breathe(t);
    }
    arena_reset(&a);
    if (!e && moved)
        e = scan_stamp(t, ix);
    return e ? e : index_commit(t, ix);
}

/* Deliveries that crashed leave files in tmp/; the convention gives them 36
 * hours (maildir(5)).  By ctime: mtime is the date of a message. */
static void sweep_tmp(struct task *t, struct scan_job *job)
{
    int64_t old = rt_wall(t) - STALE_S * INT64_C(1000000);
    struct file_stat st;
    struct names names;
    struct dir *d;

    if (dir_open(t, job->ix->dir, S("tmp"), &d))
        return;
    if (!dir_list(t, d, &job->a, &names))
        for (size_t i = 0; i < names.n; i++)
            if (!file_stat_path(t, d, names.p[i], &st) && st.is_regular
                && st.ctime_us < old)   /* litter: next time will do too */
                err_ignore(file_unlink(t, d, names.p[i]));
    dir_close(d);
}

static err look(struct task *t, struct scan_job *job, int dirs)
{
    job->added.n = 0;
    index_frame_begin(&job->ix->frame);
    slots_fill(job, dirs);
    TRY(stamps(t, job->ix, &job->stamp));
    if (dirs & SCAN_NEW)
        TRY(look_at(t, job, S("new")));
    if (dirs & SCAN_CUR)
        TRY(look_at(t, job, S("cur")));
    return OK;
}

/* A second listing, for what the first one missed. */
static err look_again(struct task *t, struct scan_job *job)
{
    size_t n = job->ix->s.rows.n;
    bool *seen = arena_array(&job->a, bool, n + 1);

    for (size_t i = 0; i < n; i++)
        seen[i] = job->ix->s.rows.p[i].bits & ROW_MARKED;
    TRY(look(t, job, SCAN_BOTH));
    for (size_t i = 0; i < n; i++)
        if (seen[i])
            job->ix->s.rows.p[i].bits |= ROW_MARKED;
    return OK;
}

err scan_run(struct task *t, struct index *ix, int dirs, bool take)
{
    struct scan_job job = { .ix = ix };
    err e;

    must(ix->locked);
    arena_init(&job.a, 0);
    job.modseq = index_modseq_next(t, ix);
    e = look(t, &job, dirs);
    if (!e && n_missing(ix))    /* I2 */
        e = look_again(t, &job);
    if (!e) {
        drop_missing(&job);
        e = add_rows(t, &job);
    }
    if (!e) {
        index_put_stamp(&ix->frame, &job.stamp);
        e = index_commit(t, ix);
    }
    if (dirs & SCAN_CUR)
        sweep_tmp(t, &job);
    arena_reset(&job.a);
    return e || !take ? e : take_new(t, ix);
}
