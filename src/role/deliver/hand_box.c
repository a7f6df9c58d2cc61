/* SPDX-License-Identifier: ISC
 *
 * A hand at a mailbox.
 */
#include "role/deliver/piece.h"

#include <unistd.h>

enum { FROM_LINE_MAX = 512 };

/* --- group sync ----------------------------------------------------------- */

static struct shared_sync *sync_find(struct hand_self *self, uint64_t device)
{
    list_each(l, &self->syncs) {
        struct shared_sync *s = container_of(l, struct shared_sync, link);
        if (s->device == device)
            return s;
    }
    return NULL;
}

/* The group of the file system that path is on; NULL when it is not there
 * yet: then the delivery syncs for itself. */
static struct shared_sync *sync_take(struct task *t, struct hand_self *self,
                                     str path)
{
    struct shared_sync *s;
    struct file_stat st;
    struct dir *on;

    if (file_stat_path(t, NULL, path, &st) || !st.is_dir)
        return NULL;
    s = sync_find(self, st.device);
    if (!s) {
        if (dir_open(t, NULL, path, &on))
            return NULL;
        s = heap_new(struct shared_sync);
        arena_init(&s->memory, 0);
        arena_own(&s->memory, dir_close_any, on);
        s->device = st.device;
        s->group = sync_group_new(&s->memory, on);
        list_add_last(&self->syncs, &s->link);
    }
    s->n_users++;
    return s;
}

/* A group whose sync failed fails for ever: after a failure the next
 * delivery starts a new one. */
static void sync_give(struct shared_sync *s, bool failed)
{
    if (!s)
        return;
    if (failed)
        list_del(&s->link);
    if (--s->n_users > 0 || link_on(&s->link))
        return;
    arena_reset(&s->memory);
    heap_free(s);
}

void syncs_close(struct hand_self *self)
{
    struct link *l;

    while ((l = list_pop(&self->syncs))) {
        struct shared_sync *s = container_of(l, struct shared_sync, link);
        must(s->n_users == 0);
        arena_reset(&s->memory);
        heap_free(s);
    }
}

/* --- deliveries ----------------------------------------------------------- */

/* What an error of the store's means: limits of ours were checked before. */
static enum hand_end end_of(struct task *t, err e)
{
    if (e == ERR_LIMIT && str_ifind(str_from(task_why(t)), S("quota"))
                               != STR_NONE)
        return HAND_FULL;
    return e == ERR_ABSENT || e == ERR_DENIED ? HAND_REFUSED : HAND_LATER;
}

static err copy(struct task *t, struct piece *p, struct delivery *d,
                uint64_t left, enum hand_end *end)
{
    str bytes;
    err e;

    while (!(e = piece_next(t, p, &bytes))) {
        if (bytes.n > left) {
            *end = HAND_FULL;
            return why(t, ERR_LIMIT, "error writing message: "
                       "File too large");
        }
        left -= bytes.n;
        e = delivery_write(t, d, bytes);
        if (e) {
            *end = end_of(t, e);
            return e;
        }
    }
    return e == ERR_END ? OK : e;
}

/* How many bytes may still come; false: none at all. */
static bool room_of(const struct piece *p, uint64_t used, uint64_t *left)
{
    *left = UINT64_MAX;
    if (!p->work.size_max)
        return true;
    if (used >= p->work.size_max)
        return false;
    *left = p->work.size_max - used;
    return true;
}

static void write_all(struct task *t, struct piece *p, struct delivery *d,
                      uint64_t left, struct hand_done *done)
{
    enum hand_end end = HAND_LATER;
    err e = copy(t, p, d, left, &end);

    if (e) {
        *done = piece_failed(t, p, end);
        delivery_cancel(t, d);
        return;
    }
    e = delivery_finish(t, d);
    *done = e ? piece_failed(t, p, end_of(t, e))
              : (struct hand_done){ .end = HAND_SENT };
}

static void deliver_maildir(struct task *t, struct piece *p,
                            struct hand_done *done)
{
    struct shared_sync *s = sync_take(t, p->self, p->work.path);
    struct delivery_options o = {
        .host = p->work.host,
        .quota_bytes = p->work.quota,
        .group = s ? s->group : NULL,
    };
    struct delivery *d;
    uint64_t left;
    err e = maildir_deliver(t, &p->memory, NULL, p->work.path, &o, &d);

    if (e) {
        *done = piece_failed(t, p, end_of(t, e));
    } else {
        room_of(p, 0, &left);
        write_all(t, p, d, left, done);
    }
    sync_give(s, done->end == HAND_LATER);
}

static void look_for_room(struct task *t, struct piece *p,
                          struct hand_done *done)
{
    struct delivery_options o = { .host = p->work.host,
                                  .quota_bytes = p->work.quota };
    err e = maildir_room(t, &p->memory, p->work.path, &o, p->work.size_max);

    *done = e ? piece_failed(t, p, end_of(t, e))
              : (struct hand_done){ .end = HAND_SENT };
}

/* Makes the directories above path that are missing. */
static void make_dirs(struct task *t, str path)
{
    size_t slash = str_rchr(path, '/');

    if (slash != STR_NONE && slash)     /* what cannot be made fails later */
        err_ignore(dir_make_path(t, NULL, str_head(path, slash), 0700));
}

static err check_mbox(struct task *t, const struct piece *p,
                      uint64_t *used)
{
    struct file_stat st;
    err e = file_stat_path(t, NULL, p->work.path, &st);

    *used = 0;
    if (e == ERR_ABSENT) {
        if (p->work.make_dirs)
            make_dirs(t, p->work.path);
        return OK;
    }
    TRY(e);
    if (st.is_dir)
        return why(t, ERR_ABSENT, "cannot open file: Is a directory");
    *used = st.size;
    if (p->work.own && st.is_regular && st.uid != geteuid())
        return why(t, ERR_DENIED, "destination %.*s is not owned by "
                   "recipient", STR(p->work.path));
    return OK;
}

/* Deliveries of ours to one mbox go one after the other: locks are for
 * others, and waiting for them knows no order. */
static err wait_turn(struct task *t, struct piece *p)
{
    struct turn *turn = map_get(&p->self->turns, p->work.path);

    if (!turn) {
        turn = heap_new(struct turn);
        arena_init(&turn->memory, 0);
        map_put(&p->self->turns, arena_str(&turn->memory, p->work.path),
                turn);
    }
    turn->n_users++;
    while (turn->taken)
        TRY(bell_wait(t, &turn->next, NEVER));
    turn->taken = true;
    return OK;
}

static void end_turn(struct piece *p)
{
    struct turn *turn = map_get(&p->self->turns, p->work.path);

    turn->taken = false;
    bell_ring(&turn->next);
    if (--turn->n_users > 0)
        return;
    map_del(&p->self->turns, p->work.path);
    arena_reset(&turn->memory);
    heap_free(turn);
}

static void deliver_mbox(struct task *t, struct piece *p,
                         struct hand_done *done)
{
    struct delivery_options o = {
        .sender = p->work.sender,
        .until = after_s(t, p->work.lock_s),
        .dotlock = p->work.dotlock,
        .fcntl_lock = p->work.fcntl_lock,
    };
    struct delivery *d;
    uint64_t used, left;
    err e;

    e = check_mbox(t, p, &used);
    if (e) {                    /* whose it is may yet be mended */
        *done = piece_failed(t, p, e == ERR_DENIED ? HAND_LATER
                                                   : end_of(t, e));
        return;
    }
    if (!room_of(p, used + FROM_LINE_MAX, &left)) {
        *done = (struct hand_done){
            .end = HAND_FULL,
            .text = S("error writing message: File too large") };
        return;
    }
    e = mbox_deliver(t, &p->memory, NULL, p->work.path, &o, &d);
    if (e) {
        *done = piece_failed(t, p, end_of(t, e));
        return;
    }
    write_all(t, p, d, left, done);
}

void piece_box(struct task *t, struct piece *p, struct hand_done *done)
{
    if (str_eq(p->work.path, S("/dev/null")))
        *done = (struct hand_done){ .end = HAND_SENT };
    else if (p->work.kind == HAND_MAILDIR)
        deliver_maildir(t, p, done);
    else if (p->work.kind == HAND_ROOM)
        look_for_room(t, p, done);
    else if (wait_turn(t, p))
        *done = piece_failed(t, p, HAND_LATER); /* only at this hand's end */
    else {
        deliver_mbox(t, p, done);
        end_turn(p);
    }
}
