/* SPDX-License-Identifier: ISC
 *
 * The index on disk.
 */
#include "store/index_file.h"

#include "store/events.h"

enum {
    LOCK_S = 60,
    REOPEN_MAX = 10,        /* rewrites that overtake us in a row */
    SLACK = 64 * 1024,      /* history that is never worth a rewrite */
    FRAME_HEAD = 8,
};

#define INDEX_TEMPORARY S("veredus-index.tmp")

static err map_again(struct task *t, struct index *ix)
{
    str map;

    TRY(file_map(t, ix->file, &map));
    file_unmap(ix->map);
    ix->map = map;
    return OK;
}

/* Opens what the name leads to now, and reads it, under the shared lock. */
static err load(struct task *t, struct index *ix)
{
    struct file_stat st;
    struct index_state fresh;
    err e;

    file_close(ix->file);
    ix->file = NULL;
    TRY(file_open(t, ix->dir, INDEX_NAME, FILE_READ | FILE_WRITE, 0,
                  &ix->file));
    TRY(file_stat_open(t, ix->file, &st));
    TRY(file_lock(t, ix->file, ix->locked, after_s(t, LOCK_S)));
    e = map_again(t, ix);
    if (!e)
        e = index_read(ix->map, &fresh);
    if (!e) {
        ix->inode = st.inode;
        if (ix->s.generation && fresh.uid_validity != ix->s.uid_validity)
            ix->reset = true;
        index_merge(&fresh, &ix->s);
        ix->s = fresh;
    }
    if (!ix->locked)
        file_unlock(ix->file);
    if (e) {
        file_close(ix->file);
        ix->file = NULL;
    }
    return e;
}

err index_open(struct task *t, struct dir *dir, str place, uint32_t mode,
               struct index *out)
{
    err e;

    *out = (struct index){ .dir = dir, .mode = mode,
                           .place = heap_alloc(place.n + 1) };
    memcpy(out->place, place.p, place.n);
    out->place[place.n] = 0;
    buf_init(&out->frame, NULL, INDEX_FRAME_MAX);
    e = load(t, out);
    if (e)
        index_close(out);
    return e;
}

void index_close(struct index *ix)
{
    file_unmap(ix->map);
    ix->map = S("");
    file_close(ix->file);
    ix->file = NULL;
    dir_close(ix->dir);
    ix->dir = NULL;
    heap_free(ix->place);
    ix->place = NULL;
    buf_free(&ix->frame);
    index_state_free(&ix->s);
}

static str temporary_name(struct task *t, struct arena *a)
{
    uint64_t token;

    rt_random(t, &token, sizeof(token));
    return arena_fmt(a, "%.*s.%016" PRIx64, STR(INDEX_TEMPORARY), token);
}

/* A complete file under another name, on stable storage, and locked: whoever
 * opens it once it has its own waits for us. */
static err write_apart(struct task *t, struct dir *dir, str name,
                       uint32_t mode, str bytes, struct file **out)
{
    struct file *f;
    err e;

    TRY(file_open(t, dir, name,
                  FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
                  mode, &f));
    e = file_append(t, f, bytes);
    if (!e)
        e = file_sync(t, f);
    if (!e)
        e = file_lock(t, f, true, after_s(t, LOCK_S));
    if (e) {
        file_close(f);
        err_ignore(file_unlink(t, dir, name)); /* leave no litter */
        return e;
    }
    *out = f;
    return OK;
}

err index_create(struct task *t, struct dir *dir, uint32_t mode, str bytes)
{
    struct file *f = NULL;
    struct arena a;
    str name;
    err e;

    arena_init(&a, 0);
    name = temporary_name(t, &a);
    e = write_apart(t, dir, name, mode, bytes, &f);
    file_close(f);
    if (!e) {
        e = file_link(t, dir, name, dir, INDEX_NAME);
        if (e == ERR_DENIED)
            e = OK;         /* somebody else was first */
        err_ignore(file_unlink(t, dir, name)); /* linked or litter */
    }
    arena_reset(&a);
    return e ? e : dir_sync(t, dir);
}

/* Replays what is past our end; a lock is held. */
static err replay_new(struct task *t, struct index *ix)
{
    TRY(map_again(t, ix));
    if (ix->map.n < ix->s.applied)
        return why(t, ERR_CORRUPT, "index shrank");
    index_replay(&ix->s, ix->map);
    return OK;
}

err index_catch_up(struct task *t, struct index *ix)
{
    struct file_stat st;
    err e;

    must(!ix->locked);
    TRY(file_stat_path(t, ix->dir, INDEX_NAME, &st));
    if (st.inode == ix->inode && st.size == ix->s.applied)
        return OK;              /* even while it dozes */
    TRY(index_wake(t, ix));
    if (st.inode != ix->inode)
        return load(t, ix);
    TRY(file_lock(t, ix->file, false, after_s(t, LOCK_S)));
    e = replay_new(t, ix);
    file_unlock(ix->file);
    return e;
}

/* The next frame cuts them off; what they said of the directories may be gone
 * with them, so all of it is looked at again. */
static err skip_damage(struct task *t, struct index *ix)
{
    say(t, store_index_torn, ix->place, ix->s.torn, ix->s.applied,
        ix->s.uid_next);
    index_put_next(&ix->frame, ix->s.uid_next, index_modseq_next(t, ix));
    index_put_stamp(&ix->frame, &(struct index_stamp){ -1, -1, 0 });
    ix->assigns = true;
    return index_commit(t, ix);
}

err index_lock(struct task *t, struct index *ix)
{
    must(!ix->locked);
    TRY(index_wake(t, ix));
    for (int i = 0; i < REOPEN_MAX; i++) {
        struct file_stat st;
        err e;

        TRY(file_lock(t, ix->file, true, after_s(t, LOCK_S)));
        e = file_stat_path(t, ix->dir, INDEX_NAME, &st);
        if (!e && st.inode == ix->inode) {
            e = st.size == ix->s.applied ? OK : replay_new(t, ix);
            ix->locked = !e;
            index_frame_begin(&ix->frame);
            if (!e && index_torn(ix))
                e = skip_damage(t, ix);
            ix->locked = !e;
        } else {
            file_unlock(ix->file);
            if (!e)
                e = load(t, ix);
        }
        if (e && ix->file)
            file_unlock(ix->file);
        if (e || ix->locked)
            return e;
    }
    return why(t, ERR_LATE, "index is rewritten all the time");
}

/* The file that was written apart takes the name; it goes on as ours. */
static err replace(struct task *t, struct index *ix, str name,
                   struct file *fresh)
{
    struct index_state s = { 0 };
    struct file_stat st;
    str map = S("");
    err e = file_stat_open(t, fresh, &st);

    if (!e)
        e = file_map(t, fresh, &map);
    if (!e)
        e = index_read(map, &s);
    if (!e)
        e = file_rename(t, ix->dir, name, ix->dir, INDEX_NAME);
    if (e) {
        file_unmap(map);
        index_state_free(&s);
        return e;
    }
    file_close(ix->file);
    file_unmap(ix->map);
    ix->file = fresh;
    ix->map = map;
    ix->inode = st.inode;
    index_merge(&s, &ix->s);
    ix->s = s;
    /* what is written to it from now on must be found under the name */
    return dir_sync(t, ix->dir);
}

/* Drops the history.  What is in the index stays in it if that fails, and
 * sessions go on with the long one. */
static void rewrite(struct task *t, struct index *ix)
{
    struct arena a;
    struct buf all;
    struct index_state s = ix->s;
    struct file *fresh = NULL;
    str name;
    err e;

    arena_init(&a, 0);
    buf_init(&all, NULL, INDEX_FRAME_MAX);
    rt_random(t, &s.generation, sizeof(s.generation));
    s.generation |= 1;      /* never zero */
    index_put_all(&all, &s, ix->map, rt_wall(t));
    name = temporary_name(t, &a);
    e = all.over ? why(t, ERR_LIMIT, "index is too large")
                 : write_apart(t, ix->dir, name, ix->mode, buf_str(&all),
                               &fresh);
    if (!e)
        e = replace(t, ix, name, fresh);
    if (e) {
        ix->stays = true;
        say(t, store_index_stays, ix->place, task_why(t));
    }
    if (e && fresh && fresh != ix->file) {
        file_close(fresh);
        err_ignore(file_unlink(t, ix->dir, name)); /* litter */
    }
    buf_free(&all);
    arena_reset(&a);
}

/* The floor goes with each frame that assigns UIDs, in one sector. */
static err floor_raise(struct task *t, struct index *ix)
{
    struct buf h;
    err e;

    if (ix->s.uid_next <= ix->s.uid_floor)
        return OK;
    buf_init(&h, NULL, INDEX_HEADER_SIZE);
    index_header_put(&h, &ix->s, (int64_t)get_u64(ix->map.p + 24));
    e = file_write(t, ix->file, 0, buf_str(&h));
    buf_free(&h);
    if (!e)
        ix->s.uid_floor = ix->s.uid_next;
    return e;
}

/* Writes the frame; half of one, or one that is not known to be there, is cut
 * off again, even where a disk is full. */
static err frame_write(struct task *t, struct index *ix)
{
    err e = file_size_set(t, ix->file, ix->s.applied);

    if (!e)
        e = file_write(t, ix->file, ix->s.applied, buf_str(&ix->frame));
    if (e)
        err_ignore(file_size_set(t, ix->file, ix->s.applied));
    return e;
}

err index_commit(struct task *t, struct index *ix)
{
    must(ix->locked);
    if (ix->frame.over)
        return why(t, ERR_LIMIT, "index frame is too large");
    if (ix->frame.n <= FRAME_HEAD)
        return OK;
    index_frame_end(&ix->frame);
    TRY(frame_write(t, ix));
    TRY(replay_new(t, ix));
    TRY(floor_raise(t, ix));
    if (ix->frame.cap > SLACK)
        buf_free(&ix->frame);
    index_frame_begin(&ix->frame);
    if (!ix->stays && ix->s.applied > 2 * ix->s.live + SLACK)
        rewrite(t, ix);
    return OK;
}

err index_unlock(struct task *t, struct index *ix)
{
    bool sync = ix->assigns;

    if (!ix->locked)
        return OK;
    ix->locked = false;
    ix->assigns = false;
    buf_free(&ix->frame);
    if (!ix->file)
        return why(t, ERR_IO, "index was lost while it was rewritten");
    file_unlock(ix->file);
    return sync ? file_sync_aside(t, ix->file) : OK;
}

uint64_t index_modseq_next(struct task *t, const struct index *ix)
{
    uint64_t now_ms = (uint64_t)(rt_wall(t) / 1000);

    return now_ms > ix->s.modseq ? now_ms : ix->s.modseq + 1;
}

void index_doze(struct index *ix)
{
    if (ix->locked || ix->s.n_lost || ix->s.n_seen != ix->s.rows.n)
        return;
    for (size_t i = 0; i < ix->s.rows.n; i++)
        if (ix->s.rows.p[i].bits & ROW_CHANGED)
            return;
    file_unmap(ix->map);
    ix->map = S("");
    index_state_free(&ix->s);
    buf_free(&ix->frame);
}

err index_wake(struct task *t, struct index *ix)
{
    struct index_state s;
    size_t applied = ix->s.applied;
    err e;

    if (!ix->file)
        return why(t, ERR_IO, "index is not open");
    if (ix->map.n)
        return OK;
    TRY(file_lock(t, ix->file, false, after_s(t, LOCK_S)));
    e = map_again(t, ix);
    if (!e)
        e = index_header_read(ix->map, &s);
    file_unlock(ix->file);
    TRY(e);
    index_replay(&s, str_head(ix->map, applied));
    if (s.applied != applied || s.rows.n != ix->s.n_seen) {
        index_state_free(&s);
        return why(t, ERR_CORRUPT, "index changed behind its end");
    }
    s.n_seen = s.rows.n;
    for (size_t i = 0; i < s.rows.n; i++)
        s.rows.p[i].bits &= (uint8_t)~ROW_CHANGED;
    ix->s = s;
    return OK;
}
