/* SPDX-License-Identifier: ISC
 *
 * Changing messages of a view: flags, removal.  In each case the files are
 * renamed or removed first, then the index is told, under one lock: a crash
 * between the two is found by the next scan.
 */
#include "store/box.h"

enum { CHUNK = 500 };           /* rows changed under one lock */

struct change_job {
    struct view *v;
    const struct flag_change *change;
    struct arena *a;
    uint64_t bits;              /* of the keywords in the change */
    uint64_t modseq;
    vec_of(uint32_t) failed;
    vec_of(uint32_t) touched;   /* rows that were not marked changed before */
    bool moved;                 /* a file was not where we knew it */
    bool renamed;
};

/* The flags that a change may touch with these rights. */
static uint8_t flags_allowed(int rights)
{
    uint8_t flags = 0;

    if (rights & RIGHT_SEEN)
        flags |= FLAG_SEEN;
    if (rights & RIGHT_DELETE)
        flags |= FLAG_DELETED;
    if (rights & RIGHT_WRITE)
        flags |= FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT;
    return flags;
}

static void flags_apply(const struct change_job *job, struct row *r)
{
    const struct flag_change *c = job->change;
    uint8_t allowed = flags_allowed(job->v->rights);
    uint8_t flags = c->flags & allowed;
    uint64_t bits = job->v->rights & RIGHT_WRITE ? job->bits : 0;

    switch (c->operation) {
    case FLAGS_ADD:
        r->flags |= flags;
        r->keywords |= bits;
        break;
    case FLAGS_REMOVE:
        r->flags &= (uint8_t)~flags;
        r->keywords &= ~bits;
        break;
    case FLAGS_SET:
        r->flags = (uint8_t)((r->flags & ~allowed) | flags);
        if (job->v->rights & RIGHT_WRITE)
            r->keywords = bits;
        break;
    }
}

/* Renames one row's file to what its flags say and records it. */
static err change_row(struct task *t, struct change_job *job, uint32_t seq)
{
    struct index *ix = &job->v->ix;
    const struct row *was = view_row(job->v, seq);
    struct row r = *was;
    struct arena a;
    str from, to;
    err e = OK;

    if (r.bits & ROW_LOST)
        return OK;
    if (r.modseq > job->change->unchanged_since) {
        vec_push(job->a, &job->failed, seq);
        return OK;
    }
    flags_apply(job, &r);
    if (r.flags == was->flags && r.keywords == was->keywords)
        return OK;
    arena_init(&a, 0);
    from = scan_path(&a, ix->map, was);
    r.bits = (uint8_t)((r.bits & ~ROW_SAVED) | ROW_PLAIN);
    to = scan_path(&a, ix->map, &r);
    if (!str_eq(from, to)) {
        e = file_rename(t, ix->dir, from, ix->dir, to);
        job->renamed = true;
    }
    arena_reset(&a);
    if (e == ERR_ABSENT) {
        job->moved = true;
        return OK;
    }
    TRY(e);
    r.modseq = job->modseq;
    index_put_flags(&ix->frame, &r, S(""));
    if (!(was->bits & ROW_CHANGED))
        vec_push(job->a, &job->touched, seq);
    return OK;
}

/* A chunk of rows under the lock. */
static err change_locked(struct task *t, struct change_job *job,
                         struct seqs rows)
{
    struct index *ix = &job->v->ix;
    bool make = job->change->operation != FLAGS_REMOVE
                && (job->v->rights & RIGHT_WRITE);

    TRY(box_keywords(t, ix, job->change->keywords, job->change->n_keywords,
                     make, &job->bits));
    job->renamed = false;
    for (int try = 0; try < 2; try++) {
        job->modseq = index_modseq_next(t, ix);
        job->moved = false;
        job->failed.n = 0;
        for (size_t i = 0; i < rows.n; i++) {
            TRY(change_row(t, job, rows.p[i]));
            task_breathe(t);
        }
        if (job->renamed)
            TRY(scan_stamp(t, ix));
        TRY(index_commit(t, ix));
        if (!job->moved)
            break;
        TRY(scan_run(t, ix, SCAN_BOTH, true));
    }
    /* our own changes are no news to ourselves */
    for (size_t i = 0; i < job->touched.n; i++)
        ix->s.rows.p[job->touched.p[i] - 1].bits &= (uint8_t)~ROW_CHANGED;
    job->touched.n = 0;
    return OK;
}

err view_flags(struct task *t, struct view *v, struct seqs rows,
               const struct flag_change *change, struct arena *a,
               struct seqs *failed)
{
    struct change_job job = { .v = v, .change = change, .a = a };
    vec_of(uint32_t) all = { 0 };

    if (v->read_only
        || !(v->rights & (RIGHT_SEEN | RIGHT_WRITE | RIGHT_DELETE)))
        return why(t, ERR_DENIED, "mailbox is read-only");
    for (size_t i = 0; i < rows.n; i += CHUNK) {
        size_t left = rows.n - i;
        struct seqs chunk = { rows.p + i, left < CHUNK ? left : CHUNK };

        TRY(box_lock(t, &v->ix, true));
        TRY(box_unlock(t, &v->ix, change_locked(t, &job, chunk)));
        for (size_t j = 0; j < job.failed.n; j++)
            vec_push(a, &all, job.failed.p[j]);
    }
    *failed = (struct seqs){ all.p, all.n };
    return OK;
}

/* Removes one row's file. */
static err expunge_row(struct task *t, struct view *v, struct row *r,
                       uint64_t modseq)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = file_unlink(t, v->ix.dir, scan_path(&a, v->ix.map, r));
    arena_reset(&a);
    if (e == ERR_ABSENT)
        return OK;              /* somebody else did: the scan tells */
    TRY(e);
    index_put_gone(&v->ix.frame, r->uid, modseq);
    return OK;
}

static err expunge_locked(struct task *t, struct view *v, struct seqs rows,
                          bool all, int64_t *freed, int64_t *n)
{
    struct index_state *s = &v->ix.s;
    uint64_t modseq = index_modseq_next(t, &v->ix);
    size_t count = rows.p ? rows.n : s->n_seen;

    for (size_t i = 0; i < count; i++) {
        struct row *r = &s->rows.p[rows.p ? rows.p[i] - 1 : i];

        if ((r->bits & ROW_LOST) || !(all || (r->flags & FLAG_DELETED)))
            continue;
        TRY(expunge_row(t, v, r, modseq));
        task_breathe(t);
        *freed += (int64_t)quota_row_size(v->ix.map, r);
        ++*n;
    }
    return *n ? scan_stamp(t, &v->ix) : OK;
}

/* Expunges rows: those \Deleted, or all of them (a move). */
err view_remove(struct task *t, struct view *v, struct seqs rows, bool all)
{
    int64_t freed = 0, n = 0;
    err e;

    TRY(box_lock(t, &v->ix, true));
    e = box_unlock(t, &v->ix, expunge_locked(t, v, rows, all, &freed, &n));
    quota_add(t, v->st, -freed, -n);    /* files that went, if not all did */
    TRY(e);
    v->phase = 0;               /* a new walk tells of it */
    v->walk = v->ix.s.n_seen;
    return OK;
}

err view_expunge(struct task *t, struct view *v, struct seqs rows)
{
    err e;

    if (v->read_only || !(v->rights & RIGHT_EXPUNGE))
        return why(t, ERR_DENIED, "mailbox is read-only");
    TRY(quota_lock(t, v->st));
    e = view_remove(t, v, rows, false);
    quota_unlock(v->st);
    return e;
}
