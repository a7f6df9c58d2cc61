/* SPDX-License-Identifier: ISC
 *
 * Packing what planner and hand say to each other.  Pure.
 */
#include "role/deliver/hand.h"

enum { PATH_SIZE_MAX = 4096, STRING_MAX = 128 * 1024 };

static void pack_list(struct buf *to, const str *list, uint32_t n)
{
    pack_u32(to, n);
    for (uint32_t i = 0; i < n; i++)
        pack_str(to, list[i]);
}

static const str *unpack_list(struct unpack *u, struct arena *a, uint32_t *n)
{
    uint32_t count = unpack_count(u, 4);
    str *list;

    if (count > HAND_LIST_MAX) {
        u->bad = true;
        count = 0;
    }
    list = arena_array(a, str, count);
    for (uint32_t i = 0; i < count; i++)
        list[i] = arena_str(a, unpack_str(u, STRING_MAX));
    *n = count;
    return list;
}

static str unpack_text(struct unpack *u, struct arena *a, size_t max)
{
    return arena_str(a, unpack_str(u, max));
}

void hand_read_pack(const struct hand_read *r, struct buf *to)
{
    pack_list(to, r->paths, r->n);
    pack_u8(to, r->follow);
}

err hand_read_unpack(str packed, struct arena *a, struct hand_read *out)
{
    struct unpack u = unpack_of(packed);
    struct hand_read r;

    r.paths = unpack_list(&u, a, &r.n);
    r.follow = unpack_u8(&u) != 0;
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    *out = r;
    return OK;
}

enum { DOTLOCK = 1, FCNTL_LOCK = 2, OWN = 4, MAKE_DIRS = 8 };

void hand_work_pack(const struct hand_work *w, struct buf *to)
{
    pack_u8(to, (uint8_t)w->kind);
    pack_str(to, w->path);
    pack_str(to, w->host);
    pack_str(to, w->sender);
    pack_u64(to, w->size_max);
    pack_u64(to, w->quota);
    pack_u32(to, w->lock_s);
    pack_u8(to, (uint8_t)((w->dotlock ? DOTLOCK : 0)
                          | (w->fcntl_lock ? FCNTL_LOCK : 0)
                          | (w->own ? OWN : 0)
                          | (w->make_dirs ? MAKE_DIRS : 0)));
    pack_u32(to, w->time_limit_s);
    pack_str(to, w->dir);
    pack_list(to, w->argv, w->n_argv);
    pack_list(to, w->env, w->n_env);
}

err hand_work_unpack(str packed, struct arena *a, struct hand_work *out)
{
    struct unpack u = unpack_of(packed);
    struct hand_work w = { .kind = (enum hand_kind)unpack_u8(&u) };
    uint8_t flags;

    w.path = unpack_text(&u, a, PATH_SIZE_MAX);
    w.host = unpack_text(&u, a, PATH_SIZE_MAX);
    w.sender = unpack_text(&u, a, PATH_SIZE_MAX);
    w.size_max = unpack_u64(&u);
    w.quota = unpack_u64(&u);
    w.lock_s = unpack_u32(&u);
    flags = unpack_u8(&u);
    w.dotlock = flags & DOTLOCK;
    w.fcntl_lock = flags & FCNTL_LOCK;
    w.own = flags & OWN;
    w.make_dirs = flags & MAKE_DIRS;
    w.time_limit_s = unpack_u32(&u);
    w.dir = unpack_text(&u, a, PATH_SIZE_MAX);
    w.argv = unpack_list(&u, a, &w.n_argv);
    w.env = unpack_list(&u, a, &w.n_env);
    if (!unpack_end(&u) || w.kind >= N_HAND_KINDS)
        return ERR_CORRUPT;
    *out = w;
    return OK;
}

void hand_done_pack(const struct hand_done *d, struct buf *to)
{
    pack_u8(to, (uint8_t)d->end);
    pack_u32(to, d->status);
    pack_str(to, str_head(d->text, PATH_SIZE_MAX));
}

err hand_done_unpack(str packed, struct arena *a, struct hand_done *out)
{
    struct unpack u = unpack_of(packed);
    struct hand_done d = { .end = (enum hand_end)unpack_u8(&u) };

    d.status = unpack_u32(&u);
    d.text = unpack_text(&u, a, PATH_SIZE_MAX);
    if (!unpack_end(&u) || d.end >= N_HAND_ENDS)
        return ERR_CORRUPT;
    *out = d;
    return OK;
}

void hand_text_pack(const struct hand_text *x, struct buf *to)
{
    pack_u8(to, (uint8_t)x->found);
    pack_u32(to, x->index);
    pack_str(to, str_head(x->text, HAND_TEXT_MAX));
    pack_str(to, str_head(x->complaint, PATH_SIZE_MAX));
    pack_u32(to, x->uid);
}

err hand_text_unpack(str packed, struct arena *a, struct hand_text *out)
{
    struct unpack u = unpack_of(packed);
    struct hand_text x = { .found = (enum hand_found)unpack_u8(&u) };

    x.index = unpack_u32(&u);
    x.text = unpack_text(&u, a, HAND_TEXT_MAX);
    x.complaint = unpack_text(&u, a, PATH_SIZE_MAX);
    x.uid = unpack_u32(&u);
    if (!unpack_end(&u) || x.found >= N_HAND_FOUND)
        return ERR_CORRUPT;
    *out = x;
    return OK;
}
