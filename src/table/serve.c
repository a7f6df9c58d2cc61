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
       LIST_DEPTH_MAX = 8, WORDS_AGAIN_S = 5, AHEAD_S = 2 };

/* What one configuration allows, and its tables. */
struct edition {
    struct arena arena;
    const struct conf *conf;
    struct tables *tables;
    struct table_env env;
    size_t n_users;
    struct buf words;       /* all may ask for these */
    struct buf secrets;     /* the SMTP client alone */
    struct map *files;      /* list files that were read: path to itself */
    when words_next;        /* when list files may be read again */
};

struct table_server {
    struct edition *now, *before;
    struct bell configured;
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

static void read_list_file(struct task *t, struct edition *ed, str path,
                           int depth);

/* "/path" and "!/path" among the items of a list. */
static void read_list(struct task *t, struct edition *ed, str text, int depth)
{
    str item;

    while (str_token(&text, S(" \t\r\n,"), &item)) {
        while (item.n && item.p[0] == '!')
            item = str_skip(item, 1);
        if (item.n > 1 && item.p[0] == '/')
            read_list_file(t, ed, item, depth);
    }
}

/* What stands in a list file is as good as if it stood in the list. */
static void read_list_file(struct task *t, struct edition *ed, str path,
                           int depth)
{
    struct file_stat st;
    str text, *known;

    if (depth >= LIST_DEPTH_MAX || ed->files->n >= LIST_FILES_MAX
        || map_get(ed->files, path)
        || file_stat_path(t, NULL, path, &st) || !st.is_regular
        || file_load(t, NULL, path, &ed->arena, LIST_FILE_MAX, &text))
        return;
    known = arena_new(&ed->arena, str);
    *known = arena_str(&ed->arena, path);
    map_put(ed->files, *known, known);
    buf_byte(&ed->words, '\n');
    buf_add(&ed->words, text);
    read_list(t, ed, text, depth + 1);
}

static void add_words(struct edition *ed, str name, str value)
{
    struct buf *to = is_secret(name) ? &ed->secrets : &ed->words;

    if (is_private(name))
        return;
    buf_byte(to, '\n');
    buf_add(to, value);
}

static void add_conf(struct task *t, struct edition *ed, const struct conf *c)
{
    size_t at = 0;
    str name, value;

    for (int i = 0; i < N_PARAMS; i++) {
        const struct conf_param *p = conf_param((enum param)i);
        value = conf_raw(c, (enum param)i);
        add_words(ed, p->name, value);
        if (p->kind == CONF_LIST && !is_private(p->name)
            && !is_secret(p->name))
            read_list(t, ed, value, 0);
    }
    while (conf_next_set(c, &at, &name))
        if (conf_param_find(name) == N_PARAMS
            && conf_find(c, &ed->arena, name, &value))
            add_words(ed, name, value);
}

static void read_words(struct task *t, struct edition *ed)
{
    struct services all = conf_services(ed->conf);

    buf_clear(&ed->words);
    buf_clear(&ed->secrets);
    ed->files = map_new(&ed->arena, false);
    add_conf(t, ed, ed->conf);
    for (size_t i = 0; i < all.n; i++) {
        struct conf_findings findings = { 0 };
        struct conf *over;
        if (all.p[i].n_overrides > 0
            && !conf_of_service(&ed->arena, ed->conf, &all.p[i], &findings,
                                &over))
            add_conf(t, ed, over);
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

static bool named_by(const struct edition *ed, str spec, bool client)
{
    if (!ed || str_empty(spec))
        return false;
    if (str_starts(spec, S("file:")))
        return map_get(ed->files, str_skip(spec, 5)) != NULL;
    return stands_in(buf_str(&ed->words), spec)
        || (client && stands_in(buf_str(&ed->secrets), spec));
}

/* The edition that allows it, the newest first, or NULL.  A list file may
 * have got new items meanwhile. */
static struct edition *allowed(struct task *t, struct table_server *s,
                               str spec, bool client)
{
    struct edition *ed = s->now;

    if (!ed || named_by(ed, spec, client))
        return ed;
    if (named_by(s->before, spec, client))
        return s->before;
    if (rt_now(t) >= ed->words_next) {
        ed->words_next = after_s(t, WORDS_AGAIN_S);
        ed->n_users++;
        read_words(t, ed);
        ed->n_users--;
        if (named_by(ed, spec, client))
            return ed;
    }
    /* it may have the next configuration already, which we have not */
    if (bell_wait(t, &s->configured, after_s(t, AHEAD_S)))
        return NULL;
    return named_by(s->now, spec, client) ? s->now : NULL;
}

/* --- configurations ------------------------------------------------------ */

static void edition_drop(struct edition *ed)
{
    if (!ed || ed->n_users > 0)
        return; /* its last user is a question that outlived two reloads; the
                   memory stays */
    arena_reset(&ed->arena);
    heap_free(ed);
}

void table_server_configure(struct task *t, struct table_server *s,
                            const struct conf *c)
{
    struct edition *ed = heap_new(struct edition);

    arena_init(&ed->arena, 0);
    ed->conf = c;
    ed->env = (struct table_env){ .conf = c,
                                  .opener = table_opener_files() };
    ed->tables = tables_new_env(&ed->arena, &ed->env);
    buf_init(&ed->words, &ed->arena, WORDS_MAX);
    buf_init(&ed->secrets, &ed->arena, WORDS_MAX);
    read_words(t, ed);
    edition_drop(s->before);
    s->before = s->now;
    s->now = ed;
    bell_ring_all(&s->configured);
}

static void server_close(void *server)
{
    struct table_server *s = server;

    edition_drop(s->before);
    edition_drop(s->now);
}

struct table_server *table_server_new(struct arena *a)
{
    struct table_server *s = arena_new(a, struct table_server);

    arena_own(a, server_close, s);
    return s;
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
static err path_of(struct task *t, struct table_server *s, str spec,
                   bool client, struct arena *a, struct edition **ed,
                   str *path)
{
    enum table_need need;

    *ed = allowed(t, s, spec, client);
    if (!*ed)
        return deny(t, spec);
    TRY(table_need_of(t, spec, a, &need, path));
    if (need != NEED_TEXT && need != NEED_FILE)
        return why(t, ERR_DENIED, "table %.*s is no file", STR(spec));
    return OK;
}

static void warn_if_older(struct task *t, struct edition *ed, str spec,
                          str path, const struct file_stat *st)
{
    struct table tb = { .spec = spec, .env = &ed->env, .path = path,
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
static err open_file(struct task *t, struct table_server *s, str spec,
                     bool client, struct arena *a, str *path,
                     struct file_stat *st, struct file **file)
{
    struct edition *ed;
    err e;

    TRY(path_of(t, s, spec, client, a, &ed, path));
    e = file_stat_path(t, NULL, *path, st);
    if (!e && !st->is_regular)
        return why(t, ERR_IO, "open %.*s: not a regular file", STR(*path));
    e = file_open(t, NULL, *path, FILE_READ | FILE_FOLLOW, 0, file);
    if (e)
        return open_failed(t, spec, a, e);
    e = file_stat_open(t, *file, st);
    if (!e) {
        warn_if_older(t, ed, spec, *path, st);
        return OK;
    }
    file_close(*file);
    *file = NULL;
    return e;
}

static err on_open(struct task *t, struct table_server *s, struct unpack *u,
                   bool client, struct arena *a, struct buf *answer,
                   struct file **file)
{
    str spec = arena_str(a, unpack_str(u, TABLE_SPEC_MAX)), path;
    struct file_stat st;
    err e;

    if (!unpack_end(u))
        return ERR_PEER;
    e = open_file(t, s, spec, client, a, &path, &st, file);
    if (e == ERR_STOPPED)
        return e;
    pack_result(t, e, answer);
    if (!e) {
        pack_u64(answer, stamp_of(&st));
        pack_str(answer, path);
    }
    return OK;
}

static err find(struct task *t, struct edition *ed, str spec, int flags,
                str key, struct arena *a, str *value)
{
    struct table *tb;

    TRY(tables_get_flags(t, ed->tables, spec, flags, &tb));
    return table_find(t, tb, key, a, value);
}

static err on_find(struct task *t, struct table_server *s, struct unpack *u,
                   bool client, struct arena *a, struct buf *answer)
{
    str spec = arena_str(a, unpack_str(u, TABLE_SPEC_MAX));
    int flags = (int)unpack_u32(u);
    str key = arena_str(a, unpack_str(u, TABLE_KEY_MAX)), value;
    struct edition *ed;
    err e;

    if (!unpack_end(u) || (flags & ~(TABLE_EXACT_CASE | TABLE_ANY_BYTES
                                     | TABLE_NO_GROUPS | TABLE_FILES)))
        return ERR_PEER;
    ed = allowed(t, s, spec, client);
    if (ed) {
        ed->n_users++;
        e = find(t, ed, spec, flags, key, a, &value);
        ed->n_users--;
    } else {
        e = deny(t, spec);
    }
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

static err on_stamps(struct task *t, struct table_server *s,
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
        struct edition *ed;
        struct file_stat st;
        bool there = !u->bad && !path_of(t, s, spec, client, a, &ed, &path)
                  && !file_stat_path(t, NULL, path, &st);
        pack_u64(answer, there ? stamp_of(&st) : 0);
    }
    return unpack_end(u) ? OK : ERR_PEER;
}

err table_serve(struct task *t, struct table_server *s, uint16_t type,
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
        e = on_open(t, s, &u, client, &a, answer, file);
        break;
    case TABLE_FIND:
        e = on_find(t, s, &u, client, &a, answer);
        break;
    case TABLE_STAMPS:
        e = on_stamps(t, s, &u, client, &a, answer);
        break;
    default:
        e = ERR_PEER;
    }
    arena_reset(&a);
    return e == ERR_PEER ? why(t, e, "a bad question about a table") : e;
}
