/* SPDX-License-Identifier: ISC
 *
 * Tables in a role that opens no path: the asking half of table/face.h.
 *
 * C1  One question a second at most, for all tables together, finds out what
 *     has changed; who asks a table meanwhile is not held up by it, except the
 *     one who sends that question.
 */
#include "table/face.h"
#include "table/kind.h"

enum { WAIT_S = 60, POLL_MS = 1000, ERR_LAST = ERR_PEER };

enum { REMOTE_MAGIC = 0x72656d6f };

struct remote {
    uint32_t magic;
    struct calls *calls;
    struct link origins;    /* of struct origin */
    when poll_next;
    bool polling;
};

/* What an open table was made from. */
struct origin {
    struct link link;
    struct remote *remote;
    str spec;
    uint64_t stamp;
    bool changed;
};

static struct remote *remote_of(void *self)
{
    struct remote *r = self;

    must(r->magic == REMOTE_MAGIC);
    return r;
}

/* --- the exchange -------------------------------------------------------- */

static err bad_answer(struct task *t)
{
    return why(t, ERR_PEER, "a bad answer about a table");
}

static err ask(struct task *t, struct remote *r, enum table_frame type,
               const struct buf *question, struct arena *a, struct frame *f,
               struct unpack *u)
{
    if (question->over)
        return why(t, ERR_LIMIT, "the question is too large");
    TRY(call(t, r->calls, (uint16_t)type, buf_str(question),
             after_s(t, WAIT_S), a, f));
    *u = unpack_of(f->body);
    if (unpack_u8(u) == TABLE_FACE_VERSION)
        return OK;
    fd_close(f->fd);
    return bad_answer(t);
}

/* The err of an answer, said here as it was there. */
static err read_err(struct task *t, struct unpack *u)
{
    uint8_t e = unpack_u8(u);
    str reason = unpack_str(u, TABLE_WHY_MAX);

    if (u->bad || e > ERR_LAST)
        return bad_answer(t);
    if (e == OK || e == ERR_ABSENT)
        return (err)e;
    return why(t, e == ERR_STOPPED ? ERR_END : (err)e, "%.*s", STR(reason));
}

static void question_new(struct arena *a, struct buf *b)
{
    buf_init(b, a, PORT_BODY_MAX);
    pack_u8(b, TABLE_FACE_VERSION);
}

/* --- what has changed ---------------------------------------------------- */

static void pack_origins(const struct remote *r, struct buf *b, uint32_t *n)
{
    size_t at = b->n;

    *n = 0;
    pack_u32(b, 0);
    list_each(l, &r->origins) {
        if (*n == TABLE_STAMPS_MAX)
            break;
        pack_str(b, container_of(l, struct origin, link)->spec);
        ++*n;
    }
    if (!b->over)
        pack_u32_at(b, at, *n);
}

/* Tables may have been opened and closed since the question: stamps are for
 * the names that were asked. */
static void take_stamps(struct remote *r, str question, struct unpack *u)
{
    struct unpack names = unpack_of(str_skip(question, 1));
    uint32_t n = unpack_u32(&names);

    if (unpack_u32(u) != n)
        return;
    for (uint32_t i = 0; i < n && !u->bad; i++) {
        str spec = unpack_str(&names, TABLE_SPEC_MAX);
        uint64_t stamp = unpack_u64(u);
        list_each(l, &r->origins) {
            struct origin *o = container_of(l, struct origin, link);
            if (stamp && !u->bad && str_eq(o->spec, spec))
                o->changed = stamp != o->stamp;
        }
    }
}

static void poll_stamps(struct task *t, struct remote *r)
{
    struct arena a;
    struct frame f;
    struct unpack u;
    struct buf b;
    uint32_t n;

    arena_init(&a, 0);
    question_new(&a, &b);
    pack_origins(r, &b, &n);
    if (n > 0 && !ask(t, r, TABLE_STAMPS, &b, &a, &f, &u)) {
        fd_close(f.fd);
        take_stamps(r, buf_str(&b), &u);
    } /* else nobody can be asked: nothing has changed that we know of */
    arena_reset(&a);
}

static bool origin_changed(struct task *t, void *origin)
{
    struct origin *o = origin;
    struct remote *r = o->remote;

    if (!r->polling && rt_now(t) >= r->poll_next) { /* C1 */
        r->polling = true;
        r->poll_next = after_ms(t, POLL_MS);
        poll_stamps(t, r);
        r->polling = false;
    }
    return o->changed;
}

static void origin_close(void *origin)
{
    list_del(&((struct origin *)origin)->link);
}

/* --- tables that are asked there ----------------------------------------- */

static err proxy_find(struct task *t, struct table *tb, str key,
                      struct arena *a, str *value)
{
    struct remote *r = tb->state;
    struct frame f;
    struct unpack u;
    struct buf b;
    err e;

    question_new(a, &b);
    pack_str(&b, tb->spec);
    pack_u32(&b, (uint32_t)tb->flags);
    pack_str(&b, key);
    e = ask(t, r, TABLE_FIND, &b, a, &f, &u);
    if (e)
        return table_failed(t, tb, e, arena_cstr(a, str_from(task_why(t))));
    fd_close(f.fd);
    TRY(read_err(t, &u));
    *value = unpack_str(&u, TABLE_VALUE_MAX);
    if (!unpack_end(&u))
        return table_failed(t, tb, ERR_PEER, "a bad answer");
    return OK;
}

/* A pattern behind proxy: is asked whole keys only, too. */
static void set_traits(struct table *tb)
{
    const struct table_kind *k;
    str name = tb->name;
    size_t colon = str_chr(name, ':');

    if (!str_eq(tb->type, S("proxy")) || colon == STR_NONE)
        return;
    k = table_kind_find(str_head(name, colon));
    if (k)
        tb->traits = k->traits;
}

static err open_proxy(struct task *t, struct remote *r, struct arena *a,
                      const struct table_env *env, str spec, int flags,
                      struct table **out)
{
    static const struct table_ops ops = { proxy_find, NULL };
    struct table *tb;

    TRY(table_make(t, a, env, spec, flags, &tb));
    set_traits(tb);
    tb->ops = &ops;
    tb->state = r;
    *out = tb;
    return OK;
}

/* --- tables that are opened here ----------------------------------------- */

/* What is handed over for a spec. */
static err fetch(struct task *t, struct remote *r, str spec, struct arena *a,
                 uint64_t *stamp, str *path, struct file **file)
{
    struct frame f;
    struct unpack u;
    struct buf b;
    err e;

    question_new(a, &b);
    pack_str(&b, spec);
    TRY(ask(t, r, TABLE_OPEN, &b, a, &f, &u));
    e = read_err(t, &u);
    if (e == ERR_ABSENT)
        e = why(t, e, "open %.*s: no such file", STR(spec));
    if (!e) {
        *stamp = unpack_u64(&u);
        *path = unpack_str(&u, TABLE_SPEC_MAX);
        if (!unpack_end(&u) || f.fd < 0)
            e = bad_answer(t);
    }
    if (e) {
        fd_close(f.fd);
        return e;
    }
    return file_adopt(t, f.fd, file);
}

static err open_here(struct task *t, struct remote *r, struct arena *a,
                     const struct table_env *env, str spec, int flags,
                     struct table **out)
{
    struct origin *o = arena_new(a, struct origin);
    struct table_data data = { 0 };
    struct file *file;

    TRY(fetch(t, r, spec, a, &o->stamp, &data.path, &file));
    TRY(table_open_handle(t, a, env, spec, flags, file, &data, out));
    o->remote = r;
    o->spec = arena_str(a, spec);
    list_add_last(&r->origins, &o->link);
    arena_own(a, origin_close, o);
    (*out)->changed = origin_changed;
    (*out)->origin = o;
    return OK;
}

static err open_remote(struct task *t, void *self, struct arena *a,
                       const struct table_env *env, str spec, int flags,
                       struct table **out)
{
    struct remote *r = remote_of(self);
    enum table_need need;
    str path;

    if (spec.n > TABLE_SPEC_MAX)
        return why(t, ERR_LIMIT, "the name of a table is too long");
    TRY(table_need_of(t, spec, a, &need, &path));
    if (need == NEED_NOTHING)
        return table_open_data(t, a, env, spec, flags,
                               &(struct table_data){ 0 }, out);
    if (need == NEED_PROXY || (flags & TABLE_FILES))
        return open_proxy(t, r, a, env, spec, flags, out);
    return open_here(t, r, a, env, spec, flags, out);
}

struct table_opener table_opener_remote(struct arena *a, struct calls *calls)
{
    struct remote *r = arena_new(a, struct remote);

    r->magic = REMOTE_MAGIC;
    r->calls = calls;
    list_init(&r->origins);
    return (struct table_opener){ r, open_remote };
}
