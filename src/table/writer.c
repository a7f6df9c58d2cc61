/* SPDX-License-Identifier: ISC
 *
 * Writing indexed tables.
 *
 * Constant databases: the entries are gathered in memory, in order, and
 * become a new file that takes the old one's place.  An update starts from
 * the old file's entries and holds a lock on it meanwhile; a file that was
 * replaced while we waited for its lock is opened anew.
 *
 * lmdb: the changes are gathered and written in one transaction, under the
 * file's lock from open to commit.
 */
#include "table/cdb.h"
#include "table/kind.h"
#include "table/lmdb.h"

#include <unistd.h>

enum { LOCK_WAIT_S = 300, LOCK_TRIES = 100 };

struct entry {
    str key, value;      /* value.p NULL: deleted */
    bool changed;        /* by us */
};

struct table_writer {
    struct table *tb;    /* for its spec, flags and folding */
    struct arena *arena;
    enum table_write how;
    uint32_t mode;
    str path, label;
    bool nul;            /* keys and values end with one */
    bool is_lmdb;
    struct map *by_key;  /* to index + 1 */
    vec_of(struct entry) list;

    struct file *locked; /* the file that is being updated */
    str old;             /* its bytes */
    struct lmdb *lmdb;
};

static void writer_close(void *writer)
{
    struct table_writer *w = writer;

    file_unmap(w->old);
    file_close(w->locked);
}

static struct entry *entry_of(const struct table_writer *w, str key)
{
    size_t i = (size_t)(uintptr_t)map_get(w->by_key, key);

    return i ? &w->list.p[i - 1] : NULL;
}

static void entry_add(struct table_writer *w, str key, str value,
                      bool changed)
{
    struct entry entry = { key, value, changed };

    vec_push(w->arena, &w->list, entry);
    map_put(w->by_key, key, (void *)(uintptr_t)w->list.n);
}

/* --- opening ----------------------------------------------------------- */

/* Opens and locks the file as it is now. */
static err lock_old(struct task *t, struct table_writer *w)
{
    struct file_stat open_st, path_st;

    for (int i = 0; i < LOCK_TRIES; i++) {
        TRY(file_open(t, NULL, w->path, FILE_READ | FILE_WRITE | FILE_FOLLOW,
                      0, &w->locked));
        TRY(file_lock(t, w->locked, true, after_s(t, LOCK_WAIT_S)));
        TRY(file_stat_open(t, w->locked, &open_st));
        if (!file_stat_path(t, NULL, w->path, &path_st)
            && open_st.inode == path_st.inode
            && open_st.device == path_st.device)
            return OK;
        file_close(w->locked);
        w->locked = NULL;
    }
    return why(t, ERR_LATE, "%.*s: is being replaced all the time",
               STR(w->path));
}

static err load_old(struct task *t, struct table_writer *w)
{
    uint64_t at = 0;
    str key, value;
    err e = lock_old(t, w);

    if (e == ERR_ABSENT && w->how == TABLE_WRITE_UPDATE)
        return OK;
    if (e)
        return table_database_why(t, w->arena, e);
    TRY(file_map(t, w->locked, &w->old));
    if (!cdb_plausible(w->old))
        return why(t, ERR_CORRUPT, "open database %.*s: not an indexed file "
                   "of ours; make it anew without -i or -d", STR(w->path));
    while ((e = cdb_walk(w->old, &at, &key, &value)) == OK)
        entry_add(w, table_bare(key), table_bare(value), false);
    return e == ERR_END ? OK
         : why(t, e, "%.*s: the database is damaged", STR(w->path));
}

static err open_lmdb(struct task *t, struct table_writer *w)
{
    const struct conf *c = w->tb->env->conf;
    size_t size = c ? (size_t)conf_int(c, P_lmdb_map_size) : 16 << 20;
    struct file_stat st;
    err e = OK;

    if (w->how == TABLE_WRITE_DELETE)
        e = file_stat_path(t, NULL, w->path, &st);
    if (!e)
        e = lmdb_open(t, w->arena, w->path, true, w->mode, size, &w->lmdb);
    if (e)
        return table_database_why(t, w->arena, e);
    return lmdb_lock(t, w->lmdb);
}

static err not_writable(struct task *t, const struct table *tb)
{
    return why(t, ERR_DENIED, "unsupported dictionary type: %.*s does not "
               "support bulk-mode creation.", STR(tb->type));
}

/* How messages about duplicates call the file: each type has its own way. */
static str label_of(const struct table_writer *w)
{
    const struct table *tb = w->tb;

    if (w->is_lmdb)
        return tb->spec;
    return str_eq(tb->type, S("cdb")) ? tb->name : w->path;
}

err table_writer_open(struct task *t, struct arena *a,
                      const struct table_env *env, str spec, int flags,
                      enum table_write how, uint32_t mode,
                      struct table_writer **out)
{
    struct table_writer *w = arena_new(a, struct table_writer);
    struct table *tb;

    TRY(table_make(t, a, env, spec, flags, &tb));
    *w = (struct table_writer){ .tb = tb, .arena = a, .how = how,
                                .mode = mode, .by_key = map_new(a, false) };
    w->is_lmdb = str_eq(tb->type, S("lmdb"));
    if (!w->is_lmdb && tb->kind->need != NEED_FILE)
        return not_writable(t, tb);
    w->path = arena_cat(a, tb->name, str_from(tb->kind->suffix));
    w->label = label_of(w);
    w->nul = w->is_lmdb ? !(flags & TABLE_NO_NUL) : flags & TABLE_NUL;
    arena_own(a, writer_close, w);
    if (w->is_lmdb)
        TRY(open_lmdb(t, w));
    else if (how != TABLE_WRITE_NEW)
        TRY(load_old(t, w));
    *out = w;
    return OK;
}

str table_writer_label(const struct table_writer *w)
{
    return w->label;
}

str table_writer_key(const struct table_writer *w, str key)
{
    return w->tb->folds ? table_fold(w->arena, key, w->tb->utf8) : key;
}

/* --- changing ---------------------------------------------------------- */

static str stored(const struct table_writer *w, str s)
{
    return w->nul ? arena_cat(w->arena, s, str_of("", 1))
                  : arena_str(w->arena, s);
}

/* Brings an entry of the lmdb file into the list, to be changed there. */
static err fetch(struct task *t, struct table_writer *w, str key)
{
    const char *reason = "";
    str value;
    err e;

    if (!w->is_lmdb || w->how == TABLE_WRITE_NEW || entry_of(w, key))
        return OK;
    e = lmdb_get(w->lmdb, stored(w, key), w->arena, &value, &reason);
    if (e == ERR_ABSENT)
        return OK;
    if (e)
        return table_failed(t, w->tb, e, reason);
    entry_add(w, arena_str(w->arena, key), table_bare(value), false);
    return OK;
}

static err change(struct task *t, struct table_writer *w, str key, str value,
                  bool replace)
{
    struct entry *entry;

    key = table_writer_key(w, key);
    TRY(fetch(t, w, key));
    entry = entry_of(w, key);
    if (entry && entry->value.p && !replace)
        return ERR_DENIED;
    value = arena_str(w->arena, value);
    if (!entry) {
        entry_add(w, arena_str(w->arena, key), value, true);
        return OK;
    }
    entry->value = value;
    entry->changed = true;
    return OK;
}

err table_writer_put(struct task *t, struct table_writer *w, str key,
                     str value)
{
    return change(t, w, key, value, false);
}

err table_writer_set(struct task *t, struct table_writer *w, str key,
                     str value)
{
    return change(t, w, key, value, true);
}

err table_writer_delete(struct task *t, struct table_writer *w, str key)
{
    struct entry *entry;

    key = table_writer_key(w, key);
    TRY(fetch(t, w, key));
    entry = entry_of(w, key);
    if (!entry || !entry->value.p)
        return ERR_ABSENT;
    entry->value = (str){ 0 };
    entry->changed = true;
    return OK;
}

/* --- committing -------------------------------------------------------- */

static err commit_lmdb(struct task *t, struct table_writer *w)
{
    vec_of(struct lmdb_change) changes = { 0 };
    const char *reason = "";
    err e;

    for (size_t i = 0; i < w->list.n; i++) {
        const struct entry *entry = &w->list.p[i];
        struct lmdb_change one = { stored(w, entry->key), { 0 } };
        if (!entry->changed)
            continue;
        if (entry->value.p)
            one.value = stored(w, entry->value);
        vec_push(w->arena, &changes, one);
    }
    e = lmdb_write(w->lmdb, w->how == TABLE_WRITE_NEW, changes.p, changes.n,
                   &reason);
    lmdb_unlock(w->lmdb);
    return e ? why(t, e, "%.*s: %s", STR(w->path), reason) : OK;
}

/* The permissions of the new file: those of the one it replaces. */
static uint32_t mode_of(struct task *t, const struct table_writer *w,
                        struct file_stat *st, bool *exists)
{
    *exists = !file_stat_path(t, NULL, w->path, st) && st->is_regular;
    return *exists ? st->mode & 07777 : w->mode;
}

/* Messages name the file that was meant, not the temporary one. */
static err replace_file(struct task *t, struct table_writer *w, str path,
                        str bytes, uint32_t mode)
{
    err e = file_replace(t, NULL, path, bytes, mode);
    str said;
    size_t colon;

    if (!e || e == ERR_STOPPED)
        return e;
    said = arena_str(w->arena, str_from(task_why(t)));
    colon = str_rchr(said, ':');
    return why(t, e, "open database %.*s:%.*s", STR(path),
               STR(str_skip(said, colon == STR_NONE ? 0 : colon + 1)));
}

static err commit_bytes(struct task *t, struct table_writer *w, str bytes)
{
    struct file_stat st;
    bool exists;
    uint32_t mode = mode_of(t, w, &st, &exists);

    TRY(replace_file(t, w, w->path, bytes, mode));
    /* root keeps another one's file theirs */
    if (exists && geteuid() == 0 && (st.uid != 0 || st.gid != 0)) {
        struct file *f;
        TRY(file_open(t, NULL, w->path, FILE_READ, 0, &f));
        err e = file_owner_set(t, f, st.uid, st.gid);
        file_close(f);
        TRY(e);
    }
    /* dbm's readers elsewhere expect both files of the pair */
    if (str_eq(w->tb->type, S("dbm")))
        return replace_file(t, w,
                            arena_cat(w->arena, w->tb->name, S(".dir")),
                            S(""), mode);
    return OK;
}

err table_writer_commit(struct task *t, struct table_writer *w)
{
    struct cdb_maker *maker;
    str bytes;
    err e;

    if (w->is_lmdb)
        return commit_lmdb(t, w);
    maker = cdb_make(w->arena);
    for (size_t i = 0; i < w->list.n; i++) {
        const struct entry *entry = &w->list.p[i];
        if (entry->value.p)
            cdb_add(maker, stored(w, entry->key), stored(w, entry->value));
    }
    e = cdb_finish(maker, &bytes);
    if (e)
        return why(t, e, "%.*s: the database would be larger than 4 GiB",
                   STR(w->path));
    return commit_bytes(t, w, bytes);
}
