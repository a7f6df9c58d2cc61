/* SPDX-License-Identifier: ISC
 *
 * Writing and reading maildrop files.
 */
#include "role/tool/drop.h"

#include "role/tool/queue_talk.h"

#include <unistd.h>

enum { TRIES = 16, PIECE = 256 * 1024 };

static const str magic = S_INIT("VRDSDRP1");
static const str mark = S_INIT("COMPLETE");

void drop_pack(const struct envelope *e, str text, struct buf *to)
{
    size_t from = to->n, head;

    buf_add(to, magic);
    head = to->n;
    pack_u32(to, 0);
    pack_u64(to, text.n);
    envelope_pack(e, to);
    if (to->over)
        return;
    pack_u32_at(to, head, (uint32_t)(to->n - from - DROP_HEAD));
    buf_add(to, text);
    if (to->over)
        return;
    pack_u32(to, crc32c(0, str_skip(buf_str(to), from)));
    buf_add(to, mark);
}

err drop_unpack(str file, struct arena *a, struct envelope *out, str *text)
{
    uint64_t env_size, text_size, left;
    str env;

    if (!str_eq(str_head(file, magic.n), magic))
        return file.n < magic.n ? ERR_END : ERR_CORRUPT;
    if (file.n < DROP_HEAD + DROP_TAIL)
        return ERR_END;
    env_size = get_u32(file.p + 8);
    text_size = get_u64(file.p + 12);
    left = file.n - DROP_HEAD - DROP_TAIL;
    if (env_size > left || text_size > left - env_size)
        return ERR_END;
    if (env_size + text_size != left)
        return ERR_CORRUPT;
    if (get_u32(file.p + file.n - DROP_TAIL)
            != crc32c(0, str_head(file, file.n - DROP_TAIL))
        || !str_eq(str_skip(file, file.n - mark.n), mark))
        return ERR_CORRUPT;
    env = str_of(file.p + DROP_HEAD, (size_t)env_size);
    TRY(envelope_unpack(env, a, out));
    *text = str_of(env.p + env.n, (size_t)text_size);
    return OK;
}

/* --- reading in pieces ---------------------------------------------------- */

err drop_open_any(struct task *t, struct dir *dir, str name,
                  struct file **file, struct file_stat *st)
{
    err e;

    *file = NULL;
    TRY(file_stat_path(t, dir, name, st)); /* a FIFO is not even opened */
    if (!st->is_regular)
        return why(t, ERR_SYNTAX, "not a regular file");
    TRY(file_open(t, dir, name, FILE_READ, 0, file));
    e = file_stat_open(t, *file, st);
    if (!e && !st->is_regular)
        e = why(t, ERR_SYNTAX, "not a regular file");
    if (!e && st->n_links != 1) /* somebody else's under a new name */
        e = why(t, ERR_SYNTAX, "a file with %u names", st->n_links);
    if (e) {
        file_close(*file);
        *file = NULL;
    }
    return e;
}

/* Reads exactly n bytes. */
static err read_all(struct task *t, struct file *f, uint64_t at, char *to,
                    size_t n)
{
    size_t got;

    TRY(file_read(t, f, at, to, n, &got));
    return got == n ? OK : why(t, ERR_END, "it is cut short");
}

static err read_envelope(struct task *t, struct drop_file *d,
                         uint64_t text_max, struct arena *a)
{
    char head[DROP_HEAD], *env;
    uint64_t env_size, left;

    TRY(read_all(t, d->file, 0, head, DROP_HEAD));
    if (!str_eq(str_of(head, magic.n), magic))
        return why(t, ERR_CORRUPT, "not a message");
    if (d->stat.size < DROP_HEAD + DROP_TAIL)
        return why(t, ERR_END, "it is cut short");
    env_size = get_u32(head + 8);
    d->text_size = get_u64(head + 12);
    left = d->stat.size - DROP_HEAD - DROP_TAIL;
    if (env_size > left || d->text_size > left - env_size)
        return why(t, ERR_END, "it is cut short");
    if (env_size + d->text_size != left)
        return why(t, ERR_CORRUPT, "its sizes do not agree");
    if (env_size > DROP_ENVELOPE_MAX)
        return why(t, ERR_CORRUPT, "its envelope is too large");
    env = arena_alloc(a, env_size);
    TRY(read_all(t, d->file, DROP_HEAD, env, env_size));
    if (envelope_unpack(str_of(env, env_size), a, &d->envelope)
        || d->envelope.recipients.n == 0)
        return why(t, ERR_CORRUPT, "its envelope does not unpack");
    d->text_at = DROP_HEAD + env_size;
    return text_max > 0 && d->text_size > text_max
        ? why(t, ERR_LIMIT, "message file too big") : OK;
}

err drop_open(struct task *t, struct dir *dir, str name, uint64_t text_max,
              struct arena *a, struct drop_file *out)
{
    err e;

    TRY(drop_open_any(t, dir, name, &out->file, &out->stat));
    e = read_envelope(t, out, text_max, a);
    if (e && e != ERR_LIMIT) /* then the report is about its envelope */
        drop_close(out);
    return e;
}

err drop_check(struct task *t, struct drop_file *d)
{
    uint64_t end = d->text_at + d->text_size;
    char *piece = heap_alloc(PIECE), tail[DROP_TAIL];
    uint32_t crc = 0;
    err e = OK;

    for (uint64_t at = 0; at < end && !e; at += PIECE) {
        size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
        e = read_all(t, d->file, at, piece, n);
        if (!e)
            crc = crc32c(crc, str_of(piece, n));
    }
    heap_free(piece);
    TRY(e);
    TRY(read_all(t, d->file, end, tail, DROP_TAIL));
    return get_u32(tail) == crc && str_eq(str_of(tail + 4, mark.n), mark)
        ? OK : why(t, ERR_CORRUPT, "its checksum is wrong");
}

void drop_close(struct drop_file *d)
{
    file_close(d->file);
    d->file = NULL;
}

/* --- writing -------------------------------------------------------------- */

/* A name that looks like a queue id and that nobody else has. */
static str name_make(struct task *t, struct arena *a)
{
    uint64_t more;

    rt_random(t, &more, sizeof(more));
    return arena_fmt(a, "%05X%08X", (unsigned)(rt_wall(t) % 1000000),
                     (unsigned)(more & 0xffffffffu));
}

/* D4 */
static uint32_t mode_of(struct task *t, const struct conf *c)
{
    struct file_stat st;

    if (file_stat_path(t, NULL, conf_str(c, P_queue_directory), &st)
        || st.uid == 0 || st.uid == getuid())
        return 0600;
    return 0644;
}

static err fill(struct task *t, struct file *f, str bytes, uint32_t mode)
{
    TRY(file_append(t, f, bytes));
    TRY(file_mode_set(t, f, mode));
    return file_sync(t, f);
}

static str path_of(const struct conf *c, struct arena *a, const char *before,
                   str name)
{
    return arena_fmt(a, "%.*s/%s%.*s", STR(queue_path(c, a, S("maildrop"))),
                     before, STR(name));
}

static err write_as(struct task *t, const struct conf *c, str path, str bytes)
{
    struct file *f;
    err e;

    TRY(file_open(t, NULL, path,
                  FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE | FILE_APPEND,
                  0600, &f));
    e = fill(t, f, bytes, mode_of(t, c));
    if (e)
        err_ignore(file_unlink(t, NULL, path)); /* no litter */
    file_close(f);
    return e;
}

err drop_hide(struct task *t, const struct conf *c, str file,
              struct arena *a, str *name)
{
    err e = ERR_LIMIT;

    for (int i = 0; i < TRIES; i++) {
        str own = name_make(t, a), path = path_of(c, a, "tmp.", own);
        struct file_stat st;

        if (!file_stat_path(t, NULL, path, &st))
            continue; /* somebody has it */
        e = write_as(t, c, path, file);
        if (!e)
            *name = own;
        return e;
    }
    return e;
}

/* The directory may not be open to us (a set-group-id helper may only make
 * names in it), so the file is synced once more after the renaming: that
 * makes its name durable too. */
err drop_show(struct task *t, const struct conf *c, str name)
{
    struct file *f = NULL;
    struct arena a;
    str path;
    err e;

    arena_init(&a, 0);
    path = path_of(c, &a, "tmp.", name);
    e = file_open(t, NULL, path, FILE_WRITE, 0, &f);
    if (!e)
        e = file_rename(t, NULL, path, NULL, path_of(c, &a, "", name));
    if (!e)
        e = file_sync(t, f);
    else
        err_ignore(file_unlink(t, NULL, path));
    file_close(f);
    arena_reset(&a);
    return e;
}

void drop_forget(struct task *t, const struct conf *c, str name)
{
    struct arena a;

    arena_init(&a, 0);
    err_ignore(file_unlink(t, NULL, path_of(c, &a, "tmp.", name)));
    arena_reset(&a);
}

err drop_write(struct task *t, const struct conf *c, str file,
               struct arena *a, str *name)
{
    TRY(drop_hide(t, c, file, a, name));
    return drop_show(t, c, *name);
}
