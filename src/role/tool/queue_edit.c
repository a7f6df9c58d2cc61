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
