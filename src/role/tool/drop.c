/* SPDX-License-Identifier: ISC
 *
 * Writing and reading maildrop files.
 */
#include "role/tool/drop.h"

#include "role/tool/queue_talk.h"

enum { TRIES = 16, ENVELOPE_ROOM = 4 * 1024 * 1024 };

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

uint64_t drop_size_max(const struct conf *c)
{
    int64_t limit = conf_int(c, P_message_size_limit);

    return limit > 0 ? (uint64_t)limit + ENVELOPE_ROOM : 0;
}

/* A name that looks like a queue id and that nobody else has. */
static str name_make(struct task *t, struct arena *a)
{
    uint64_t more;

    rt_random(t, &more, sizeof(more));
    return arena_fmt(a, "%05X%08X", (unsigned)(rt_wall(t) % 1000000),
                     (unsigned)(more & 0xffffffffu));
}

static err fill(struct task *t, struct file *f, str bytes)
{
    TRY(file_append(t, f, bytes));
    TRY(file_sync(t, f));
    return file_mode_set(t, f, 0644);
}

/* The directory may not be open to us (a set-group-id helper may only make
 * names in it), so the file is synced once more after the renaming: that
 * makes its name durable too. */
static err write_as(struct task *t, str temporary, str path, str bytes)
{
    struct file *f;
    err e;

    TRY(file_open(t, NULL, temporary,
                  FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE | FILE_APPEND,
                  0600, &f));
    e = fill(t, f, bytes);
    if (!e)
        e = file_rename(t, NULL, temporary, NULL, path);
    if (e)
        err_ignore(file_unlink(t, NULL, temporary)); /* no litter */
    else
        e = file_sync(t, f);
    file_close(f);
    return e;
}

err drop_write(struct task *t, const struct conf *c, str file,
               struct arena *a, str *name)
{
    err e = ERR_LIMIT;

    for (int i = 0; i < TRIES; i++) {
        str own = name_make(t, a);
        str dir = queue_path(c, a, S("maildrop"));
        str temporary = arena_fmt(a, "%.*s/tmp.%.*s", STR(dir), STR(own));
        struct file_stat st;

        if (!file_stat_path(t, NULL, temporary, &st))
            continue; /* somebody has it */
        e = write_as(t, temporary,
                     arena_fmt(a, "%.*s/%.*s", STR(dir), STR(own)), file);
        if (!e)
            *name = own;
        return e;
    }
    return e;
}
