/* SPDX-License-Identifier: ISC
 *
 * Tables of tables: pipemap (each answer is the next one's question),
 * unionmap (all answers, with commas between), proxy (the table behind).
 */
#include "table/lines.h"

#include "table/kind.h"

/* An inner table's failure is ours: the reason stays, the name changes. */
static err inner_failed(struct task *t, const struct table *tb, struct arena *a,
                        err e)
{
    str said = arena_str(a, str_from(task_why(t)));
    size_t at = str_find(said, S("query error: "));

    if (e == ERR_STOPPED)
        return e;
    if (at != STR_NONE)
        said = str_skip(said, at + S("query error: ").n);
    return table_failed(t, tb, e, said.p);
}

static err pipemap_find(struct task *t, struct table *tb, str key,
                        struct arena *a, str *value)
{
    for (size_t i = 0; i < tb->n_inner; i++) {
        err e = table_find(t, tb->inner[i], key, a, &key);
        if (e)
            return e == ERR_ABSENT ? e : inner_failed(t, tb, a, e);
    }
    *value = key;
    return OK;
}

static err unionmap_find(struct task *t, struct table *tb, str key,
                         struct arena *a, str *value)
{
    struct buf all;
    bool any = false;
    str one;

    buf_init(&all, a, TABLE_VALUE_MAX);
    for (size_t i = 0; i < tb->n_inner; i++) {
        err e = table_find(t, tb->inner[i], key, a, &one);
        if (e == ERR_ABSENT)
            continue;
        if (e)
            return inner_failed(t, tb, a, e);
        if (any)
            buf_byte(&all, ',');
        buf_add(&all, one);
        any = true;
    }
    if (all.over)
        return table_failed(t, tb, ERR_LIMIT, "the result is too large");
    *value = buf_str(&all);
    return any ? OK : ERR_ABSENT;
}

/* How deep a name nests: the tables in it open each other. */
static int depth_of(str name)
{
    int depth = 0, deepest = 0;

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '{' && ++depth > deepest)
            deepest = depth;
        else if (name.p[i] == '}')
            depth--;
    }
    return deepest;
}

static err open_list(struct task *t, struct table *tb)
{
    struct table *inner;
    str rest, item;

    if (depth_of(tb->name) > TABLE_DEPTH_MAX)
        return why(t, ERR_LIMIT, "tables nest too deep: \"%.*s\"",
                   STR(tb->spec));
    if (braces_strip(tb->name, &rest))
        rest = (str){ 0 };
    while (items_next(&rest, &item)) {
        size_t colon = str_chr(item, ':');
        if (colon == STR_NONE || colon == 0 || colon + 1 == item.n)
            goto bad;
        TRY(table_open_inner(t, tb, item, &inner));
        tb->traits |= inner->traits & TABLE_PATTERN;
    }
    if (tb->n_inner > 0)
        return OK;
bad:
    return why(t, ERR_SYNTAX, "bad syntax: \"%.*s\"; need "
               "\"%.*s:{type:name...}\"", STR(tb->spec), STR(tb->type));
}

err table_open_pipemap(struct task *t, struct table *tb,
                       const struct table_data *data)
{
    static const struct table_ops ops = { pipemap_find, NULL };

    (void)data;
    tb->ops = &ops;
    return open_list(t, tb);
}

err table_open_unionmap(struct task *t, struct table *tb,
                        const struct table_data *data)
{
    static const struct table_ops ops = { unionmap_find, NULL };

    (void)data;
    tb->ops = &ops;
    return open_list(t, tb);
}

static err proxy_find(struct task *t, struct table *tb, str key,
                      struct arena *a, str *value)
{
    return table_find(t, tb->inner[0], key, a, value);
}

static err proxy_walk(struct task *t, struct table *tb, uint64_t *cursor,
                      struct arena *a, str *key, str *value)
{
    return table_walk(t, tb->inner[0], cursor, a, key, value);
}

/* In the process that may open everything proxy: is only another name of the
 * table behind it; elsewhere the opener asks that process. */
err table_open_proxy(struct task *t, struct table *tb,
                     const struct table_data *data)
{
    static const struct table_ops ops = { proxy_find, proxy_walk };
    struct table *inner;

    (void)data;
    if (str_starts(tb->name, S("proxy:")))
        return why(t, ERR_SYNTAX, "bad syntax: \"%.*s\"; need "
                   "\"proxy:type:name\"", STR(tb->spec));
    TRY(table_open_inner(t, tb, tb->name, &inner));
    tb->traits = inner->traits;
    tb->ops = &ops;
    return OK;
}
