/* SPDX-License-Identifier: ISC
 *
 * Tables for roles that open no path: the answering half of table/face.h.
 *
 * The configuration's words are kept as one text of all values; a spec is
 * allowed if it is found there between separators.  That covers tables inside
 * tables ("pipemap:{hash:/a, sqlite:/b}") and rules given in line.
 */
#include "table/face.h"
#include "table/kind.h"

enum { WORDS_MAX = 16 << 20, LIST_FILE_MAX = 1 << 20, LIST_FILES_MAX = 200,
       LIST_DEPTH_MAX = 8, WORDS_AGAIN_S = 5 };

struct table_grant {
    struct arena *arena;
    const struct conf *conf;
    struct tables *tables;
    struct table_env env;
    struct buf words;       /* all may ask for these */
    struct buf secrets;     /* the SMTP client alone */
    struct map *files;      /* list files that were read: path to itself */
    when words_next;        /* when list files may be read again */
};

/* --- what is allowed ----------------------------------------------------- */

static bool is_secret(str name)
{
    return str_ends(name, S("sasl_password_maps"));
}

/* Passwords and keys are nobody's business here; proxy_read_maps and its like
 * name nothing that its own parameter does not name. */
static bool is_private(str name)
{
    return str_starts(name, S("auth_")) || str_ends(name, S("_chain_files"))
        || str_starts(name, S("proxy_"));
}

static void read_list_file(struct task *t, struct table_grant *g, str path,
                           int depth);

/* "/path" and "!/path" among the items of a list. */
static void read_list(struct task *t, struct table_grant *g, str text,
                      int depth)
{
    str item;

    while (str_token(&text, S(" \t\r\n,"), &item)) {
        while (item.n && item.p[0] == '!')
            item = str_skip(item, 1);
        if (item.n > 1 && item.p[0] == '/')
            read_list_file(t, g, item, depth);
    }
}

/* What stands in a list file is as good as if it stood in the list. */
static void read_list_file(struct task *t, struct table_grant *g, str path,
                           int depth)
{
    struct file_stat st;
    str text, *known;

    if (depth >= LIST_DEPTH_MAX || g->files->n >= LIST_FILES_MAX
        || map_get(g->files, path)
        || file_stat_path(t, NULL, path, &st) || !st.is_regular
        || file_load(t, NULL, path, g->arena, LIST_FILE_MAX, &text))
        return;
    known = arena_new(g->arena, str);
    *known = arena_str(g->arena, path);
    map_put(g->files, *known, known);
    buf_byte(&g->words, '\n');
    buf_add(&g->words, text);
    read_list(t, g, text, depth + 1);
}

static void add_words(struct table_grant *g, str name, str value)
{
    struct buf *to = is_secret(name) ? &g->secrets : &g->words;

    if (is_private(name))
        return;
    buf_byte(to, '\n');
    buf_add(to, value);
}

static void add_conf(struct task *t, struct table_grant *g,
                     const struct conf *c)
{
    size_t at = 0;
    str name, value;

    for (int i = 0; i < N_PARAMS; i++) {
        const struct conf_param *p = conf_param((enum param)i);
        value = conf_raw(c, (enum param)i);
        add_words(g, p->name, value);
        if (p->kind == CONF_LIST && !is_private(p->name)
            && !is_secret(p->name))
            read_list(t, g, value, 0);
    }
    while (conf_next_set(c, &at, &name))
        if (conf_param_find(name) == N_PARAMS
            && conf_find(c, g->arena, name, &value))
            add_words(g, name, value);
}

static void read_words(struct task *t, struct table_grant *g)
{
    struct services all = conf_services(g->conf);

    buf_clear(&g->words);
    buf_clear(&g->secrets);
    g->files = map_new(g->arena, false);
    add_conf(t, g, g->conf);
    for (size_t i = 0; i < all.n; i++) {
        struct conf_findings findings = { 0 };
        struct conf *over;
        if (all.p[i].n_overrides > 0
            && !conf_of_service(g->arena, g->conf, &all.p[i], &findings,
                                &over))
            add_conf(t, g, over);
    }
}

static bool ends_word(str s, size_t at)
{
    return at == s.n || str_chr(S(" \t\r\n,{}!=:"), s.p[at]) != STR_NONE;
}

static bool stands_in(str words, str spec)
{
    size_t from = 0, at;

    while ((at = str_find(str_skip(words, from), spec)) != STR_NONE) {
        at += from;
        if ((at == 0 || ends_word(words, at - 1))
            && ends_word(words, at + spec.n))
            return true;
        from = at + 1;
    }
    return false;
}

static bool named_by(const struct table_grant *g, str spec, bool client)
{
    if (!g || str_empty(spec))
        return false;
    if (str_starts(spec, S("file:")))
        return map_get(g->files, str_skip(spec, 5)) != NULL;
    return stands_in(buf_str(&g->words), spec)
        || (client && stands_in(buf_str(&g->secrets), spec));
}

/* The one that allows it, or NULL.  A list file may have got new items
 * meanwhile. */
static struct table_grant *allowed(struct task *t,
                                   const struct table_grants *all, str spec,
                                   bool client)
{
    struct table_grant *g;

    for (size_t i = 0; i < all->n; i++)
        if (named_by(all->p[i], spec, client))
            return all->p[i];
    if (all->n == 0 || rt_now(t) < all->p[0]->words_next)
        return NULL;
    g = all->p[0];
    g->words_next = after_s(t, WORDS_AGAIN_S);
    read_words(t, g);
    return named_by(g, spec, client) ? g : NULL;
}

err table_grant_open(struct task *t, struct arena *a, const struct conf *c,
                     struct table_grant **out)
{
    struct table_grant *g = arena_new(a, struct table_grant);

    g->arena = a;
    g->conf = c;
    g->env = (struct table_env){ .conf = c,
                                 .opener = table_opener_files() };
    g->tables = tables_new_env(a, &g->env);
    buf_init(&g->words, a, WORDS_MAX);
    buf_init(&g->secrets, a, WORDS_MAX);
    read_words(t, g);
    *out = g;
    return OK;
}

/* --- answers ------------------------------------------------------------- */

bool table_frame_is(uint16_t type)
{
    return type >= TABLE_OPEN && type <= TABLE_STAMPS;
}

static void pack_result(struct task *t, err e, struct buf *answer)
{
    str reason = e && e != ERR_ABSENT ? str_from(task_why(t)) : S("");

    buf_clear(answer);
    pack_u8(answer, TABLE_FACE_VERSION);
    pack_u8(answer, (uint8_t)e);
    pack_str(answer, str_head(reason, TABLE_WHY_MAX));
}

static uint64_t stamp_of(const struct file_stat *st)
{
    const int64_t parts[] = { (int64_t)st->device, (int64_t)st->inode,
                              (int64_t)st->size, st->mtime_us,
                              st->ctime_us };
    uint64_t h = str_hash(str_of(parts, sizeof(parts)), false);

    return h ? h : 1;
}

static err deny(struct task *t, str spec)
{
    return why(t, ERR_DENIED, "table %.*s is not named by the configuration",
               STR(spec));
}

/* The path of what a spec is made of. */
static err path_of(struct task *t, const struct table_grants *all, str spec,
                   bool client, struct arena *a, struct table_grant **g,
                   str *path)
{
    enum table_need need;

    *g = allowed(t, all, spec, client);
    if (!*g)
        return deny(t, spec);
    TRY(table_need_of(t, spec, a, &need, path));
    if (need != NEED_TEXT && need != NEED_FILE)
        return why(t, ERR_DENIED, "table %.*s is no file", STR(spec));
    return OK;
}

static void warn_if_older(struct task *t, struct table_grant *g, str spec,
                          str path, const struct file_stat *st)
{
    struct table tb = { .spec = spec, .env = &g->env, .path = path,
                        .stat = *st };

    if (!table_spec_split(t, spec, &tb.type, &tb.name)
        && table_kind_find(tb.type)->need == NEED_FILE)
        table_warn_if_older(t, &tb);
}

/* As an opener by path would say it. */
static err open_failed(struct task *t, str spec, struct arena *a, err e)
{
    if (e == ERR_STOPPED)
        return e;
    if (e == ERR_ABSENT) /* that is about keys in an answer */
        e = ERR_IO;
    if (str_starts(spec, S("texthash:"))
        || table_kind_find(str_head(spec, str_chr(spec, ':')))->need
               == NEED_FILE)
        return table_database_why(t, a, e);
    return why(t, e, "%.*s", STR(arena_str(a, str_from(task_why(t)))));
}

/* Whether it may be a pipe is asked before it is opened, which could hang. */
static err open_file(struct task *t, const struct table_grants *all, str spec,
                     bool client, struct arena *a, str *path,
                     struct file_stat *st, struct file **file)
{
    struct table_grant *g;
    err e;

    TRY(path_of(t, all, spec, client, a, &g, path));
    e = file_stat_path(t, NULL, *path, st);
    if (!e && !st->is_regular)
        return why(t, ERR_IO, "open %.*s: not a regular file", STR(*path));
    e = file_open(t, NULL, *path, FILE_READ | FILE_FOLLOW, 0, file);
    if (e)
        return open_failed(t, spec, a, e);
    e = file_stat_open(t, *file, st);
    if (!e) {
        warn_if_older(t, g, spec, *path, st);
        return OK;
    }
    file_close(*file);
    *file = NULL;
    return e;
}

static err on_open(struct task *t, const struct table_grants *all,
                   struct unpack *u, bool client, struct arena *a,
                   struct buf *answer, struct file **file)
{
    str spec = arena_str(a, unpack_str(u, TABLE_SPEC_MAX)), path;
    struct file_stat st;
    err e;

    if (!unpack_end(u))
        return ERR_PEER;
    e = open_file(t, all, spec, client, a, &path, &st, file);
    if (e == ERR_STOPPED)
        return e;
    pack_result(t, e, answer);
    if (!e) {
        pack_u64(answer, stamp_of(&st));
        pack_str(answer, path);
    }
    return OK;
}

static err find(struct task *t, struct table_grant *g, str spec, int flags,
                str key, struct arena *a, str *value)
{
    struct table *tb;

    TRY(tables_get_flags(t, g->tables, spec, flags, &tb));
    return table_find(t, tb, key, a, value);
}

static err on_find(struct task *t, const struct table_grants *all,
                   struct unpack *u, bool client, struct arena *a,
                   struct buf *answer)
{
    str spec = arena_str(a, unpack_str(u, TABLE_SPEC_MAX));
    int flags = (int)unpack_u32(u);
    str key = arena_str(a, unpack_str(u, TABLE_KEY_MAX)), value;
    struct table_grant *g;
    err e;

    if (!unpack_end(u) || (flags & ~(TABLE_EXACT_CASE | TABLE_ANY_BYTES
                                     | TABLE_NO_GROUPS | TABLE_FILES)))
        return ERR_PEER;
    g = allowed(t, all, spec, client);
    e = g ? find(t, g, spec, flags, key, a, &value) : deny(t, spec);
    if (e == ERR_STOPPED)
        return e;
    pack_result(t, e, answer);
    if (!e)
        pack_str(answer, value);
    if (answer->over) {
        answer->over = false;
        pack_result(t, why(t, ERR_LIMIT, "table %.*s: the result is too "
                           "large", STR(spec)), answer);
    }
    return OK;
}

static err on_stamps(struct task *t, const struct table_grants *all,
                     struct unpack *u, bool client, struct arena *a,
                     struct buf *answer)
{
    uint32_t n = unpack_count(u, 4);

    if (n > TABLE_STAMPS_MAX)
        return ERR_PEER;
    pack_u8(answer, TABLE_FACE_VERSION);
    pack_u32(answer, n);
    for (uint32_t i = 0; i < n && !u->bad; i++) {
        str spec = unpack_str(u, TABLE_SPEC_MAX), path;
        struct table_grant *g;
        struct file_stat st;
        bool there = !u->bad && !path_of(t, all, spec, client, a, &g, &path)
                  && !file_stat_path(t, NULL, path, &st);
        pack_u64(answer, there ? stamp_of(&st) : 0);
    }
    return unpack_end(u) ? OK : ERR_PEER;
}

err table_serve(struct task *t, const struct table_grants *all, uint16_t type,
                str question, bool client, struct buf *answer,
                struct file **file)
{
    struct unpack u = unpack_of(question);
    struct arena a;
    err e;

    *file = NULL;
    if (unpack_u8(&u) != TABLE_FACE_VERSION)
        return why(t, ERR_PEER, "a bad question about a table");
    arena_init(&a, 0);
    switch (type) {
    case TABLE_OPEN:
        e = on_open(t, all, &u, client, &a, answer, file);
        break;
    case TABLE_FIND:
        e = on_find(t, all, &u, client, &a, answer);
        break;
    case TABLE_STAMPS:
        e = on_stamps(t, all, &u, client, &a, answer);
        break;
    default:
        e = ERR_PEER;
    }
    arena_reset(&a);
    return e == ERR_PEER ? why(t, e, "a bad question about a table") : e;
}
