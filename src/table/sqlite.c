/* SPDX-License-Identifier: ISC
 *
 * sqlite: tables (sqlite_table(5)).  The query template becomes one prepared
 * statement; what is asked is bound to it, never pasted into it.
 *
 * SQLite blocks, so it runs on helper threads; the connection and its
 * statement are used by one task at a time.
 */
#include "table/kind.h"
#include "table/template.h"

#include <sqlite3.h>

enum { BUSY_MS = 5000, SETTINGS_MAX = 1 << 20, VALUES_MAX = 100000 };

struct sqlite {
    sqlite3 *db;
    sqlite3_stmt *statement;
    struct template_query query;
    str path, format;
    struct match_list *domains;  /* NULL: all */
    uint64_t expansion_limit;    /* 0: none */
    bool busy;
    struct bell free;
};

static void sqlite_close_any(void *object)
{
    struct sqlite *s = object;

    sqlite3_finalize(s->statement);
    sqlite3_close(s->db);
}

/* --- settings ---------------------------------------------------------- */

/* Where settings come from: a file, or NAME_setting in main.cf. */
struct source {
    struct table *tb;
    struct settings file;
    bool in_main;
};

static str get(const struct source *src, const char *name)
{
    struct arena *a = src->tb->arena;
    const struct conf *c = src->tb->env->conf;
    str value = { 0 };

    if (!src->in_main) {
        str *found = map_get(src->file.by_name, str_from(name));
        return found ? *found : value;
    }
    str full = arena_fmt(a, "%.*s_%s", STR(src->tb->name), name);
    if (!c || !conf_find(c, a, full, &value))
        return (str){ 0 };
    return value;
}

/* How messages call a setting. */
static str label(const struct source *src, const char *name)
{
    struct arena *a = src->tb->arena;

    if (src->in_main)
        return arena_fmt(a, "bad string length 0 < 1: %.*s_%s = ",
                         STR(src->tb->name), name);
    return arena_fmt(a, "%.*s: bad string length 0 < 1: %s = ",
                     STR(src->tb->name), name);
}

static err must_get(struct task *t, const struct source *src,
                    const char *name, str *value)
{
    *value = get(src, name);
    if (str_empty(*value))
        return why(t, ERR_SYNTAX, "%.*s", STR(label(src, name)));
    return OK;
}

static err load_settings(struct task *t, struct source *src)
{
    struct table *tb = src->tb;
    struct table_notes notes = { .arena = tb->arena };
    str text;

    src->in_main = tb->name.p[0] != '/' && tb->name.p[0] != '.';
    if (src->in_main)
        return OK;
    TRY(file_load(t, NULL, tb->name, tb->arena, SETTINGS_MAX, &text));
    if (settings_parse(tb->arena, text, tb->name, &notes, &src->file))
        return why(t, ERR_SYNTAX, "%.*s",
                   STR(notes.list.p[notes.list.n - 1]));
    TRY(file_stat_path(t, NULL, tb->name, &tb->stat));
    tb->path = tb->name;
    return OK;
}

/* The query, or what the legacy settings amount to. */
static err query_text(struct task *t, const struct source *src, str *query)
{
    str table, select, where;

    *query = get(src, "query");
    if (!str_empty(*query))
        return OK;
    TRY(must_get(t, src, "table", &table));
    TRY(must_get(t, src, "select_field", &select));
    TRY(must_get(t, src, "where_field", &where));
    *query = arena_fmt(src->tb->arena, "SELECT %.*s FROM %.*s WHERE %.*s = "
                       "'%%s' %.*s", STR(select), STR(table), STR(where),
                       STR(get(src, "additional_conditions")));
    return OK;
}

static err bad_template(struct task *t, const struct table *tb,
                        const char *which, str text)
{
    return why(t, ERR_SYNTAX, "%.*s: invalid %s template: %.*s",
               STR(tb->name), which, STR(text));
}

static err read_settings(struct task *t, struct table *tb, struct sqlite *s)
{
    struct source src = { .tb = tb };
    str query, limit, domain;

    TRY(load_settings(t, &src));
    TRY(must_get(t, &src, "dbpath", &s->path));
    TRY(query_text(t, &src, &query));
    if (!template_valid(query))
        return bad_template(t, tb, "query", query);
    template_query(tb->arena, query, &s->query);
    s->format = get(&src, "result_format");
    if (str_empty(s->format))
        s->format = S("%s");
    if (!template_valid(s->format))
        return bad_template(t, tb, "result", s->format);
    limit = get(&src, "expansion_limit");
    if (!str_empty(limit) && !str_uint(limit, INT32_MAX, &s->expansion_limit))
        return why(t, ERR_SYNTAX, "%.*s: bad numerical configuration: "
                   "expansion_limit = %.*s", STR(tb->name), STR(limit));
    domain = get(&src, "domain");
    if (str_empty(domain))
        return OK;
    return match_list_open(t, tables_new_env(tb->arena, tb->env), tb->arena,
                           tb->spec, domain, MATCH_STRING, false,
                           &s->domains);
}

/* --- on a helper thread ------------------------------------------------ */

struct sqlite_job {
    struct sqlite *s;
    struct arena *arena;
    const str *binds;
    vec_of(str) values;
    str trouble;         /* empty: all went well */
};

static void job_failed(struct sqlite_job *job, const char *what)
{
    job->trouble = arena_fmt(job->arena, "%s: %s", what,
                             job->s->db ? sqlite3_errmsg(job->s->db)
                                        : "out of memory");
}

static void open_run(void *arg)
{
    struct sqlite_job *job = arg;
    struct sqlite *s = job->s;
    char *path = arena_cstr(job->arena, s->path);

    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY, NULL))
        job_failed(job, "Can't open database");
    else
        sqlite3_busy_timeout(s->db, BUSY_MS);
}

static bool bind_all(struct sqlite_job *job)
{
    struct sqlite *s = job->s;

    for (size_t i = 0; i < s->query.n_binds; i++)
        if (sqlite3_bind_text(s->statement, (int)i + 1, job->binds[i].p,
                              (int)job->binds[i].n, SQLITE_STATIC)) {
            job_failed(job, "SQL bind failed");
            return false;
        }
    return true;
}

static void take_row(struct sqlite_job *job)
{
    sqlite3_stmt *statement = job->s->statement;
    const unsigned char *p = sqlite3_column_text(statement, 0);
    int n = sqlite3_column_bytes(statement, 0);

    if (p)
        vec_push(job->arena, &job->values,
                 arena_str(job->arena, str_of(p, (size_t)n)));
}

static void find_run(void *arg)
{
    struct sqlite_job *job = arg;
    struct sqlite *s = job->s;
    int status;

    if (!s->statement
        && sqlite3_prepare_v2(s->db, s->query.sql.p, (int)s->query.sql.n,
                              &s->statement, NULL)) {
        job_failed(job, "SQL prepare failed");
        return;
    }
    if (!s->statement) {
        job->trouble = S("SQL prepare failed: empty query");
        return;
    }
    if (bind_all(job)) {
        while ((status = sqlite3_step(s->statement)) == SQLITE_ROW
               && job->values.n < VALUES_MAX)
            take_row(job);
        if (status != SQLITE_DONE && status != SQLITE_ROW)
            job_failed(job, "SQL step failed");
    }
    sqlite3_reset(s->statement);
    sqlite3_clear_bindings(s->statement);
}

/* --- asking ------------------------------------------------------------ */

/* Whether the domain setting lets the key through. */
static err allowed(struct task *t, const struct sqlite *s,
                   const struct template_parts *key)
{
    if (!s->domains)
        return OK;
    if (!key->domain.p || str_empty(key->user) || str_empty(key->domain))
        return ERR_ABSENT;
    return match_list_find(t, s->domains, key->domain, (str){ 0 });
}

static err join(struct task *t, struct table *tb,
                const struct template_parts *key,
                const struct sqlite_job *job, str *value)
{
    const struct sqlite *s = tb->state;
    uint64_t n = 0;
    struct buf all, one;

    buf_init(&all, job->arena, TABLE_VALUE_MAX);
    buf_init(&one, job->arena, TABLE_VALUE_MAX);
    for (size_t i = 0; i < job->values.n; i++) {
        struct template_parts parts = template_parts(job->values.p[i]);
        buf_clear(&one);
        if (str_empty(parts.whole))
            table_warn(t, tb->env,
                       arena_fmt(job->arena, "table \"%.*s\": empty lookup "
                                 "result for: \"%.*s\" -- ignored",
                                 STR(tb->spec),
                                 STR(table_printable(job->arena,
                                                     key->whole))));
        if (!template_fill(s->format, key, &parts, &one))
            continue;
        if (n++)
            buf_byte(&all, ',');
        buf_add(&all, buf_str(&one));
        if (s->expansion_limit && n > s->expansion_limit)
            return table_failed(t, tb, ERR_LIMIT,
                                "expansion limit exceeded");
    }
    if (all.over || one.over)
        return table_failed(t, tb, ERR_LIMIT, "the result is too large");
    *value = buf_str(&all);
    return n ? OK : ERR_ABSENT;
}

static err run_alone(struct task *t, struct sqlite *s,
                     void (*fn)(void *), struct sqlite_job *job)
{
    while (s->busy)
        TRY(bell_wait(t, &s->free, NEVER));
    s->busy = true;
    offload(t, fn, job);
    s->busy = false;
    bell_ring(&s->free);
    return OK;
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    struct sqlite *s = tb->state;
    struct template_parts parts = template_parts(key);
    struct sqlite_job job = { .s = s, .arena = a };
    struct buf text;
    str *binds = arena_array(a, str, s->query.n_binds);

    if (str_empty(key))
        return ERR_ABSENT;
    TRY(allowed(t, s, &parts));
    for (size_t i = 0; i < s->query.n_binds; i++) {
        buf_init(&text, a, TABLE_VALUE_MAX);
        if (!template_fill(s->query.binds[i], &parts, NULL, &text))
            return ERR_ABSENT;
        binds[i] = buf_str(&text);
    }
    job.binds = binds;
    TRY(run_alone(t, s, find_run, &job));
    if (!str_empty(job.trouble))
        return table_failed(t, tb, ERR_IO, arena_cstr(a, job.trouble));
    return join(t, tb, &parts, &job, value);
}

err table_open_sqlite(struct task *t, struct table *tb,
                      const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };
    struct sqlite *s = arena_new(tb->arena, struct sqlite);
    struct sqlite_job job = { .s = s, .arena = tb->arena };

    (void)data;
    TRY(read_settings(t, tb, s));
    arena_own(tb->arena, sqlite_close_any, s);
    offload(t, open_run, &job);
    if (!str_empty(job.trouble))
        return why(t, ERR_IO, "%.*s: %.*s", STR(tb->spec), STR(job.trouble));
    tb->ops = &ops;
    tb->state = s;
    return OK;
}
