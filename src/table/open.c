/* SPDX-License-Identifier: ISC
 *
 * Opening by path, in a process that may: files, and what is written over
 * them.  Also the bits of opening that several kinds share.
 */
#include "table/rules_kind.h"

/* A source that changed within so many seconds may still be waiting for its
 * postmap: no complaint yet. */
enum { OLDER_GRACE_S = 100 };

struct rules_job {
    struct arena *arena;
    rules_parser *parse;
    struct rules *rules;
    struct table_notes notes;
    str text, origin;
    int flags;
};

static void rules_run(void *arg)
{
    struct rules_job *job = arg;

    job->parse(job->arena, job->text, job->origin, job->flags, &job->notes,
               job->rules);
}

static err last_note(struct task *t, const struct table_notes *notes)
{
    return why(t, ERR_SYNTAX, "%.*s", STR(notes->list.p[notes->list.n - 1]));
}

/* Answers that name files become what is in them. */
static void rules_load_files(struct task *t, struct table *tb,
                             struct rules *rules)
{
    for (size_t i = 0; i < rules->list.n; i++) {
        struct rule *rule = &rules->list.p[i];
        str value;
        if (rule->kind != RULE_ANSWER || rule->answer.n != 1)
            continue;
        if (!table_value_files(t, rule->answer.p[0].text, tb->arena,
                               &value)) {
            rule->answer = answer_plain(tb->arena, value);
            continue;
        }
        table_warn(t, tb->env,
                   arena_fmt(tb->arena, "%.*s, line %d: %s: skipping this "
                             "rule", STR(rules->where), rule->line,
                             task_why(t)));
        rule->kind = RULE_ENDIF; /* a rule that does nothing */
    }
}

err rules_open(struct task *t, struct table *tb,
               const struct table_data *data, rules_parser *parse)
{
    struct arena scratch;
    struct rules_job job = {
        .arena = tb->arena, .parse = parse, .flags = tb->flags,
        .rules = arena_new(tb->arena, struct rules),
        .notes = { .arena = &scratch }, .origin = tb->name,
    };
    err e = OK;

    arena_init(&scratch, 0);
    job.rules->where = arena_fmt(tb->arena, "%.*s map %.*s", STR(tb->type),
                                 STR(tb->name));
    if (tb->name.p[0] == '{')
        e = rules_inline(tb->arena, &job.notes, tb->type, tb->name,
                         &job.text);
    else /* answers are slices of it: it must live as long as the table */
        job.text = arena_str(tb->arena, data->text);
    if (e) {
        e = last_note(t, &job.notes);
        arena_reset(&scratch);
        return e;
    }
    offload(t, rules_run, &job);
    for (size_t i = 0; i < job.notes.list.n; i++)
        table_warn(t, tb->env, job.notes.list.p[i]);
    arena_reset(&scratch);
    if (tb->flags & TABLE_FILES)
        rules_load_files(t, tb, job.rules);
    tb->state = job.rules;
    return OK;
}

err table_value_files(struct task *t, str names, struct arena *a, str *value)
{
    struct arena scratch;
    struct buf all, text;
    str name, bytes;
    err e = OK;
    bool any = false;

    arena_init(&scratch, 0);
    buf_init(&all, &scratch, TABLE_VALUE_MAX / 4 * 3);
    while (!e && str_token(&names, S(", \t\r\n"), &name)) {
        e = file_load(t, NULL, name, &scratch, TABLE_VALUE_MAX, &bytes);
        if (any)
            buf_byte(&all, '\n');
        any = true;
        if (!e)
            buf_add(&all, bytes);
    }
    if (!e && !any)
        e = why(t, ERR_SYNTAX, "empty pathname list");
    if (!e && all.over)
        e = why(t, ERR_LIMIT, "%.*s: files are too large", STR(name));
    if (!e) {
        buf_init(&text, a, TABLE_VALUE_MAX * 2);
        base64_encode(&text, buf_str(&all));
        *value = buf_str(&text);
    }
    arena_reset(&scratch);
    return e;
}

err table_database_why(struct task *t, struct arena *a, err e)
{
    str said = arena_str(a, str_from(task_why(t)));

    if (!str_starts(said, S("open ")) || str_starts(said, S("open data")))
        return e;
    return why(t, e, "open database %.*s", STR(str_skip(said, 5)));
}

void table_warn_if_older(struct task *t, const struct table *tb)
{
    struct file_stat source;
    struct arena a;

    if (file_stat_path(t, NULL, tb->name, &source)
        || source.mtime_us <= tb->stat.mtime_us
        || source.mtime_us > rt_wall(t) - OLDER_GRACE_S * INT64_C(1000000))
        return;
    arena_init(&a, 0);
    table_warn(t, tb->env,
               arena_fmt(&a, "database %.*s is older than source file %.*s",
                         STR(tb->path), STR(tb->name)));
    arena_reset(&a);
}

/* Reads a text as a whole. */
static err load_text(struct task *t, struct file *f, struct arena *a,
                     const struct file_stat *st, str *text)
{
    char *p;
    size_t n;

    if (st->size > TABLE_TEXT_MAX)
        return why(t, ERR_LIMIT, "file is larger than %d bytes",
                   TABLE_TEXT_MAX);
    p = arena_alloc(a, st->size + 1);
    TRY(file_read(t, f, 0, p, st->size, &n));
    *text = str_of(p, n);
    return OK;
}

err table_open_handle(struct task *t, struct arena *a,
                      const struct table_env *env, str spec, int flags,
                      struct file *f, struct table_data *data,
                      struct table **out)
{
    struct arena scratch;
    struct file_stat st;
    err e = file_stat_open(t, f, &st);

    arena_init(&scratch, 0);
    if (!e && st.is_dir)
        e = why(t, ERR_IO, "read %.*s: Is a directory", STR(data->path));
    if (!e && table_kind_find(str_head(spec, str_chr(spec, ':')))->need
              == NEED_TEXT)
        e = load_text(t, f, &scratch, &st, &data->text);
    else if (!e)
        data->file = f;
    if (!data->file)
        file_close(f);
    if (!e)
        e = table_open_data(t, a, env, spec, flags, data, out);
    arena_reset(&scratch);
    if (e)
        return e;
    (*out)->path = data->path;
    (*out)->stat = st;
    return OK;
}

static err open_by_path(struct task *t, void *self, struct arena *a,
                        const struct table_env *env, str spec, int flags,
                        struct table **out)
{
    struct table_data data = { 0 };
    enum table_need need;
    struct file *f;
    err e;

    (void)self;
    TRY(table_need_of(t, spec, a, &need, &data.path));
    if (need == NEED_NOTHING || need == NEED_PROXY)
        return table_open_data(t, a, env, spec, flags, &data, out);

    bool keyed = need == NEED_FILE || str_starts(spec, S("texthash:"));
    e = file_open(t, NULL, data.path, FILE_READ | FILE_FOLLOW, 0, &f);
    if (e)
        return keyed ? table_database_why(t, a, e) : e;
    TRY(table_open_handle(t, a, env, spec, flags, f, &data, out));
    if (need == NEED_FILE)
        table_warn_if_older(t, *out);
    return OK;
}

struct table_opener table_opener_files(void)
{
    return (struct table_opener){ NULL, open_by_path };
}

bool table_changed(struct task *t, const struct table *tb)
{
    struct file_stat st;

    for (size_t i = 0; i < tb->n_inner; i++)
        if (table_changed(t, tb->inner[i]))
            return true;
    if (tb->changed)
        return tb->changed(t, tb->origin);
    if (str_empty(tb->path) || file_stat_path(t, NULL, tb->path, &st))
        return false;
    if (st.inode != tb->stat.inode || st.device != tb->stat.device)
        return true;
    return !tb->live && (st.mtime_us != tb->stat.mtime_us
                         || st.size != tb->stat.size);
}
