/* SPDX-License-Identifier: ISC
 *
 * Delivery to the end of an mbox file, as mail readers of the kind of
 * mail(1) expect it:
 *
 *     From sender  Tue Nov 24 03:11:50 2026
 *     the message, with ">" before each line that starts with "From "
 *     an empty line
 *
 * A file that ends otherwise, since whoever wrote it was killed, gets the
 * empty line first: the half message does not take the next one in.
 *
 * The file is locked with fcntl and with "FILE.lock", as far as asked; a
 * directory where no file may be made does without the latter.  A lock file
 * older than STALE_S is taken away.  After an error the file gets its old
 * size back.
 */
#include "store/delivery.h"

#include "mail/date.h"
#include "rt/world.h"

enum { WRITE_SIZE = 32 * 1024, STALE_S = 500, LOCK_POLL_MS = 1000 };

struct mbox_delivery {
    struct delivery d;
    struct arena *a;
    struct dir *at;
    str path, lock;
    struct file *file;
    bool locked_dot;
    bool made;                  /* the file was not there before */
    uint64_t start, offset, size_max;
    struct buf out;
    size_t matched;             /* of "From " at the line's start */
    bool in_line;               /* past where "From " could be */
};

#define FROM S("From ")

static struct mbox_delivery *of(struct delivery *d)
{
    return container_of(d, struct mbox_delivery, d);
}

static void mbox_done(void *object)
{
    struct mbox_delivery *m = object;

    file_close(m->file);        /* its fcntl lock ends with it */
    m->file = NULL;
    buf_free(&m->out);
}

static void spend(struct task *t, struct mbox_delivery *m)
{
    mbox_done(m);
    if (m->locked_dot)          /* a stale one is taken away by the next */
        err_ignore(file_unlink(t, m->at, m->lock));
    m->locked_dot = false;
}

/* One try; ERR_LATE: somebody holds it. */
static err dotlock_try(struct task *t, struct mbox_delivery *m)
{
    struct file_stat st;
    struct file *f;
    err e = file_open(t, m->at, m->lock,
                      FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f);

    if (!e) {
        file_close(f);
        m->locked_dot = true;
        return OK;
    }
    if (e != ERR_DENIED)
        return e;
    if (file_stat_path(t, m->at, m->lock, &st))
        return OK;              /* not held: we may not make one here */
    if (st.mtime_us + STALE_S * INT64_C(1000000) < rt_wall(t))
        err_ignore(file_unlink(t, m->at, m->lock)); /* the next try tells */
    return ERR_LATE;
}

static err dotlock(struct task *t, struct mbox_delivery *m, when until)
{
    for (;;) {
        err e = dotlock_try(t, m);
        if (e != ERR_LATE)
            return e;
        if (rt_now(t) >= until)
            return why(t, ERR_LATE, "unable to create lock file %.*s: "
                       "File exists", STR(m->lock));
        TRY(task_sleep(t, after_ms(t, LOCK_POLL_MS)));
    }
}

/* Whatever the file ends with, the next line begins a message. */
static err begin_message(struct task *t, struct mbox_delivery *m)
{
    char end[2] = "\n\n";
    size_t n = 0, want = m->start < 2 ? (size_t)m->start : 2;

    if (want)
        TRY(file_read(t, m->file, m->start - want, end + 2 - want, want,
                      &n));
    if (end[1] != '\n')
        buf_add(&m->out, S("\n\n"));
    else if (end[0] != '\n')
        buf_byte(&m->out, '\n');
    return OK;
}

/* Opens and locks the file that the name leads to once we have the lock. */
static err mbox_open(struct task *t, struct mbox_delivery *m,
                     const struct delivery_options *o)
{
    struct file_stat st, now;
    when until = o->until ? o->until : NEVER;

    if (o->dotlock)
        TRY(dotlock(t, m, until));
    m->made = file_stat_path(t, m->at, m->path, &st) == ERR_ABSENT;
    TRY(file_open(t, m->at, m->path, FILE_READ | FILE_WRITE | FILE_CREATE,
                  o->file_mode ? o->file_mode : 0600, &m->file));
    if (o->fcntl_lock)
        TRY(file_lock(t, m->file, true, until));
    TRY(file_stat_open(t, m->file, &st));
    TRY(file_stat_path(t, m->at, m->path, &now));
    if (!st.is_regular)
        return why(t, ERR_DENIED, "%.*s is not a regular file",
                   STR(m->path));
    if (st.inode != now.inode || st.device != now.device)
        return why(t, ERR_IO, "%.*s changed while it was locked",
                   STR(m->path));
    if (st.n_links > 1)
        return why(t, ERR_DENIED, "file has %u hard links", st.n_links);
    m->start = m->offset = st.size;
    return begin_message(t, m);
}

static err write_out(struct task *t, struct mbox_delivery *m)
{
    err e;

    if (m->size_max && m->offset + m->out.n > m->size_max)
        return why(t, ERR_LIMIT, "mailbox %.*s: file too large",
                   STR(m->path));
    e = file_write(t, m->file, m->offset, buf_str(&m->out));
    m->offset += m->out.n;
    buf_clear(&m->out);
    return e;
}

static void put_byte(struct mbox_delivery *m, char c)
{
    if (!m->in_line && c == FROM.p[m->matched]) {
        if (++m->matched < FROM.n)
            return;
        buf_add(&m->out, S(">From "));
        m->matched = 0;
        m->in_line = true;
        return;
    }
    if (!m->in_line)
        buf_add(&m->out, str_head(FROM, m->matched));
    m->matched = 0;
    buf_byte(&m->out, c);
    m->in_line = c != '\n';
}

static err mbox_write(struct task *t, struct delivery *d, str piece)
{
    struct mbox_delivery *m = of(d);

    while (piece.n) {
        if (m->in_line) {       /* to the line's end at once */
            size_t lf = str_chr(piece, '\n');
            size_t n = lf == STR_NONE ? piece.n : lf;
            n = n < WRITE_SIZE ? n : WRITE_SIZE;
            buf_add(&m->out, str_head(piece, n));
            piece = str_skip(piece, n);
        }
        if (m->out.n >= WRITE_SIZE)
            TRY(write_out(t, m));
        if (piece.n && (!m->in_line || piece.p[0] == '\n')) {
            put_byte(m, piece.p[0]);
            piece = str_skip(piece, 1);
        }
    }
    return OK;
}

static void mbox_cancel(struct task *t, struct delivery *d)
{
    struct mbox_delivery *m = of(d);

    if (m->file && m->offset != m->start) /* nothing more can be done */
        err_ignore(file_size_set(t, m->file, m->start));
    spend(t, m);
}

static err mbox_finish(struct task *t, struct delivery *d)
{
    struct mbox_delivery *m = of(d);
    err e;

    if (m->matched && !m->in_line) {
        buf_add(&m->out, str_head(FROM, m->matched));
        m->in_line = true;
    }
    buf_add(&m->out, m->in_line ? S("\n\n") : S("\n"));
    e = write_out(t, m);
    if (!e)
        e = file_sync_aside(t, m->file);
    if (!e && m->made)
        e = dir_sync_above(t, m->at, m->path);
    if (e)
        mbox_cancel(t, d);
    else
        spend(t, m);
    return e;
}

static const struct delivery_kind kind = {
    "delivered to mailbox", mbox_write, mbox_finish, mbox_cancel,
};

err mbox_deliver(struct task *t, struct arena *a, struct dir *at, str path,
                 const struct delivery_options *o, struct delivery **out)
{
    struct mbox_delivery *m = arena_new(a, struct mbox_delivery);
    int64_t now = rt_wall(t);
    str sender = o->sender.n ? o->sender : S("MAILER-DAEMON");
    err e;

    m->d.kind = &kind;
    m->a = a;
    m->at = at;
    m->path = arena_str(a, path);
    m->lock = arena_cat(a, path, S(".lock"));
    m->size_max = o->size_max;
    buf_init(&m->out, NULL, WRITE_SIZE * 3);
    arena_own(a, mbox_done, m);
    e = mbox_open(t, m, o);
    if (e) {
        spend(t, m);
        return e;
    }
    buf_fmt(&m->out, "From %.*s  %.*s\n", STR(sender),
            STR(date_asctime(a, now, world_zone_s(t, now))));
    *out = &m->d;
    return OK;
}
