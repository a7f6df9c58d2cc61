/* SPDX-License-Identifier: ISC
 *
 * Delivery into a Maildir: tmp/, sync, rename into new/, sync.  UIDs come
 * later, when somebody reads: mail arrives without any lock.
 */
#include "store/delivery.h"

#include "store/box.h"
#include "store/sync_group.h"

enum { WRITE_SIZE = 32 * 1024 };

struct maildir_delivery {
    struct delivery d;
    struct store st;            /* as much of one as names and quota need */
    struct arena *a;
    struct dir *dir;            /* the Maildir */
    struct file *file;
    str tmp;
    uint64_t offset, bare;
    struct buf out;
    struct sync_group *group;
    char last;                  /* the byte before the piece */
    uint64_t size_max;
};

static struct maildir_delivery *of(struct delivery *d)
{
    return container_of(d, struct maildir_delivery, d);
}

static void spend(struct maildir_delivery *m)
{
    file_close(m->file);
    m->file = NULL;
    quota_unlock(&m->st);
    if (m->st.root != m->dir)
        dir_close(m->st.root);
    m->st.root = NULL;
    dir_close(m->dir);
    m->dir = NULL;
    buf_free(&m->out);
}

static void maildir_done(void *object)
{
    spend(object);
}

/* A folder's mail counts where the folder is (Maildir++). */
static err quota_root(struct task *t, struct dir *dir, struct dir **root)
{
    struct file_stat st;

    *root = dir;
    return file_stat_path(t, dir, S("maildirfolder"), &st)
               ? OK : dir_open(t, dir, S(".."), root);
}

static err maildir_open(struct task *t, struct maildir_delivery *m,
                        struct dir *at, str path)
{
    struct file_stat st;
    err e = dir_open(t, at, path, &m->dir);

    if (e == ERR_ABSENT) {
        TRY(dir_make_path(t, at, path, m->st.dir_mode));
        e = dir_open(t, at, path, &m->dir);
    }
    TRY(e);
    if (file_stat_path(t, m->dir, S("new"), &st)
        || file_stat_path(t, m->dir, S("tmp"), &st)
        || file_stat_path(t, m->dir, S("cur"), &st))
        TRY(box_dirs_make(t, &m->st, m->dir));
    TRY(quota_root(t, m->dir, &m->st.root));
    m->tmp = box_fresh_name(t, &m->st, m->a);
    return file_open(t, m->dir, arena_cat(m->a, S("tmp/"), m->tmp),
                     FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
                     m->st.file_mode, &m->file);
}

static err write_out(struct task *t, struct maildir_delivery *m)
{
    err e = file_write(t, m->file, m->offset, buf_str(&m->out));

    m->offset += m->out.n;
    buf_clear(&m->out);
    return e;
}

static err maildir_write(struct task *t, struct delivery *d, str piece)
{
    struct maildir_delivery *m = of(d);
    const char *p = piece.p;

    if (!piece.n)
        return OK;
    /* what no removal makes room for need not be written first */
    if (m->st.quota_bytes
        && m->offset + m->out.n + piece.n > m->st.quota_bytes)
        return why(t, ERR_LIMIT, "Quota exceeded (message is larger than the "
                   "whole quota)");
    if (m->size_max && m->offset + m->out.n + piece.n > m->size_max)
        return why(t, ERR_LIMIT, "message exceeds the mailbox size limit");
    for (size_t i = 0; i < piece.n; i++) {
        size_t lf = str_chr(str_skip(piece, i), '\n');
        if (lf == STR_NONE)
            break;
        i += lf;
        m->bare += (i ? p[i - 1] : m->last) != '\r';
    }
    m->last = p[piece.n - 1];
    while (piece.n) {
        str part = str_head(piece, WRITE_SIZE - m->out.n);
        buf_add(&m->out, part);
        piece = str_skip(piece, part.n);
        if (m->out.n == WRITE_SIZE)
            TRY(write_out(t, m));
    }
    return OK;
}

static void maildir_cancel(struct task *t, struct delivery *d)
{
    struct maildir_delivery *m = of(d);

    if (m->dir && m->file)      /* litter at worst */
        err_ignore(file_unlink(t, m->dir,
                               arena_cat(m->a, S("tmp/"), m->tmp)));
    spend(m);
}

/* The new name on stable storage.  Where that fails the message is taken away
 * again, so that it does not come twice; unless somebody reads it already:
 * then it has arrived. */
static err sync_new(struct task *t, struct maildir_delivery *m, str to)
{
    err e = m->group ? sync_point(t, m->group) : dir_sync_above(t, m->dir,
                                                                to);
    str said;

    if (!e)
        return OK;
    said = arena_str(m->a, str_from(task_why(t)));
    if (file_unlink(t, m->dir, to))
        return OK;
    return why(t, e, "%.*s", STR(said));
}

/* Gives a message that is on stable storage its place, if the quota has room
 * for it. */
static err show(struct task *t, struct maildir_delivery *m, str from, str to)
{
    err e = quota_lock(t, &m->st);

    if (!e)
        e = quota_check(t, &m->st, m->offset, 1);
    if (!e)
        e = file_rename(t, m->dir, from, m->dir, to);
    if (!e)
        quota_add(t, &m->st, (int64_t)m->offset, 1);
    quota_unlock(&m->st);
    return e;
}

static err maildir_finish(struct task *t, struct delivery *d)
{
    struct maildir_delivery *m = of(d);
    str from = arena_cat(m->a, S("tmp/"), m->tmp), to;
    err e = write_out(t, m);

    if (!e)
        e = m->group ? sync_point(t, m->group)
                     : file_sync_aside(t, m->file);
    if (e) {
        maildir_cancel(t, d);
        return e;
    }
    to = arena_fmt(m->a, "new/%.*s,S=%" PRIu64 ",W=%" PRIu64, STR(m->tmp),
                   m->offset, m->offset + m->bare);
    e = show(t, m, from, to);
    if (e) {
        maildir_cancel(t, d);
        return e;
    }
    e = sync_new(t, m, to);
    if (e)
        quota_add(t, &m->st, -(int64_t)m->offset, -1);
    spend(m);
    return e;
}

static const struct delivery_kind kind = {
    "delivered to maildir", maildir_write, maildir_finish, maildir_cancel,
};

/* As much of a store as names and quota need. */
static struct store store_of(struct arena *a,
                             const struct delivery_options *o)
{
    bool none = o->quota_bytes == QUOTA_NONE;

    return (struct store){
        .a = a, .host = o->host.n ? o->host : S("localhost"),
        .separator = '.',
        .file_mode = o->file_mode ? o->file_mode : 0600,
        .dir_mode = o->dir_mode ? o->dir_mode : 0700,
        .quota_bytes = none ? 0 : o->quota_bytes,
        .quota_messages = o->quota_messages,
    };
}

static err room_check(struct task *t, struct store *st,
                      const struct delivery_options *o, uint64_t size)
{
    if (o->quota_bytes != QUOTA_NONE)
        quota_learn(t, st);
    return quota_check(t, st, size, 1);
}

err maildir_room(struct task *t, struct arena *a, str path,
                 const struct delivery_options *o, uint64_t size)
{
    struct store st = store_of(a, o);
    struct dir *dir = NULL;
    err e = dir_open(t, NULL, path, &dir);

    if (e == ERR_ABSENT)
        return st.quota_bytes && size > st.quota_bytes
                   ? why(t, ERR_LIMIT, "Quota exceeded") : OK;
    if (!e)
        e = quota_root(t, dir, &st.root);
    if (!e)
        e = room_check(t, &st, o, size ? size : 1); /* none is empty */
    if (st.root != dir)
        dir_close(st.root);
    dir_close(dir);
    return e;
}

err maildir_deliver(struct task *t, struct arena *a, struct dir *at,
                    str path, const struct delivery_options *o,
                    struct delivery **out)
{
    struct maildir_delivery *m = arena_new(a, struct maildir_delivery);
    err e;

    m->d.kind = &kind;
    m->a = a;
    m->group = o->group;
    m->size_max = o->size_max;
    m->st = store_of(a, o);
    buf_init(&m->out, NULL, WRITE_SIZE);
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    arena_own(a, maildir_done, m);
    e = maildir_open(t, m, at, path);
    if (!e)
        e = room_check(t, &m->st, o, 0);
    if (e) {
        maildir_cancel(t, &m->d);
        return e;
    }
    *out = &m->d;
    return OK;
}

err delivery_write(struct task *t, struct delivery *d, str piece)
{
    return d->kind->write(t, d, piece);
}

err delivery_finish(struct task *t, struct delivery *d)
{
    return d->kind->finish(t, d);
}

void delivery_cancel(struct task *t, struct delivery *d)
{
    if (d)
        d->kind->cancel(t, d);
}

str delivery_how(const struct delivery *d)
{
    return str_from(d->kind->how);
}
