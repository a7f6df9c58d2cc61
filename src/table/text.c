/* SPDX-License-Identifier: ISC
 *
 * Tables that are a few words: texthash, inline, static, environ, fail,
 * randmap, as DATABASE_README describes them.
 */
#include "table/lines.h"

#include "table/kind.h"

#include <unistd.h>

struct pair {
    str key, value;
};

/* Keys and values in order, found by a map. */
struct pairs {
    struct map *by_key;
    vec_of(struct pair) list;
};

static void warn_notes(struct task *t, struct table *tb,
                       const struct table_notes *notes)
{
    for (size_t i = 0; i < notes->list.n; i++)
        table_warn(t, tb->env, notes->list.p[i]);
}

static str fold_key(const struct table *tb, str key)
{
    if (tb->flags & TABLE_EXACT_CASE)
        return arena_str(tb->arena, key);
    return table_fold(tb->arena, key, tb->utf8);
}

/* The map's values are indexes into the list, plus one. */
static size_t pairs_index(const struct pairs *p, str key)
{
    return (size_t)(uintptr_t)map_get(p->by_key, key);
}

static void pairs_add(struct table *tb, str key, str value)
{
    struct pairs *p = tb->state;
    struct pair pair = { key, arena_str(tb->arena, value) };

    vec_push(tb->arena, &p->list, pair);
    map_put(p->by_key, key, (void *)(uintptr_t)p->list.n);
}

static struct pairs *pairs_new(struct arena *a)
{
    struct pairs *p = arena_new(a, struct pairs);

    p->by_key = map_new(a, false);
    return p;
}

static err pairs_find(struct task *t, struct table *tb, str key,
                      struct arena *a, str *value)
{
    const struct pairs *p = tb->state;
    size_t i = pairs_index(p, key);

    (void)t;
    if (i == 0)
        return ERR_ABSENT;
    *value = arena_str(a, p->list.p[i - 1].value);
    return OK;
}

static err pairs_walk(struct task *t, struct table *tb, uint64_t *cursor,
                      struct arena *a, str *key, str *value)
{
    const struct pairs *p = tb->state;

    (void)t;
    if (*cursor >= p->list.n)
        return ERR_END;
    *key = arena_str(a, p->list.p[*cursor].key);
    *value = arena_str(a, p->list.p[*cursor].value);
    (*cursor)++;
    return OK;
}

static const struct table_ops pairs_ops = { pairs_find, pairs_walk };

/* One logical line of a texthash.  What cannot be used is a note. */
static void texthash_line(struct table *tb, str logical, int line, str path,
                          struct table_notes *notes)
{
    str key, value;

    if (tb->utf8 && !utf8_valid(logical)) {
        table_note(notes, "%.*s, line %d: non-UTF-8 input \"%.*s\" -- "
                   "ignoring this line", STR(path), line,
                   STR(table_printable(notes->arena, logical)));
        return;
    }
    if (!lines_pair(logical, &key, &value)) {
        table_note(notes, "%.*s, line %d: unbalanced '\"' in '%.*s' -- "
                   "ignoring this line", STR(path), line, STR(logical));
        return;
    }
    if (str_empty(key) || str_empty(value)) {
        table_note(notes, "%.*s, line %d: expected format: key whitespace "
                   "value -- ignoring this line", STR(path), line);
        return;
    }
    if (str_ends(key, S(":")))
        table_note(notes, "%.*s, line %d: record is in \"key: value\" "
                   "format; is this an alias file?", STR(path), line);
    key = fold_key(tb, key);
    if (pairs_index(tb->state, key))
        table_note(notes, "%.*s, line %d: duplicate entry: \"%.*s\"",
                   STR(path), line, STR(key));
    else
        pairs_add(tb, key, value);
}

/* Replaces each value by what the files that it names hold. */
static err pairs_load_files(struct task *t, struct table *tb)
{
    struct pairs *p = tb->state;

    for (size_t i = 0; (tb->flags & TABLE_FILES) && i < p->list.n; i++)
        TRY(table_value_files(t, p->list.p[i].value, tb->arena,
                              &p->list.p[i].value));
    return OK;
}

err table_open_texthash(struct task *t, struct table *tb,
                        const struct table_data *data)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    struct table_notes notes = { .arena = &scratch };
    struct lines lines = { .text = data->text, .origin = data->path,
                           .arena = &scratch, .notes = &notes };
    str logical;
    int line;

    tb->ops = &pairs_ops;
    tb->state = pairs_new(tb->arena);
    while (lines_next(&lines, &logical, &line))
        texthash_line(tb, logical, line, data->path, &notes);
    warn_notes(t, tb, &notes);
    arena_reset(&scratch);
    return pairs_load_files(t, tb);
}

/* Splits "name = value"; blanks around both go.  False without a "=". */
static bool split_pair(str text, str *key, str *value)
{
    size_t equals = str_chr(text, '=');

    if (equals == STR_NONE)
        return false;
    *key = str_trim(str_head(text, equals));
    *value = str_trim(str_skip(text, equals + 1));
    return true;
}

err table_open_inline(struct task *t, struct table *tb,
                      const struct table_data *data)
{
    static const char need[] = "need \"inline:{name=value...}\"";
    const char *trouble;
    str rest, item, key, value;

    (void)data;
    tb->ops = &pairs_ops;
    tb->state = pairs_new(tb->arena);
    if (braces_strip(tb->name, &rest) || tb->name.n < 3)
        return why(t, ERR_SYNTAX, "bad syntax: \"%.*s\"; %s", STR(tb->spec),
                   need);
    while (items_next(&rest, &item)) {
        trouble = item.p[0] == '{' ? braces_strip(item, &item) : NULL;
        if (trouble)
            return why(t, ERR_SYNTAX, "%s in \"%.*s\": \"%.*s\"; %s", trouble,
                       STR(item), STR(tb->spec), need);
        if (!split_pair(item, &key, &value))
            return why(t, ERR_SYNTAX, "missing '=' after attribute name: "
                       "\"%.*s\"; %s", STR(tb->spec), need);
        pairs_add(tb, fold_key(tb, key), value); /* the last one counts */
    }
    if (((struct pairs *)tb->state)->list.n == 0)
        return why(t, ERR_SYNTAX, "empty table: \"%.*s\"; %s", STR(tb->spec),
                   need);
    return pairs_load_files(t, tb);
}

static err static_find(struct task *t, struct table *tb, str key,
                       struct arena *a, str *value)
{
    const str *text = tb->state;

    (void)t;
    (void)key;
    *value = arena_str(a, *text);
    return OK;
}

err table_open_static(struct task *t, struct table *tb,
                      const struct table_data *data)
{
    static const struct table_ops ops = { static_find, NULL };
    str *text = arena_new(tb->arena, str);
    const char *trouble;

    (void)data;
    *text = tb->name;
    trouble = tb->name.p[0] == '{' ? braces_strip(tb->name, text) : NULL;
    if (trouble)
        return why(t, ERR_SYNTAX, "bad static:name syntax: %s in \"%.*s\"",
                   trouble, STR(tb->name));
    if (tb->flags & TABLE_FILES)
        TRY(table_value_files(t, *text, tb->arena, text));
    tb->ops = &ops;
    tb->state = text;
    return OK;
}

/* The process' environment is what this type is about: the one reader of it
 * beside main(). */
static err environ_find(struct task *t, struct table *tb, str key,
                        struct arena *a, str *value)
{
    (void)t;
    (void)tb;
    for (char **e = environ; e && *e; e++) {
        str entry = str_from(*e);
        if (str_starts(entry, key) && entry.n > key.n
            && entry.p[key.n] == '=') {
            *value = arena_str(a, str_skip(entry, key.n + 1));
            return OK;
        }
    }
    return ERR_ABSENT;
}

static err environ_walk(struct task *t, struct table *tb, uint64_t *cursor,
                        struct arena *a, str *key, str *value)
{
    uint64_t i = 0;

    (void)t;
    (void)tb;
    while (environ && environ[i] && i < *cursor)
        i++;
    if (!environ || !environ[i])
        return ERR_END;
    str entry = arena_str(a, str_from(environ[i]));
    size_t equals = str_chr(entry, '=');
    *key = str_head(entry, equals == STR_NONE ? entry.n : equals);
    *value = str_skip(entry, key->n + 1);
    *cursor = i + 1;
    return OK;
}

err table_open_environ(struct task *t, struct table *tb,
                       const struct table_data *data)
{
    static const struct table_ops ops = { environ_find, environ_walk };

    (void)t;
    (void)data;
    tb->ops = &ops;
    return OK;
}

static err fail_find(struct task *t, struct table *tb, str key,
                     struct arena *a, str *value)
{
    (void)key;
    (void)a;
    (void)value;
    return table_failed(t, tb, ERR_IO, "Application error");
}

static err fail_walk(struct task *t, struct table *tb, uint64_t *cursor,
                     struct arena *a, str *key, str *value)
{
    (void)cursor;
    (void)key;
    return fail_find(t, tb, (str){ 0 }, a, value);
}

err table_open_fail(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { fail_find, fail_walk };

    (void)t;
    (void)data;
    tb->ops = &ops;
    return OK;
}

struct choices {
    vec_of(str) list;
};

static err randmap_find(struct task *t, struct table *tb, str key,
                        struct arena *a, str *value)
{
    const struct choices *c = tb->state;

    (void)key;
    *value = arena_str(a, c->list.p[rt_random_below(t, c->list.n)]);
    return OK;
}

err table_open_randmap(struct task *t, struct table *tb,
                       const struct table_data *data)
{
    static const struct table_ops ops = { randmap_find, NULL };
    struct choices *c = arena_new(tb->arena, struct choices);
    const char *trouble;
    str rest, item;

    (void)data;
    if (braces_strip(tb->name, &rest))
        rest = (str){ 0 };
    while (items_next(&rest, &item)) {
        trouble = item.p[0] == '{' ? braces_strip(item, &item) : NULL;
        if (trouble)
            return why(t, ERR_SYNTAX, "%s: \"%.*s\"; need "
                       "\"randmap:{value...}\"", trouble, STR(tb->spec));
        vec_push(tb->arena, &c->list, item);
    }
    if (c->list.n == 0)
        return why(t, ERR_SYNTAX, "bad syntax: \"%.*s\"; need "
                   "\"randmap:{value...}\"", STR(tb->spec));
    tb->ops = &ops;
    tb->state = c;
    return OK;
}

/* file: is not for administrators: it is how lists get at "/file/name" items
 * through whatever opener there is.  Its keys are the logical lines. */
static err file_find(struct task *t, struct table *tb, str key,
                     struct arena *a, str *value)
{
    (void)t;
    (void)tb;
    (void)key;
    (void)a;
    (void)value;
    return ERR_ABSENT;
}

static err file_walk(struct task *t, struct table *tb, uint64_t *cursor,
                     struct arena *a, str *key, str *value)
{
    const str *text = tb->state;
    struct lines lines = { .text = *text, .origin = tb->name, .arena = a,
                           .at = (size_t)*cursor };
    int line;

    (void)t;
    if (!lines_next(&lines, key, &line))
        return ERR_END;
    *value = (str){ 0 };
    *cursor = lines.at;
    return OK;
}

err table_open_file(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { file_find, file_walk };
    str *text = arena_new(tb->arena, str);

    (void)t;
    *text = arena_str(tb->arena, data->text);
    tb->ops = &ops;
    tb->state = text;
    return OK;
}
