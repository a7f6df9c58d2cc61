/* SPDX-License-Identifier: ISC
 *
 * New messages in a mailbox that hands out their UIDs at once: APPEND, COPY,
 * MOVE.  (Mail that merely arrives goes through deliver.c.)
 *
 * Files come to be in tmp/, or as links of others, are synced, and get their
 * names in cur/ under the index' lock; then one frame shows all of them.
 */
#include "store/box.h"

enum { WRITE_SIZE = 32 * 1024, PATH_LEN_MAX = 600 };

struct fresh {
    str tmp;                /* base name, in tmp/ */
    uint64_t size, wire;
    uint8_t flags;
    const str *keywords;
    size_t n_keywords;
    int64_t date_s;
};

struct append {
    struct store *st;
    struct arena *a;
    str name;
    struct dir *dir;        /* the mailbox */
    struct file *file;      /* the message being written */
    struct buf out;
    bool after_cr;          /* a CR waits for what comes next */
    bool cr_cr;             /* and one before it was written */
    uint64_t offset;
    vec_of(struct fresh) list;
    uint64_t bytes;
};

static void append_done(void *object)
{
    struct append *ap = object;

    file_close(ap->file);
    ap->file = NULL;
    dir_close(ap->dir);
    ap->dir = NULL;
    buf_free(&ap->out);
}

err append_open(struct task *t, struct store *st, str name, struct arena *a,
                struct append **out)
{
    struct append *ap = arena_new(a, struct append);
    str path;

    if (!(st->rights & RIGHT_INSERT))
        return why(t, ERR_DENIED, "mailbox is read-only");
    TRY(box_find(t, st, a, name, &path));
    TRY(box_dir_open(t, st, path, &ap->dir));
    ap->st = st;
    ap->a = a;
    ap->name = box_canonical(st, a, name);
    buf_init(&ap->out, NULL, WRITE_SIZE * 2);
    arena_own(a, append_done, ap);
    *out = ap;
    return box_dirs_make(t, st, ap->dir);
}

err append_begin(struct task *t, struct append *ap,
                 const struct append_plan *plan)
{
    struct fresh f = { .flags = plan->flags, .keywords = plan->keywords,
                       .n_keywords = plan->n_keywords,
                       .date_s = plan->date_s ? plan->date_s
                                              : rt_wall(t) / 1000000 };

    must(!ap->file);
    TRY(quota_check(t, ap->st, ap->bytes + plan->size, ap->list.n + 1));
    f.tmp = box_fresh_name(t, ap->st, ap->a);
    TRY(file_open(t, ap->dir, arena_cat(ap->a, S("tmp/"), f.tmp),
                  FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
                  ap->st->file_mode, &ap->file));
    vec_push(ap->a, &ap->list, f);
    ap->offset = 0;
    ap->after_cr = ap->cr_cr = false;
    return OK;
}

static err write_out(struct task *t, struct append *ap)
{
    err e = file_write(t, ap->file, ap->offset, buf_str(&ap->out));

    ap->offset += ap->out.n;
    buf_clear(&ap->out);
    return e;
}

/* CR LF becomes LF; a CR that stands alone stays, and CR CR LF stays whole,
 * since a CR before a LF is taken for the line's own on the way out. */
err append_piece(struct task *t, struct append *ap, str bytes)
{
    struct fresh *f = &ap->list.p[ap->list.n - 1];

    while (bytes.n) {
        str piece = str_head(bytes, WRITE_SIZE);

        bytes = str_skip(bytes, piece.n);
        while (piece.n) {
            size_t at = str_any(piece, S("\r\n"));
            str plain = str_head(piece, at);

            if (plain.n && ap->after_cr) {
                buf_byte(&ap->out, '\r');
                ap->after_cr = false;
            }
            ap->cr_cr &= ap->after_cr;
            buf_add(&ap->out, plain);
            if (at == STR_NONE)
                break;
            if (piece.p[at] == '\n' && ap->cr_cr) {
                buf_add(&ap->out, S("\r\n"));
            } else if (piece.p[at] == '\n') {
                buf_byte(&ap->out, '\n');
                f->wire++;
            } else if (ap->after_cr) {
                buf_byte(&ap->out, '\r');
                ap->cr_cr = true;
            }
            ap->after_cr = piece.p[at] == '\r';
            ap->cr_cr &= ap->after_cr;
            piece = str_skip(piece, at + 1);
        }
        if (ap->out.n >= WRITE_SIZE)
            TRY(write_out(t, ap));
    }
    return OK;
}

err append_end(struct task *t, struct append *ap)
{
    struct fresh *f = &ap->list.p[ap->list.n - 1];
    err e;

    if (ap->after_cr)
        buf_byte(&ap->out, '\r');
    TRY(write_out(t, ap));
    f->size = ap->offset;
    f->wire += f->size;
    ap->bytes += f->size;
    e = file_times_set(t, ap->file, f->date_s * 1000000);
    if (!e)
        e = file_sync_aside(t, ap->file);
    file_close(ap->file);
    ap->file = NULL;
    buf_free(&ap->out);
    return e;
}

/* Everything is as if it had not been tried. */
static void unlink_all(struct task *t, struct dir *dir, const str *paths,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        err_ignore(file_unlink(t, dir, paths[i])); /* litter at worst */
        task_breathe(t);
    }
}

/* Gives one new file its place and its row. */
static err place(struct task *t, struct append *ap, struct index *ix,
                 const struct fresh *f, struct row *r, str *path)
{
    struct buf name, whole;

    buf_init(&name, ap->a, PATH_LEN_MAX);
    buf_init(&whole, ap->a, PATH_LEN_MAX);
    buf_fmt(&name, "%.*s,S=%" PRIu64 ",W=%" PRIu64, STR(f->tmp), f->size,
            f->wire);
    r->flags = f->flags;
    r->date_s = f->date_s;
    r->size = f->wire;
    r->bits = ROW_PLAIN;
    TRY(box_keywords(t, ix, f->keywords, f->n_keywords, true, &r->keywords));
    buf_add(&whole, S("cur/"));
    maildir_name_put(&whole, buf_str(&name), r->flags, r->keywords);
    *path = buf_str(&whole);
    TRY(file_rename(t, ap->dir, arena_cat(ap->a, S("tmp/"), f->tmp),
                    ix->dir, *path));
    index_put_row(&ix->frame, r, str_skip(*path, 4));
    return OK;
}

/* All keywords at once, since each new one is a frame of its own, and none of
 * them is in use yet. */
static err append_words(struct task *t, struct append *ap, struct index *ix)
{
    vec_of(str) names = { 0 };
    uint64_t bits;

    for (size_t i = 0; i < ap->list.n; i++)
        for (size_t j = 0; j < ap->list.p[i].n_keywords; j++)
            vec_push(ap->a, &names, ap->list.p[i].keywords[j]);
    return box_keywords(t, ix, names.p, names.n, true, &bits);
}

static err commit_locked(struct task *t, struct append *ap, struct index *ix,
                         uint32_t *uids)
{
    str *paths = arena_array(ap->a, str, ap->list.n);
    uint64_t modseq = index_modseq_next(t, ix);
    uint32_t uid = ix->s.uid_next;
    size_t n = 0;
    err e = append_words(t, ap, ix);

    if (!e && uid > UINT32_MAX - ap->list.n - 1)
        e = why(t, ERR_LIMIT, "no more UIDs");
    for (; !e && n < ap->list.n; n++) {
        struct row r = { .uid = uid, .modseq = modseq };
        e = place(t, ap, ix, &ap->list.p[n], &r, &paths[n]);
        uids[n] = uid++;
        task_breathe(t);
    }
    ix->assigns = true;
    if (!e)
        e = dir_sync_above(t, ix->dir, S("cur/."));
    if (!e)
        e = scan_stamp(t, ix);
    if (!e)
        e = index_commit(t, ix);
    if (e) {
        index_frame_begin(&ix->frame);
        unlink_all(t, ix->dir, paths, n);
    }
    return e;
}

err append_commit(struct task *t, struct append *ap, struct copied *out)
{
    struct index *ix;
    uint32_t *uids = arena_array(ap->a, uint32_t, ap->list.n + 1);
    err e;

    must(!ap->file);
    TRY(box_target(t, ap->st, NULL, ap->name, &ix));
    TRY(quota_lock(t, ap->st));
    e = quota_check(t, ap->st, ap->bytes, ap->list.n);
    if (!e)
        e = box_lock(t, ix, false);
    if (!e)
        e = box_unlock(t, ix, commit_locked(t, ap, ix, uids));
    if (!e)
        quota_add(t, ap->st, (int64_t)ap->bytes, (int64_t)ap->list.n);
    quota_unlock(ap->st);
    TRY(e);
    *out = (struct copied){ ix->s.uid_validity, NULL, uids, ap->list.n };
    append_done(ap);
    return OK;
}

void append_cancel(struct task *t, struct append *ap)
{
    if (!ap || !ap->dir)
        return;
    for (size_t i = 0; i < ap->list.n; i++)
        err_ignore(file_unlink(t, ap->dir,  /* litter at worst */
                               arena_cat(ap->a, S("tmp/"),
                                         ap->list.p[i].tmp)));
    append_done(ap);
}

/* --- copies -------------------------------------------------------------- */

struct copy {
    struct view *v;
    struct index *to;
    struct arena *a;
    struct seqs rows;
    uint64_t words[INDEX_KEYWORDS_MAX]; /* source keyword -> target bit */
    str *paths;             /* made so far */
    size_t n;
    uint32_t *from_uids, *to_uids;
    uint64_t bytes;
};

/* The keywords in use get names in the target. */
static err copy_words(struct task *t, struct copy *c)
{
    str names[INDEX_KEYWORDS_MAX];
    size_t at[INDEX_KEYWORDS_MAX], n = 0;
    uint64_t used = 0;

    for (size_t i = 0; i < c->rows.n; i++)
        used |= view_row(c->v, c->rows.p[i])->keywords;
    for (size_t i = 0; i < view_n_keywords(c->v); i++) {
        names[n] = arena_str(c->a, view_keyword(c->v, i));
        at[n] = i;
        n += (used >> i & 1) && names[n].n;
    }
    TRY(box_keywords(t, c->to, names, n, true, &used));
    for (size_t i = 0; i < n; i++)
        TRY(box_keywords(t, c->to, &names[i], 1, false, &c->words[at[i]]));
    return OK;
}

/* Bytes from one file to a new one, where links cannot be. */
static err copy_bytes(struct task *t, struct copy *c, str from, str to,
                      int64_t date_s)
{
    struct file *in = NULL, *out = NULL;
    str bytes = S("");
    err e = file_open(t, c->v->ix.dir, from, FILE_READ, 0, &in);

    if (!e)
        e = file_map(t, in, &bytes);
    if (!e)
        e = file_open(t, c->to->dir, to,
                      FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, c->to->mode,
                      &out);
    if (!e)
        e = file_append(t, out, bytes);
    if (!e)
        e = file_times_set(t, out, date_s * 1000000);
    if (!e)
        e = file_sync(t, out);
    file_close(out);
    file_close(in);
    file_unmap(bytes);
    return e;
}

/* The base of a copy: a new one with the sizes of the old. */
static str copy_base(struct task *t, struct copy *c, const struct row *r)
{
    str base = maildir_base(index_name(c->v->ix.map, r));
    size_t comma = str_chr(base, ',');

    return arena_cat(c->a, box_fresh_name(t, c->v->st, c->a),
                     comma == STR_NONE ? S("") : str_skip(base, comma));
}

static err copy_row(struct task *t, struct copy *c, uint32_t seq,
                    struct row *made)
{
    const struct row *r = view_row(c->v, seq);
    struct buf path;
    str from;
    err e;

    if (r->bits & ROW_LOST)
        return ERR_ABSENT;
    made->flags = r->flags;
    made->size = r->size;
    made->date_s = r->date_s;
    made->bits = ROW_PLAIN;
    for (size_t i = 0; i < view_n_keywords(c->v); i++)
        if (r->keywords >> i & 1)
            made->keywords |= c->words[i];
    buf_init(&path, c->a, PATH_LEN_MAX);
    buf_add(&path, S("cur/"));
    maildir_name_put(&path, copy_base(t, c, r), made->flags, made->keywords);
    from = scan_path(c->a, c->v->ix.map, r);
    e = file_link(t, c->v->ix.dir, from, c->to->dir, buf_str(&path));
    if (e && e != ERR_ABSENT)
        e = copy_bytes(t, c, from, buf_str(&path), r->date_s);
    TRY(e);
    c->paths[c->n] = buf_str(&path);
    c->from_uids[c->n] = r->uid;
    c->to_uids[c->n++] = made->uid;
    c->bytes += quota_row_size(c->v->ix.map, r);
    index_put_row(&c->to->frame, made, str_skip(buf_str(&path), 4));
    return OK;
}

static err copy_locked(struct task *t, struct copy *c)
{
    uint64_t modseq;
    uint32_t uid;
    err e = copy_words(t, c);

    modseq = index_modseq_next(t, c->to);
    uid = c->to->s.uid_next;
    if (!e && uid > UINT32_MAX - c->rows.n - 1)
        e = why(t, ERR_LIMIT, "no more UIDs");
    for (size_t i = 0; !e && i < c->rows.n; i++) {
        struct row r = { .uid = uid++, .modseq = modseq };
        e = copy_row(t, c, c->rows.p[i], &r);
        task_breathe(t);
    }
    c->to->assigns = true;
    if (!e)
        e = dir_sync_above(t, c->to->dir, S("cur/."));
    if (!e)
        e = scan_stamp(t, c->to);
    if (!e)
        e = index_commit(t, c->to);
    if (e) {
        index_frame_begin(&c->to->frame);
        unlink_all(t, c->to->dir, c->paths, c->n);
    }
    return e;
}

/* Copies, and looks anew if foreign hands renamed or removed a file. */
static err copy_all(struct task *t, struct copy *c)
{
    for (int try = 0;; try++) {
        err e;

        TRY(box_lock(t, c->to, false));
        e = box_unlock(t, c->to, copy_locked(t, c));
        if (e != ERR_ABSENT || try > 0)
            return e;
        c->n = c->bytes = 0;
        TRY(index_lock(t, &c->v->ix));
        TRY(box_unlock(t, &c->v->ix, scan_run(t, &c->v->ix, SCAN_BOTH,
                                              false)));
    }
}

/* The quota is held.  What moves inside a user's mailboxes takes no more room
 * than before. */
static err copy_held(struct task *t, struct copy *c, bool move)
{
    struct store *st = c->v->st;
    uint64_t bytes = 0;

    for (size_t i = 0; i < c->rows.n; i++)
        bytes += quota_row_size(c->v->ix.map, view_row(c->v, c->rows.p[i]));
    if (!move)
        TRY(quota_check(t, st, bytes, c->rows.n));
    TRY(copy_all(t, c));
    quota_add(t, st, (int64_t)c->bytes, (int64_t)c->n);
    return OK;
}

err view_copy(struct task *t, struct view *v, struct seqs rows, str to,
              bool move, struct arena *a, struct copied *out)
{
    struct copy c = { .v = v, .a = a, .rows = rows };
    struct store *st = v->st;
    err e;

    if (!(st->rights & RIGHT_INSERT)
        || (move && (v->read_only || !(v->rights & RIGHT_EXPUNGE))))
        return why(t, ERR_DENIED, "mailbox is read-only");
    c.paths = arena_array(a, str, rows.n + 1);
    c.from_uids = arena_array(a, uint32_t, rows.n + 1);
    c.to_uids = arena_array(a, uint32_t, rows.n + 1);
    to = box_canonical(st, a, to);
    TRY(box_target(t, st, v, to, &c.to));
    TRY(quota_lock(t, st));
    e = copy_held(t, &c, move);
    if (!e) {
        *out = (struct copied){ c.to->s.uid_validity, c.from_uids, c.to_uids,
                                c.n };
        if (move)
            e = view_remove(t, v, rows, true);
    }
    quota_unlock(st);
    return e;
}
