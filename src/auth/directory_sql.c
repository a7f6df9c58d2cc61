/* SPDX-License-Identifier: ISC
 *
 * The directory's door to SQLite.  Each call is one piece of work on a helper
 * thread: SQLite blocks, and its locks are never held across a wait.
 */
#include "auth/directory_sql.h"

#include <limits.h>
#include <sqlite3.h>

enum { BUSY_MS = 10000, MESSAGE_MAX = 200, VALUES_MAX = 8 };

struct sql {
    sqlite3 *db;
};

static void close_any(void *object)
{
    struct sql *s = object;

    sqlite3_close_v2(s->db);
}

/* What goes to the helper thread and comes back. */
struct work {
    struct sql *s;
    const char *path;
    int flags;
    str statement;
    const str *values;
    size_t n_values;
    struct arena *a;
    struct sql_rows *rows;
    size_t changed;
    int result;
    char message[MESSAGE_MAX];
};

static void note(struct work *w)
{
    if (w->result != SQLITE_OK)
        snprintf(w->message, sizeof(w->message), "%s",
                 w->s->db ? sqlite3_errmsg(w->s->db)
                          : sqlite3_errstr(w->result));
}

static void work_open(void *arg)
{
    struct work *w = arg;

    w->result = sqlite3_open_v2(w->path, &w->s->db, w->flags, NULL);
    if (w->result == SQLITE_OK)
        w->result = sqlite3_busy_timeout(w->s->db, BUSY_MS);
    if (w->result == SQLITE_OK)
        w->result = sqlite3_exec(w->s->db, "PRAGMA foreign_keys = ON", NULL,
                                 NULL, NULL);
    note(w);
}

static err outcome(struct task *t, const struct work *w)
{
    if (w->result == SQLITE_OK)
        return OK;
    return why(t, w->result == SQLITE_CONSTRAINT ? ERR_DENIED
                  : w->result == SQLITE_CORRUPT || w->result == SQLITE_NOTADB
                      ? ERR_CORRUPT : ERR_IO,
               "%s", w->message);
}

err sql_open(struct task *t, struct arena *a, str path, bool write,
             bool create, struct sql **out)
{
    struct sql *s = arena_new(a, struct sql);
    struct work w = { .s = s, .path = arena_cstr(a, path) };
    err e;

    w.flags = (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
              (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_FULLMUTEX;
    offload(t, work_open, &w);
    e = outcome(t, &w);
    if (e) {
        close_any(s);
        return why(t, e, "open %.*s: %s", STR(path), w.message);
    }
    arena_own(a, close_any, s);
    *out = s;
    return OK;
}

static void take_row(struct work *w, sqlite3_stmt *st)
{
    struct sql_row row = { { { 0 } } };
    int n = sqlite3_column_count(st);

    for (int i = 0; i < n && i < SQL_COLUMNS_MAX; i++) {
        const void *p = sqlite3_column_text(st, i);
        int size = sqlite3_column_bytes(st, i);
        row.column[i] = arena_str(w->a, str_of(p, p ? (size_t)size : 0));
    }
    vec_push(w->a, &w->rows->list, row);
}

static int step_all(struct work *w, sqlite3_stmt *st)
{
    int result;

    while ((result = sqlite3_step(st)) == SQLITE_ROW)
        if (w->rows && w->rows->list.n < SQL_ROWS_MAX)
            take_row(w, st);
    return result == SQLITE_DONE ? SQLITE_OK : result & 0xff;
}

static void work_run(void *arg)
{
    struct work *w = arg;
    sqlite3_stmt *st = NULL;

    w->result = sqlite3_prepare_v2(w->s->db, w->statement.p,
                                   (int)w->statement.n, &st, NULL);
    for (size_t i = 0; i < w->n_values && w->result == SQLITE_OK; i++)
        w->result = sqlite3_bind_text(st, (int)i + 1, w->values[i].p,
                                      (int)w->values[i].n, SQLITE_STATIC);
    if (w->result == SQLITE_OK)
        w->result = step_all(w, st);
    if (w->result == SQLITE_OK)
        w->changed = (size_t)sqlite3_changes(w->s->db);
    note(w);
    sqlite3_finalize(st);
}

err sql_run(struct task *t, struct sql *s, str statement, const str *values,
            size_t n_values, struct arena *rows_a, struct sql_rows *rows,
            size_t *changed)
{
    struct work w = { .s = s, .statement = statement, .values = values,
                      .n_values = n_values, .a = rows_a, .rows = rows };

    must(n_values <= VALUES_MAX && (!rows || rows_a));
    for (size_t i = 0; i < n_values; i++)
        if (values[i].n > INT_MAX / 2)
            return why(t, ERR_LIMIT, "value is too long");
    offload(t, work_run, &w);
    TRY(outcome(t, &w));
    if (changed)
        *changed = w.changed;
    return OK;
}

static void work_script(void *arg)
{
    struct work *w = arg;

    w->result = sqlite3_exec(w->s->db, w->path, NULL, NULL, NULL);
    note(w);
}

err sql_script(struct task *t, struct sql *s, str statements)
{
    struct work w = { .s = s };
    struct arena a;

    arena_init(&a, 0);
    w.path = arena_cstr(&a, statements);
    offload(t, work_script, &w);
    arena_reset(&a);
    return outcome(t, &w);
}
