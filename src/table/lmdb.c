/* SPDX-License-Identifier: ISC
 *
 * LMDB, and the lmdb: tables over it.
 *
 * Keys and values written by Postfix end with a NUL; ours do too.  A key is
 * asked with and without it.
 */
#include "table/lmdb.h"

#include <lmdb.h>

enum {
    LOCK_WAIT_S = 60,
    GROW_MAX = 20,       /* doublings while writing one transaction */
    KEY_MAX = 511,       /* LMDB's own limit */
};

struct lmdb {
    MDB_env *env;
    struct file *file;   /* carries the lock */
    bool write;
};

static void lmdb_close(void *lmdb)
{
    struct lmdb *db = lmdb;

    if (db->env)
        mdb_env_close(db->env);
    file_close(db->file);
}

static err open_env(struct task *t, struct arena *a, struct lmdb *db,
                    str path, uint32_t mode, size_t map_size)
{
    struct file_stat st;
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK
                   | (db->write ? 0 : MDB_RDONLY);
    int failed;

    TRY(file_stat_open(t, db->file, &st));
    if (!db->write && st.size == 0)
        return why(t, ERR_CORRUPT, "open database %.*s: the file is empty",
                   STR(path));
    failed = mdb_env_create(&db->env);
    must(failed == 0);
    while (map_size < st.size * 2 && map_size < SIZE_MAX / 4)
        map_size *= 2;
    mdb_env_set_mapsize(db->env, map_size);
    failed = mdb_env_open(db->env, arena_cstr(a, path), flags, mode);
    if (failed)
        return why(t, ERR_CORRUPT, "open database %.*s: %s", STR(path),
                   mdb_strerror(failed));
    return OK;
}

err lmdb_open(struct task *t, struct arena *a, str path, bool write,
              uint32_t mode, size_t map_size, struct lmdb **out)
{
    struct lmdb *db = arena_new(a, struct lmdb);
    int flags = FILE_READ | FILE_FOLLOW
              | (write ? FILE_WRITE | FILE_CREATE : 0);
    err e;

    db->write = write;
    TRY(file_open(t, NULL, path, flags, mode, &db->file));
    arena_own(a, lmdb_close, db);
    TRY(lmdb_lock(t, db));
    e = open_env(t, a, db, path, mode, map_size);
    lmdb_unlock(db);
    if (e)
        return e;
    *out = db;
    return OK;
}

err lmdb_lock(struct task *t, struct lmdb *db)
{
    return file_lock(t, db->file, db->write, after_s(t, LOCK_WAIT_S));
}

void lmdb_unlock(struct lmdb *db)
{
    file_unlock(db->file);
}

static err failure(int number, const char **reason)
{
    if (number == MDB_NOTFOUND)
        return ERR_ABSENT;
    *reason = mdb_strerror(number);
    return number == MDB_CORRUPTED || number == MDB_PAGE_NOTFOUND
        || number == MDB_INVALID ? ERR_CORRUPT : ERR_IO;
}

/* Begins reading.  Another process may have made the map larger. */
static int begin_read(struct lmdb *db, MDB_txn **txn, MDB_dbi *dbi)
{
    int failed = mdb_txn_begin(db->env, NULL, MDB_RDONLY, txn);

    if (failed == MDB_MAP_RESIZED) {
        mdb_env_set_mapsize(db->env, 0);
        failed = mdb_txn_begin(db->env, NULL, MDB_RDONLY, txn);
    }
    if (failed)
        return failed;
    failed = mdb_dbi_open(*txn, NULL, 0, dbi);
    if (failed)
        mdb_txn_abort(*txn);
    return failed;
}

static MDB_val val_of(str s)
{
    return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

static str str_of_val(struct arena *a, MDB_val v)
{
    return arena_str(a, str_of(v.mv_data, v.mv_size));
}

err lmdb_get(struct lmdb *db, str key, struct arena *a, str *value,
             const char **reason)
{
    MDB_val k = val_of(key), v;
    MDB_txn *txn;
    MDB_dbi dbi;
    int failed;

    if (str_empty(key) || key.n > KEY_MAX)
        return ERR_ABSENT;
    failed = begin_read(db, &txn, &dbi);
    if (failed)
        return failure(failed, reason);
    failed = mdb_get(txn, dbi, &k, &v);
    if (!failed)
        *value = str_of_val(a, v);
    mdb_txn_abort(txn);
    return failed ? failure(failed, reason) : OK;
}

/* Moves a cursor to the first entry after a key. */
static int seek(MDB_cursor *cursor, bool first, str after, MDB_val *k,
                MDB_val *v)
{
    int failed;

    if (first)
        return mdb_cursor_get(cursor, k, v, MDB_FIRST);
    *k = val_of(after);
    failed = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
    if (!failed && str_eq(str_of(k->mv_data, k->mv_size), after))
        failed = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    return failed;
}

err lmdb_next(struct lmdb *db, bool first, str after, struct arena *a,
              str *key, str *value, const char **reason)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    MDB_txn *txn;
    MDB_dbi dbi;
    int failed = begin_read(db, &txn, &dbi);

    if (failed)
        return failure(failed, reason);
    failed = mdb_cursor_open(txn, dbi, &cursor);
    if (!failed) {
        failed = seek(cursor, first, after, &k, &v);
        if (!failed) {
            *key = str_of_val(a, k);
            *value = str_of_val(a, v);
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (failed == MDB_NOTFOUND)
        return ERR_END;
    return failed ? failure(failed, reason) : OK;
}

static int change(MDB_txn *txn, MDB_dbi dbi, const struct lmdb_change *c)
{
    MDB_val k = val_of(c->key), v = val_of(c->value);
    int failed;

    if (c->value.p)
        return mdb_put(txn, dbi, &k, &v, 0);
    failed = mdb_del(txn, dbi, &k, NULL);
    return failed == MDB_NOTFOUND ? 0 : failed;
}

static int write_once(struct lmdb *db, bool clear,
                      const struct lmdb_change *p, size_t n)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    int failed = mdb_txn_begin(db->env, NULL, 0, &txn);

    if (failed == MDB_MAP_RESIZED) {
        mdb_env_set_mapsize(db->env, 0);
        failed = mdb_txn_begin(db->env, NULL, 0, &txn);
    }
    if (failed)
        return failed;
    failed = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (!failed && clear)
        failed = mdb_drop(txn, dbi, 0);
    for (size_t i = 0; !failed && i < n; i++)
        failed = change(txn, dbi, &p[i]);
    if (!failed)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return failed;
}

err lmdb_write(struct lmdb *db, bool clear, const struct lmdb_change *p,
               size_t n, const char **reason)
{
    MDB_envinfo info;
    int failed = MDB_MAP_FULL;

    must(db->write);
    for (int i = 0; failed == MDB_MAP_FULL && i < GROW_MAX; i++) {
        failed = write_once(db, clear, p, n);
        if (failed == MDB_MAP_FULL && !mdb_env_info(db->env, &info))
            mdb_env_set_mapsize(db->env, info.me_mapsize * 2);
    }
    return failed ? failure(failed, reason) : OK;
}

/* --- the tables -------------------------------------------------------- */

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    struct lmdb *db = tb->state;
    const char *reason = "";
    err e = lmdb_lock(t, db);

    if (e)
        return table_failed(t, tb, e, "lock");
    e = lmdb_get(db, arena_cat(a, key, str_of("", 1)), a, value, &reason);
    if (e == ERR_ABSENT)
        e = lmdb_get(db, key, a, value, &reason);
    lmdb_unlock(db);
    if (e && e != ERR_ABSENT)
        return table_failed(t, tb, e, reason);
    if (!e)
        *value = table_bare(*value);
    return e;
}

/* Byte order is the order: the cursor only says whether this is the start;
 * the place is the last key that was given out. */
static err walk(struct task *t, struct table *tb, uint64_t *cursor,
                struct arena *a, str *key, str *value)
{
    struct lmdb *db = tb->state;
    const char *reason = "";
    str after = *key;
    err e = lmdb_lock(t, db);

    if (e)
        return table_failed(t, tb, e, "lock");
    e = OK;
    if (*cursor > 0) /* asked by its stored form */
        after = str_of(after.p, after.n + *cursor - 1);
    e = lmdb_next(db, *cursor == 0, after, a, key, value, &reason);
    lmdb_unlock(db);
    if (e && e != ERR_END)
        return table_failed(t, tb, e, reason);
    if (e)
        return e;
    *cursor = 1 + (key->n > table_bare(*key).n);
    *key = table_bare(*key);
    *value = table_bare(*value);
    return OK;
}

err table_open_lmdb(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { find, walk };
    const struct conf *c = tb->env->conf;
    struct lmdb *db;

    (void)data;
    str path = arena_cat(tb->arena, tb->name, S(".lmdb"));
    err e = lmdb_open(t, tb->arena, path, false, 0,
                      c ? (size_t)conf_int(c, P_lmdb_map_size) : 16 << 20,
                      &db);
    if (e)
        return table_database_why(t, tb->arena, e);
    TRY(file_stat_path(t, NULL, path, &tb->stat));
    tb->path = path;
    tb->live = true;
    table_warn_if_older(t, tb);
    tb->ops = &ops;
    tb->state = db;
    return OK;
}
