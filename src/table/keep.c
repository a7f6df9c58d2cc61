/* SPDX-License-Identifier: ISC
 *
 * Tables that are kept open and opened anew when they change.
 *
 * What tables_get() gives is a handle, a table of its own kind whose pointer
 * stays good as long as the struct tables; behind it stands the opened table
 * of the day, in an arena of its own.
 *
 * I1  A table that somebody is asking is not closed: n_users counts them, and
 *     a table that was replaced meanwhile is closed by the last.
 * I2  At most one task at a time looks for changes of one handle.
 */
#include "table/kind.h"

enum { LOOK_EVERY_MS = 1000 };

/* One opened table. */
struct opened {
    struct arena arena;
    struct table *table;
    size_t n_users;
    bool replaced;
};

struct kept {
    struct table handle;
    struct tables *tables;
    struct opened *now;  /* NULL: could not be opened yet */
    when look_next;
    bool looking;
    bool stale;           /* somebody said that it has changed */
};

struct tables {
    struct arena *arena;
    struct table_env env;
    struct map *by_spec;      /* "FLAGS:SPEC" to struct kept * */
    vec_of(struct kept *) list;
};

static void opened_close(struct opened *op)
{
    arena_reset(&op->arena);
    heap_free(op);
}

static err opened_new(struct task *t, struct tables *ts, str spec, int flags,
                      struct opened **out)
{
    struct table_opener o = ts->env.opener;
    struct opened *op = heap_new(struct opened);
    err e;

    arena_init(&op->arena, 0);
    e = o.open(t, o.self, &op->arena, &ts->env, spec, flags, &op->table);
    if (e) {
        opened_close(op);
        return e;
    }
    *out = op;
    return OK;
}

static void opened_leave(struct opened *op)
{
    must(op->n_users > 0);
    op->n_users--;
    if (op->replaced && op->n_users == 0)
        opened_close(op);
}

/* Puts a new opened table in the place of the old one, if there is one. */
static void replace(struct kept *k, struct opened *with)
{
    struct opened *old = k->now;

    k->now = with;
    k->handle.traits = with->table->traits;
    if (!old)
        return;
    old->replaced = true;
    old->n_users++;
    opened_leave(old);
}

/* Opens what is not open, and what has changed. */
static void look(struct task *t, struct kept *k)
{
    struct opened *op = k->now, *opened;
    bool changed = true;

    if (op && !k->stale) {
        op->n_users++;
        changed = table_changed(t, op->table);
        opened_leave(op);
    }
    if (!changed)
        return;
    k->stale = false; /* now: it may be said again while we open */
    if (opened_new(t, k->tables, k->handle.spec, k->handle.flags,
                     &opened)) {
        k->stale = true;
        table_warn(t, &k->tables->env, str_from(task_why(t)));
        return;
    }
    if (op)
        say(t, table_reopened, STR(k->handle.spec));
    replace(k, opened);
}

void tables_stale(struct tables *ts, str spec)
{
    for (size_t i = 0; i < ts->list.n; i++) {
        struct kept *k = ts->list.p[i];
        if (!str_empty(spec) && !str_eq(spec, k->handle.spec))
            continue;
        k->stale = true;
        k->look_next = 0;
    }
}

static err enter(struct task *t, struct kept *k, struct opened **out)
{
    if (!k->looking && rt_now(t) >= k->look_next) {
        k->looking = true;
        k->look_next = after_ms(t, LOOK_EVERY_MS);
        look(t, k);
        k->looking = false;
    }
    if (!k->now)
        return table_failed(t, &k->handle, ERR_IO, "cannot be opened");
    k->now->n_users++;
    *out = k->now;
    return OK;
}

static err kept_find(struct task *t, struct table *tb, str key,
                     struct arena *a, str *value)
{
    struct opened *op = NULL;
    err e;

    TRY(enter(t, tb->state, &op));
    e = table_find(t, op->table, key, a, value);
    opened_leave(op);
    return e;
}

static err kept_walk(struct task *t, struct table *tb, uint64_t *cursor,
                     struct arena *a, str *key, str *value)
{
    struct kept *k = tb->state;
    struct opened *op = k->now;
    err e;

    if (!op)
        return table_failed(t, tb, ERR_IO, "cannot be opened");
    op->n_users++; /* no look for changes: the cursor belongs to this one */
    e = table_walk(t, op->table, cursor, a, key, value);
    opened_leave(op);
    return e;
}

static const struct table_ops kept_ops = { kept_find, kept_walk };

bool table_owner(const struct table *tb, uint32_t *uid)
{
    if (tb->ops == &kept_ops) {
        const struct kept *k = tb->state;
        if (!k->now)
            return false;
        tb = k->now->table;
    }
    if (str_empty(tb->path))
        return false;
    *uid = tb->stat.uid;
    return true;
}

struct tables *tables_new_env(struct arena *a, const struct table_env *env)
{
    struct tables *ts = arena_new(a, struct tables);

    ts->arena = a;
    ts->env = *env;
    ts->by_spec = map_new(a, false);
    arena_own(a, tables_close, ts);
    return ts;
}

struct tables *tables_new(struct arena *a, const struct conf *c,
                          struct table_opener opener)
{
    return tables_new_env(a, &(struct table_env){ .conf = c,
                                                  .opener = opener });
}

void tables_close(void *tables)
{
    struct tables *ts = tables;

    for (size_t i = 0; i < ts->list.n; i++) {
        struct opened *op = ts->list.p[i]->now;
        must(!op || op->n_users == 0);
        if (op)
            opened_close(op);
    }
    ts->list.n = 0;
}

/* The handle asks through: folding and checks are the opened table's.  op may
 * be NULL. */
static struct kept *kept_new(struct task *t, struct tables *ts, str spec,
                             int flags, struct opened *op)
{
    struct kept *k = arena_new(ts->arena, struct kept);
    struct table *h = &k->handle;

    k->tables = ts;
    k->now = op;
    k->look_next = after_ms(t, LOOK_EVERY_MS);
    *h = (struct table){
        .magic = TABLE_MAGIC, .ops = &kept_ops, .arena = ts->arena,
        .env = &ts->env, .spec = arena_str(ts->arena, spec), .flags = flags,
        .state = k,
    };
    h->label = h->spec;
    err_ignore(table_spec_split(t, h->spec, &h->type, &h->name));
    h->kind = table_kind_find(h->type);
    must(h->kind); /* table_need_of() knew it */
    h->traits = op ? op->table->traits : h->kind->traits;
    vec_push(ts->arena, &ts->list, k);
    return k;
}

/* Opens a table for the first time.  What the spec itself says must be right;
 * what it names may come later. */
static err open_first(struct task *t, struct tables *ts, str spec, int flags,
                      struct opened **out)
{
    enum table_need need;
    struct arena scratch;
    str path;
    err e;

    arena_init(&scratch, 0);
    e = table_need_of(t, spec, &scratch, &need, &path);
    arena_reset(&scratch);
    if (e)
        return e;
    e = opened_new(t, ts, spec, flags, out);
    if (e == OK || e == ERR_STOPPED || need == NEED_NOTHING)
        return e;
    table_warn(t, &ts->env, str_from(task_why(t)));
    *out = NULL;
    return OK;
}

err tables_get_flags(struct task *t, struct tables *ts, str spec, int flags,
                     struct table **out)
{
    struct arena scratch;
    struct opened *op;
    struct kept *k;
    err e = OK;

    arena_init(&scratch, 0);
    str key = arena_fmt(&scratch, "%x:%.*s", (unsigned)flags, STR(spec));
    k = map_get(ts->by_spec, key);
    if (!k)
        e = open_first(t, ts, spec, flags, &op);
    if (!k && !e) {
        k = map_get(ts->by_spec, key); /* another task may have been first */
        if (k && op)
            opened_close(op);
        if (!k) {
            k = kept_new(t, ts, spec, flags, op);
            map_put(ts->by_spec, arena_str(ts->arena, key), k);
        }
    }
    arena_reset(&scratch);
    if (e)
        return e;
    *out = &k->handle;
    return OK;
}

err tables_get(struct task *t, struct tables *ts, str spec,
               struct table **out)
{
    return tables_get_flags(t, ts, spec, 0, out);
}
