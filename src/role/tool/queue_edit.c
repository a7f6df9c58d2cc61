/* SPDX-License-Identifier: ISC
 *
 * The queue of a running or a stopped system.
 */
#include "role/tool/queue_edit.h"

#include "role/queue_state.h"
#include "role/tool/queue_talk.h"
#include "role/tool/running.h"

#include <pwd.h>
#include <unistd.h>

enum { STATE_MAX = 1 << 20 };

/* A message of a stopped system. */
struct stopped {
    struct link link;
    struct spool_entry *entry;
    struct queue_state q;
};

struct queue_edit {
    const struct conf *conf;
    struct arena *a;
    struct queue_talk talk;     /* .port NULL: the system is down */
    struct file *hold;
    struct dir *dir;
    struct spool *spool;
    struct link messages;
    struct task_group group;
    uint64_t n_added;
    bool grouped;
};

static err run_spool(struct task *t, void *spool)
{
    return spool_run(t, spool);
}

static void pack(void *self, struct spool_entry *e, struct buf *to)
{
    const struct stopped *m = e->owner;
    size_t at = to->n;

    (void)self;
    pack_u32(to, 0);
    envelope_pack(&m->q.envelope, to);
    pack_u32_at(to, at, (uint32_t)(to->n - at - 4));
    queue_state_pack(&m->q, to);
}

static err take_all(struct task *t, struct queue_edit *e)
{
    bool long_ids = conf_bool(e->conf, P_enable_long_queue_ids);
    struct spool_found f;
    err result;

    while (!(result = spool_found_next(t, e->spool, &f))) {
        struct stopped *m = arena_new(e->a, struct stopped);
        if (queue_state_read(&f, long_ids, e->a, &m->q))
            return why(t, ERR_CORRUPT, "message %" PRIx64 " in the spool "
                       "does not unpack: start the system first",
                       f.entry->id);
        m->entry = f.entry;
        f.entry->owner = m;
        list_add_last(&e->messages, &m->link);
    }
    return result == ERR_END ? OK : result;
}

/* Becomes the owner of the log (Q1). */
static err become_owner(struct task *t, struct dir *dir)
{
    struct file_stat st;

    TRY(file_stat_path(t, dir, S("."), &st));
    if (geteuid() == 0 && (setegid(st.gid) || seteuid(st.uid)))
        return why(t, ERR_DENIED, "cannot take the user id %u", st.uid);
    return OK;
}

static bool has_segments(struct task *t, struct dir *dir)
{
    struct names names;
    struct arena a;
    bool any;

    arena_init(&a, 0);
    any = !dir_list(t, dir, &a, &names) && names.n > 0;
    arena_reset(&a);
    return any;
}

static err open_log(struct task *t, struct queue_edit *e)
{
    struct spool_options o = { 0 };
    struct spool_owner owner = { e, pack };

    TRY(become_owner(t, e->dir));
    TRY(spool_open(t, e->a, e->dir, &o, owner, &e->spool));
    group_open(t, &e->group);
    e->grouped = true;
    group_go(&e->group, "spool", run_spool, e->spool);
    return take_all(t, e);
}

static err open_stopped(struct task *t, struct queue_edit *e)
{
    err result;

    TRY(running_hold(t, e->conf, &e->hold));
    result = dir_open(t, NULL, queue_path(e->conf, e->a, S("log")), &e->dir);
    if (result == ERR_ABSENT)
        return OK; /* never started: nothing is queued */
    TRY(result);
    return has_segments(t, e->dir) ? open_log(t, e) : OK;
}

/* The log's directory as master would make it. */
static err make_log(struct task *t, struct queue_edit *e)
{
    str path = queue_path(e->conf, e->a, S("log"));
    str owner = conf_str(e->conf, P_mail_owner);
    const struct passwd *pw = getpwnam(arena_cstr(e->a, owner));
    err result = dir_open(t, NULL, path, &e->dir);

    if (result != ERR_ABSENT)
        return result;
    if (geteuid() == 0 && !pw)
        return why(t, ERR_ABSENT, "mail_owner: unknown user %.*s",
                   STR(owner));
    TRY(dir_make(t, NULL, path, 0700));
    if (geteuid() == 0 && chown(arena_cstr(e->a, path), pw->pw_uid,
                                pw->pw_gid))
        return why(t, ERR_DENIED, "cannot give %.*s to %.*s", STR(path),
                   STR(owner));
    return dir_open(t, NULL, path, &e->dir);
}

err queue_edit_open_new(struct task *t, const struct conf *c, struct arena *a,
                        struct queue_edit **out)
{
    struct queue_edit *e = arena_new(a, struct queue_edit);

    *out = e;
    e->conf = c;
    e->a = a;
    list_init(&e->messages);
    TRY(running_hold(t, c, &e->hold));
    TRY(make_log(t, e));
    return open_log(t, e);
}

static void pack_new(const struct queue_new *m, struct arena *a,
                     struct buf *b)
{
    size_t n = m->envelope->recipients.n, at = b->n;
    struct queue_state q = {
        .envelope = *m->envelope,
        .hold = m->hold,
        .next_us = m->next_us,
        .attempts = m->next_us > 0,
        .rcpts = arena_array(a, struct queue_state_rcpt, n),
    };

    pack_u32(b, 0);
    envelope_pack(m->envelope, b);
    pack_u32_at(b, at, (uint32_t)(b->n - at - 4));
    queue_state_pack(&q, b);
}

err queue_edit_add(struct task *t, struct queue_edit *e,
                   const struct queue_new *m, struct queue_id *id)
{
    uint64_t number = spool_next_id(e->spool) + e->n_added++;
    struct spool_draft *d = spool_begin(e->spool, number);
    struct spool_entry *entry;
    struct arena a;
    struct buf b;
    err result = OK;

    arena_init(&a, 0);
    buf_init(&b, &a, STATE_MAX);
    pack_new(m, &a, &b);
    for (str rest = m->text; rest.n > 0 && !result;
         rest = str_skip(rest, SPOOL_CHUNK_MAX))
        result = spool_chunk(t, e->spool, d,
                             str_head(rest, SPOOL_CHUNK_MAX));
    if (!result && b.over)
        result = why(t, ERR_SYNTAX, "too many recipients");
    if (result)
        spool_abort(e->spool, d);
    else
        result = spool_seal(t, e->spool, d, buf_str(&b), &entry);
    if (!result)
        *id = queue_id_make(number, m->envelope->arrival_us,
                            conf_bool(e->conf, P_enable_long_queue_ids));
    arena_reset(&a);
    return result;
}

err queue_edit_open(struct task *t, const struct conf *c, struct arena *a,
                    struct queue_edit **out)
{
    struct queue_edit *e = arena_new(a, struct queue_edit);
    err result;

    *out = e;
    e->conf = c;
    e->a = a;
    list_init(&e->messages);
    result = queue_talk_open(t, c, &e->talk);
    if (!result || result == ERR_DENIED)
        return result;
    return open_stopped(t, e);
}

err queue_edit_close(struct task *t, struct queue_edit *e)
{
    err result = OK;

    if (e->talk.port)
        queue_talk_close(&e->talk);
    if (e->grouped) {
        result = spool_flush(t, e->spool);
        group_close(t, &e->group);
    }
    if (geteuid() != getuid() && (seteuid(getuid()) || setegid(getgid())))
        result = why(t, ERR_DENIED, "cannot take the user id back");
    dir_close(e->dir);
    file_close(e->hold);
    return result;
}

struct lister {
    struct arena *a;
    struct queue_items *out;
};

static err on_row(struct task *t, void *self, str packed)
{
    struct lister *l = self;
    struct queue_item item;
    struct queue_row row;
    struct arena scratch;
    err e;

    arena_init(&scratch, 0);
    e = queue_row_unpack(packed, &scratch, &row);
    if (e) {
        e = why(t, ERR_PEER, "a row that cannot be read");
    } else {
        item.id = arena_str(l->a, row.id);
        item.queue = arena_str(l->a, row.queue);
        vec_push(l->a, &l->out->list, item);
    }
    arena_reset(&scratch);
    return e;
}

err queue_edit_list(struct task *t, struct queue_edit *e, struct arena *a,
                    struct queue_items *out)
{
    struct lister l = { a, out };
    uint32_t n;

    *out = (struct queue_items){ { 0 } };
    if (e->talk.port)
        return queue_talk_ask(t, &e->talk, 'l', S(""), on_row, &l, &n);
    list_each(at, &e->messages) {
        struct stopped *m = container_of(at, struct stopped, link);
        struct queue_item item = { queue_id_str(&m->q.id),
                                   queue_state_queue(&m->q, rt_wall(t)) };
        vec_push(a, &out->list, item);
    }
    return OK;
}

/* *done: something was changed. */
static err change(struct task *t, struct queue_edit *e, struct stopped *m,
                  char verb, bool *done)
{
    struct buf b;
    err result;

    *done = true;
    if (verb == 'd') {
        TRY(spool_end(t, e->spool, m->entry));
        list_del(&m->link);
        return OK;
    }
    if (verb != 'r' && m->q.hold == (verb == 'h')) {
        *done = false;
        return OK;
    }
    m->q.hold = verb == 'h';
    m->q.next_us = rt_wall(t);
    buf_init(&b, NULL, STATE_MAX);
    queue_state_pack(&m->q, &b);
    result = b.over ? why(t, ERR_LIMIT, "too many recipients")
                    : spool_note(t, e->spool, m->entry, QUEUE_NOTE_STATE,
                                 buf_str(&b));
    buf_free(&b);
    return result;
}

err queue_edit_change(struct task *t, struct queue_edit *e, char verb,
                      str id, uint32_t *n)
{
    bool all = str_eq(id, S("ALL")), done;
    uint32_t changed = 0;

    must(verb == 'd' || verb == 'h' || verb == 'H' || verb == 'r');
    if (e->talk.port)
        return queue_talk_ask(t, &e->talk, verb, id, NULL, NULL, n);
    list_each(at, &e->messages) {
        struct stopped *m = container_of(at, struct stopped, link);
        if (!all && !str_eq(id, queue_id_str(&m->q.id)))
            continue;
        TRY(change(t, e, m, verb, &done));
        changed += done;
    }
    *n = changed;
    return OK;
}

/* --- reading -------------------------------------------------------------- */

struct part_reader {
    struct arena *a;
    struct queue_content *out;
    bool *done;
};

static void keep_pending(struct arena *a, struct envelope *env,
                         const bool *done)
{
    struct envelope all = *env;

    env->recipients.p = NULL;
    env->recipients.n = env->recipients.cap = 0;
    for (size_t i = 0; i < all.recipients.n; i++)
        if (!done || !done[i])
            vec_push(a, &env->recipients, all.recipients.p[i]);
}

/* The rows of the queue manager's answer to 'c'. */
static err on_part(struct task *t, void *self, str part)
{
    struct part_reader *r = self;
    str body = str_skip(part, 1);
    size_t n = r->out->envelope.recipients.n;

    switch (part.n > 0 ? part.p[0] : 0) {
    case 'e':
        if (envelope_unpack(arena_str(r->a, body), r->a, &r->out->envelope))
            break;
        r->out->found = true;
        return OK;
    case 's':
        if (!r->out->found || r->done || body.n != n + 1)
            break;
        r->out->active = body.p[0] != 0;
        r->done = arena_array(r->a, bool, n);
        for (size_t i = 0; i < n; i++)
            r->done[i] = body.p[i + 1] != 0;
        return OK;
    case 'b':
        buf_add(&r->out->text, body);
        return OK;
    }
    return why(t, ERR_PEER, "a bad answer of the queue manager");
}

static err read_stopped(struct task *t, struct queue_edit *e,
                        const struct stopped *m, struct arena *a,
                        struct queue_content *out)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    size_t n = m->q.envelope.recipients.n;
    bool *done = arena_array(a, bool, n);
    err result = OK;

    for (size_t i = 0; i < n; i++)
        done[i] = m->q.rcpts[i].status == QUEUE_RCPT_DONE;
    out->found = true;
    out->envelope = m->q.envelope;
    keep_pending(a, &out->envelope, done);
    for (uint32_t i = 0; i < m->entry->n_extents && !result; i++) {
        const struct extent *x = &m->entry->extents[i];
        str bytes;
        result = spool_read(t, spool_segment_file(e->spool, x->segment), x,
                            m->entry->id, memory, &bytes);
        if (!result)
            buf_add(&out->text, bytes);
    }
    heap_free(memory);
    return result;
}

err queue_edit_read(struct task *t, struct queue_edit *e, str id,
                    struct arena *a, struct queue_content *out)
{
    struct part_reader r = { .a = a, .out = out };
    uint32_t n;

    *out = (struct queue_content){ .found = false };
    buf_init(&out->text, NULL, STR_NONE / 2);
    if (e->talk.port) {
        TRY(queue_talk_ask(t, &e->talk, 'c', id, on_part, &r, &n));
        keep_pending(a, &out->envelope, r.done);
        return OK;
    }
    list_each(at, &e->messages) {
        struct stopped *m = container_of(at, struct stopped, link);
        if (str_eq(id, queue_id_str(&m->q.id)))
            return read_stopped(t, e, m, a, out);
    }
    return OK;
}

bool queue_edit_running(const struct queue_edit *e)
{
    return e->talk.port != NULL;
}
