/* SPDX-License-Identifier: ISC
 *
 * hash, btree, dbm and cdb tables: constant databases (table/cdb.h).
 *
 * Small files are read, large ones mapped into memory.  Our own tools replace
 * a file by another; whoever writes into a mapped one instead ("cp" over it)
 * can make the process that reads it die, which is why most are not mapped.
 *
 * A file that ends keys with a NUL, as some writers do, is understood too:
 * a key is asked first without, then with it.
 */
#include "table/cdb.h"
#include "table/kind.h"

enum { READ_MAX = 1 << 20 };

struct indexed {
    str bytes;
};

static void unmap(void *indexed)
{
    file_unmap(((struct indexed *)indexed)->bytes);
}

/* The file's bytes, for as long as the arena lives. */
static err load(struct task *t, struct file *f, struct arena *a,
                struct indexed *x)
{
    struct file_stat st;
    size_t n;

    TRY(file_stat_open(t, f, &st));
    if (st.size <= READ_MAX) {
        char *room = arena_alloc(a, st.size);
        TRY(file_read(t, f, 0, room, st.size, &n));
        x->bytes = str_of(room, n);
        return OK;
    }
    TRY(file_map(t, f, &x->bytes));
    arena_own(a, unmap, x);
    return OK;
}

/* Berkeley DB files carry their kind's number at byte 12, in the order of
 * the machine that made them. */
static bool is_berkeley(str b)
{
    static const char magics[][4] = {
        "\x61\x15\x06\x00", "\x00\x06\x15\x61",  /* hash */
        "\x62\x31\x05\x00", "\x00\x05\x31\x62",  /* btree */
    };

    for (size_t i = 0; b.n >= 16 && i < sizeof(magics) / 4; i++)
        if (memcmp(b.p + 12, magics[i], 4) == 0)
            return true;
    return false;
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    const struct indexed *x = tb->state;
    str found;
    err e = cdb_find(x->bytes, key, &found);

    if (e == ERR_ABSENT)
        e = cdb_find(x->bytes, arena_cat(a, key, str_of("", 1)), &found);
    if (e == ERR_CORRUPT)
        return table_failed(t, tb, e, "the database is damaged");
    if (e)
        return e;
    *value = arena_str(a, table_bare(found));
    return OK;
}

static err walk(struct task *t, struct table *tb, uint64_t *cursor,
                struct arena *a, str *key, str *value)
{
    const struct indexed *x = tb->state;
    err e = cdb_walk(x->bytes, cursor, key, value);

    if (e == ERR_CORRUPT)
        return table_failed(t, tb, e, "the database is damaged");
    if (e)
        return e;
    *key = arena_str(a, table_bare(*key));
    *value = arena_str(a, table_bare(*value));
    return OK;
}

static err indexed_open(struct task *t, struct table *tb,
                        const struct table_data *data)
{
    static const struct table_ops ops = { find, walk };
    struct indexed *x = arena_new(tb->arena, struct indexed);
    err e = load(t, data->file, tb->arena, x);

    file_close(data->file);
    if (e)
        return e;
    if (is_berkeley(x->bytes))
        return why(t, ERR_CORRUPT, "open database %.*s: the file was made by "
                   "Berkeley DB; run \"postmap %.*s\" (an alias file: "
                   "\"postalias %.*s\") to make it anew", STR(data->path),
                   STR(tb->spec), STR(tb->spec));
    if (!cdb_plausible(x->bytes))
        return why(t, ERR_CORRUPT, "open database %.*s: not an indexed file; "
                   "run \"postmap %.*s\"", STR(data->path), STR(tb->spec));
    tb->ops = &ops;
    tb->state = x;
    return OK;
}

err table_open_hash(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    return indexed_open(t, tb, data);
}

err table_open_btree(struct task *t, struct table *tb,
                     const struct table_data *data)
{
    return indexed_open(t, tb, data);
}

err table_open_dbm(struct task *t, struct table *tb,
                   const struct table_data *data)
{
    return indexed_open(t, tb, data);
}

err table_open_cdb(struct task *t, struct table *tb,
                   const struct table_data *data)
{
    return indexed_open(t, tb, data);
}
