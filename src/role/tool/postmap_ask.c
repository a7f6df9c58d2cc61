/* SPDX-License-Identifier: ISC
 *
 * postmap -q, -d and -s.
 */
#include "role/tool/postmap.h"

#include <stdio.h>

enum { KEY_MAX = 1 << 20, MESSAGE_MAX = 1 << 30 };

static struct table **open_all(struct task *t, struct postmap *pm)
{
    struct table **tables = arena_array(pm->arena, struct table *,
                                        (size_t)pm->n_specs);
    struct table_opener o = pm->env.opener;

    for (int i = 0; i < pm->n_specs; i++)
        if (o.open(t, o.self, pm->arena, &pm->env,
                   postmap_spec(pm, pm->specs[i]), pm->flags, &tables[i])) {
            postmap_fatal(t, pm);
            return NULL;
        }
    return tables;
}

/* With -F the value is base64. */
static bool decode(struct postmap *pm, struct arena *a, struct table *tb,
                   str key, str *value)
{
    struct buf plain;

    if (!(pm->flags & TABLE_FILES))
        return true;
    buf_init(&plain, a, value->n + 1);
    if (!base64_decode(&plain, *value)) {
        tool_warn(pm->args, "table %.*s: key %.*s: malformed BASE64 value: "
                  "%.*s", STR(table_label(tb)), STR(table_printable(a, key)),
                  STR(table_printable(a, str_head(*value, 100))));
        return false;
    }
    *value = buf_str(&plain);
    return true;
}

/* One table's answer. */
static err find(struct task *t, struct postmap *pm, struct table *tb,
                str key, struct arena *a, str *value)
{
    err e = table_find(t, tb, key, a, value);

    if (e == ERR_ABSENT)
        return e;
    if (e) {
        postmap_fatal(t, pm);
        return e;
    }
    if (str_empty(*value)) {
        str label = table_label(tb);
        tool_warn(pm->args, "table %.*s: key %.*s: empty string result is "
                  "not allowed", STR(label), STR(table_printable(a, key)));
        tool_warn(pm->args, "table %.*s should return NO RESULT in case of "
                  "NOT FOUND", STR(label));
    }
    if (!decode(pm, a, tb, key, value)) {
        tool_fatal(pm->args, "table %.*s: query error",
                   STR(table_label(tb)));
        return ERR_SYNTAX;
    }
    return OK;
}

static void print(str s)
{
    fwrite(s.p ? s.p : "", 1, s.n, stdout);
}

static void print_pair(const struct postmap *pm, str key, str value)
{
    print(key);
    print(pm->aliases ? S(":\t") : S("\t"));
    print(value);
    putchar('\n');
}

int postmap_query(struct task *t, struct postmap *pm)
{
    str key = str_from(pm->query), value;
    struct table_opener o = pm->env.opener;
    struct table *tb;
    err e = ERR_ABSENT;

    /* one after the other: a table is opened when those before have nothing */
    for (int i = 0; i < pm->n_specs && e == ERR_ABSENT; i++) {
        e = o.open(t, o.self, pm->arena, &pm->env,
                   postmap_spec(pm, pm->specs[i]), pm->flags, &tb);
        if (e) {
            postmap_fatal(t, pm);
            return 1;
        }
        e = find(t, pm, tb, key, pm->arena, &value);
    }
    if (e)
        return 1;
    print(value);
    putchar('\n');
    return 0;
}

err postmap_ask(struct task *t, struct postmap *pm, struct table **tables,
                str key)
{
    struct arena a;
    str value;
    err e = ERR_ABSENT;

    arena_init(&a, 0);
    for (int i = 0; i < pm->n_specs && e == ERR_ABSENT; i++)
        e = find(t, pm, tables[i], key, &a, &value);
    if (e == OK)
        print_pair(pm, key, value);
    arena_reset(&a);
    return e;
}

static int query_message(struct task *t, struct postmap *pm,
                         struct table **tables)
{
    struct postmap_keys keys;
    bool found = false;
    err e;

    postmap_message(pm->arena, postmap_stdin(pm->arena, MESSAGE_MAX),
                    pm->headers, pm->bodies, pm->mime, &keys);
    for (size_t i = 0; i < keys.n; i++) {
        e = postmap_ask(t, pm, tables, keys.p[i]);
        if (e && e != ERR_ABSENT)
            return 1;
        found |= e == OK;
    }
    return !found;
}

int postmap_query_stdin(struct task *t, struct postmap *pm)
{
    struct table **tables = open_all(t, pm);
    struct buf line;
    bool found = false;
    err e;

    if (!tables)
        return 1;
    if (pm->headers || pm->bodies)
        return query_message(t, pm, tables);
    buf_init(&line, pm->arena, KEY_MAX);
    while (postmap_stdin_line(&line)) {
        e = postmap_ask(t, pm, tables, buf_str(&line));
        if (e && e != ERR_ABSENT)
            return 1;
        found |= e == OK;
        fflush(stdout); /* a co-process waits for it */
    }
    return !found;
}

int postmap_sequence(struct task *t, struct postmap *pm)
{
    struct table **tables = open_all(t, pm);
    uint64_t cursor;
    struct arena a, b, *now = &a, *other = &b, *swap;
    str key = { 0 }, value;
    err e = OK;

    if (!tables)
        return 1;
    arena_init(&a, 0);
    arena_init(&b, 0);
    for (int i = 0; i < pm->n_specs && (e == OK || e == ERR_END); i++) {
        cursor = 0;
        while ((e = table_walk(t, tables[i], &cursor, now, &key, &value))
               == OK) {
            if (decode(pm, now, tables[i], key, &value))
                print_pair(pm, key, value);
            arena_reset(other); /* the key before is needed no more */
            swap = now;
            now = other;
            other = swap;
        }
    }
    if (e != ERR_END)
        postmap_fatal(t, pm);
    arena_reset(&a);
    arena_reset(&b);
    return e != ERR_END;
}

/* Removes keys from one table; whether there was any. */
static err delete_from(struct task *t, struct postmap *pm, str spec,
                       const str *keys, size_t n, bool *found)
{
    struct table_writer *w;
    struct arena a;
    bool any = false;
    err e;

    arena_init(&a, 0);
    e = table_writer_open(t, &a, &pm->env, spec, pm->flags,
                          TABLE_WRITE_DELETE, 0600, &w);
    for (size_t i = 0; !e && i < n; i++) {
        e = table_writer_delete(t, w, keys[i]);
        any |= e == OK;
        if (e == ERR_ABSENT)
            e = OK;
    }
    if (!e && any)
        e = table_writer_commit(t, w);
    arena_reset(&a);
    *found |= any;
    return e;
}

int postmap_delete(struct task *t, struct postmap *pm)
{
    vec_of(str) keys = { 0 };
    struct buf line;
    bool found = false;

    if (str_eq(str_from(pm->delete), S("-"))) {
        buf_init(&line, pm->arena, KEY_MAX);
        while (postmap_stdin_line(&line))
            vec_push(pm->arena, &keys, arena_str(pm->arena, buf_str(&line)));
    } else {
        vec_push(pm->arena, &keys, str_from(pm->delete));
    }
    for (int i = 0; i < pm->n_specs; i++)
        if (delete_from(t, pm, postmap_spec(pm, pm->specs[i]), keys.p,
                        keys.n, &found)) {
            postmap_fatal(t, pm);
            return 1;
        }
    return !found;
}
