/* SPDX-License-Identifier: ISC
 *
 * Views.  A view's rows are its index's rows; what the client knows of are
 * the first n_seen.  view_refresh takes in what is new and marks it, the walk
 * of view_change_next tells it and lets the view move on:
 *
 *   EXPUNGE   from the last lost row down to the first, so that no number
 *             told depends on another; then they are swept in one go
 *   FLAGS     from the first row up
 *   EXISTS    once, after which n_seen is all rows
 */
#include "store/box.h"

#include "mail/mime.h"
#include "store/events.h"

enum phase { WALK_EXPUNGE, WALK_FLAGS, WALK_EXISTS, WALK_DONE };

enum { SIZES_MAX = 64 << 20 };

static void recent_add(struct view *v, uint32_t from, uint32_t to)
{
    struct uid_range *last = v->n_recent ? &v->recent[v->n_recent - 1] : NULL;

    if (last && (last->to == from || v->n_recent == RANGES_MAX))
        last->to = to;
    else
        v->recent[v->n_recent++] = (struct uid_range){ from, to };
}

/* Takes what is recent for ourselves: the next session's begins after it. */
static void recent_claim(struct view *v)
{
    struct index_state *s = &v->ix.s;

    if (s->recent_from >= s->uid_next)
        return;
    recent_add(v, s->recent_from, s->uid_next);
    index_put_recent(&v->ix.frame, s->uid_next);
}

/* A view that may only read sees them and leaves them to the next. */
static void recent_look(struct view *v)
{
    const struct index_state *s = &v->ix.s;
    uint32_t from = v->n_recent ? v->recent[v->n_recent - 1].to : 0;

    if (from < s->recent_from)
        from = s->recent_from;
    if (v->read_only && from < s->uid_next)
        recent_add(v, from, s->uid_next);
}

static err sync_locked(struct task *t, struct view *v)
{
    err e;

    TRY(box_lock(t, &v->ix, !v->read_only));
    if (!v->read_only)
        recent_claim(v);
    e = box_unlock(t, &v->ix, OK);
    return e;
}

err view_refresh(struct task *t, struct view *v)
{
    const struct index_state *s = &v->ix.s;
    bool needed;
    int dirs = 0;
    err e;

    TRY(view_sizes_keep(t, v));
    e = index_catch_up(t, &v->ix);
    if (!e && !v->ix.reset)
        e = scan_needed(t, &v->ix, &dirs);
    if (e == ERR_ABSENT || (!e && v->ix.reset))
        return why(t, ERR_CORRUPT, "mailbox was deleted");
    TRY(e);
    needed = dirs != 0 || index_torn(&v->ix);
    if (!v->read_only)
        needed |= s->n_in_new > 0 || s->recent_from < s->uid_next;
    if (needed)
        TRY(sync_locked(t, v));
    recent_look(v);
    v->phase = index_dozes(&v->ix) ? WALK_DONE : WALK_EXPUNGE;
    v->walk = s->n_seen;
    return OK;
}

err view_open(struct task *t, struct store *st, str name, bool read_only,
              struct view **out)
{
    struct view *v = heap_new(struct view);
    struct view_change change;
    err e;

    v->st = st;
    v->rights = st->rights;
    v->read_only = read_only
                   || !(st->rights & (RIGHT_SEEN | RIGHT_WRITE | RIGHT_DELETE));
    if (read_only)
        v->rights &= RIGHT_READER;
    buf_init(&v->sizes, NULL, SIZES_MAX);
    e = st->rights & RIGHT_READ ? box_open(t, st, name, &v->ix) : ERR_ABSENT;
    if (e) {
        heap_free(v);
        return e;
    }
    v->name = heap_alloc(name.n + 1);
    memcpy(v->name, name.p, name.n);
    v->name_n = name.n;
    e = view_refresh(t, v);
    if (e) {
        view_close(v);
        return e;
    }
    while (view_change_next(v, true, &change))
        ;                       /* all of it is the client's first sight */
    *out = v;
    return OK;
}

void view_close(struct view *v)
{
    if (!v)
        return;
    watch_close(v->watch);
    index_close(&v->ix);
    buf_free(&v->sizes);
    heap_free(v->name);
    heap_free(v);
}

static bool walk_expunge(struct view *v, struct view_change *out)
{
    struct index_state *s = &v->ix.s;

    while (s->n_lost && v->walk > 0) {
        v->walk--;
        if (s->rows.p[v->walk].bits & ROW_LOST) {
            *out = (struct view_change){ CHANGE_EXPUNGE,
                                         (uint32_t)v->walk + 1 };
            return true;
        }
    }
    if (s->n_lost) {
        size_t n = 0;
        for (size_t i = 0; i < s->n_seen; i++)
            n += !(s->rows.p[i].bits & ROW_LOST);
        s->n_seen = 0;
        index_sweep(s);
        s->n_seen = n;
    }
    return false;
}

static bool walk_flags(struct view *v, struct view_change *out)
{
    struct index_state *s = &v->ix.s;

    while (s->changed && v->walk < s->n_seen) {
        struct row *r = &s->rows.p[v->walk++];
        bool tell = (r->bits & ROW_CHANGED) && !(r->bits & ROW_LOST);

        r->bits &= (uint8_t)~ROW_CHANGED;
        if (tell) {
            *out = (struct view_change){ CHANGE_FLAGS, (uint32_t)v->walk };
            return true;
        }
    }
    s->changed = false;
    return false;
}

static bool walk_exists(struct view *v, struct view_change *out)
{
    struct index_state *s = &v->ix.s;

    if (s->n_seen == s->rows.n)
        return false;
    for (size_t i = s->n_seen; i < s->rows.n; i++)
        s->rows.p[i].bits &= (uint8_t)~ROW_CHANGED;
    s->n_seen = s->rows.n;
    *out = (struct view_change){ CHANGE_EXISTS, (uint32_t)s->n_seen };
    return true;
}

bool view_change_next(struct view *v, bool expunges, struct view_change *out)
{
    for (;;) {
        switch ((enum phase)v->phase) {
        case WALK_EXPUNGE:
            if (expunges && walk_expunge(v, out))
                return true;
            v->walk = 0;
            break;
        case WALK_FLAGS:
            if (walk_flags(v, out))
                return true;
            break;
        case WALK_EXISTS:
            if (walk_exists(v, out))
                return true;
            break;
        case WALK_DONE:
            return false;
        }
        v->phase++;
    }
}

err view_wait(struct task *t, struct view *v, struct sock *s, when until)
{
    if (!v->watch) {
        v->watch = watch_new(v->st->watches);
        TRY(watch_add(t, v->watch, v->ix.dir, S("new")));
        TRY(watch_add(t, v->watch, v->ix.dir, S("cur")));
        TRY(watch_add(t, v->watch, v->ix.dir, INDEX_NAME));
        return OK;              /* what happened before is looked for now */
    }
    return watch_wait_sock(t, v->watch, s, until);
}

bool view_changed(struct task *t, struct view *v)
{
    return !v->watch || watch_changed(t, v->watch);
}

void view_doze(struct view *v)
{
    store_doze(v->st);
    if (!v->sizes.n)
        index_doze(&v->ix);
}

err view_wake(struct task *t, struct view *v)
{
    return index_wake(t, &v->ix);
}

uint32_t view_count(const struct view *v)
{
    return (uint32_t)v->ix.s.n_seen;
}

const struct row *view_row(const struct view *v, uint32_t seq)
{
    must(seq >= 1 && seq <= v->ix.s.n_seen);
    must(v->ix.s.n_seen <= v->ix.s.rows.n); /* awake */
    return &v->ix.s.rows.p[seq - 1];
}

bool view_row_recent(const struct view *v, const struct row *r)
{
    for (size_t i = 0; i < v->n_recent; i++)
        if (r->uid >= v->recent[i].from && r->uid < v->recent[i].to)
            return true;
    return false;
}

uint32_t view_recent(const struct view *v)
{
    const struct index_state *s = &v->ix.s;
    uint32_t n = 0;

    for (size_t i = 0; i < v->n_recent; i++) {
        size_t from = index_row_at(s, v->recent[i].from);
        size_t to = index_row_at(s, v->recent[i].to);
        to = to < s->n_seen ? to : s->n_seen;
        n += from < to ? (uint32_t)(to - from) : 0;
    }
    return n;
}

uint32_t view_seq_from(const struct view *v, uint32_t uid)
{
    size_t i = index_row_at(&v->ix.s, uid);

    return (uint32_t)(i < v->ix.s.n_seen ? i : v->ix.s.n_seen) + 1;
}

uint32_t view_uid_validity(const struct view *v)
{
    return v->ix.s.uid_validity;
}

uint32_t view_uid_next(const struct view *v)
{
    return v->ix.s.uid_next;
}

uint64_t view_modseq(const struct view *v)
{
    return v->ix.s.modseq;
}

bool view_read_only(const struct view *v)
{
    return v->read_only;
}

int view_rights(const struct view *v)
{
    return v->rights;
}

bool view_is(const struct view *v, const struct store *st, str name)
{
    bool inbox = box_is_inbox(name) && box_is_inbox(view_name(v));

    return v->st == st && (inbox || str_eq(view_name(v), name));
}

str view_uidl(const struct view *v, uint32_t seq)
{
    return index_uidl(v->ix.map, &v->ix.s, view_row(v, seq)->uid);
}

str view_id(const struct view *v)
{
    return str_of(v->ix.s.id, sizeof(v->ix.s.id));
}

size_t view_n_keywords(const struct view *v)
{
    return v->ix.s.n_words;
}

str view_keyword(const struct view *v, size_t i)
{
    return index_word(v->ix.map, &v->ix.s, i);
}

uint64_t view_keyword_bit(const struct view *v, str name)
{
    for (size_t i = 0; i < v->ix.s.n_words; i++)
        if (str_ieq(view_keyword(v, i), name))
            return UINT64_C(1) << i;
    return 0;
}

/* --- bodies -------------------------------------------------------------- */

static err map_row(struct task *t, struct view *v, uint32_t seq, str *out)
{
    struct arena a;
    struct file *f = NULL;
    err e;

    arena_init(&a, 0);
    e = file_open(t, v->ix.dir,
                  scan_path(&a, v->ix.map, view_row(v, seq)), FILE_READ, 0,
                  &f);
    if (!e)
        e = file_map(t, f, out);
    file_close(f);
    arena_reset(&a);
    return e;
}

/* The reason goes into the log with the path, and on to the client. */
static void read_failed(struct task *t, struct view *v, uint32_t seq)
{
    struct arena a;
    str path, said;

    arena_init(&a, 0);
    said = arena_str(&a, str_from(task_why(t)));
    path = scan_path(&a, v->ix.map, view_row(v, seq));
    say(t, store_message_failed, v->ix.place, STR(path), STR(said));
    arena_reset(&a);
}

/* Gives a file whose name tells a wrong size the right one; its UID stays. */
static err mend_locked(struct task *t, struct view *v, uint32_t seq,
                       uint64_t size, uint64_t wire)
{
    struct index *ix = &v->ix;
    struct row r = *view_row(v, seq);
    struct arena a;
    struct buf base, name;
    str from, to;
    err e;

    if ((r.bits & (ROW_LOST | ROW_IN_NEW)))
        return OK;
    arena_init(&a, 0);
    from = scan_path(&a, ix->map, &r);
    buf_init(&base, &a, MAILDIR_NAME_MAX);
    buf_init(&name, &a, MAILDIR_NAME_MAX);
    maildir_base_sized(&base, maildir_base(str_skip(from, 4)), size, wire);
    buf_add(&base, str_skip(from, 4 + maildir_base(str_skip(from, 4)).n));
    maildir_name_put(&name, buf_str(&base), r.flags, r.keywords);
    to = arena_cat(&a, S("cur/"), buf_str(&name));
    e = name.over || base.over ? OK : file_rename(t, ix->dir, from, ix->dir,
                                                  to);
    if (!e && !name.over && !base.over) {
        say(t, store_size_mended, ix->place, STR(from), STR(to));
        r.bits = (uint8_t)((r.bits & ~ROW_SAVED) | ROW_PLAIN);
        index_put_flags(&ix->frame, &r, buf_str(&name));
        index_put_size(&ix->frame, r.uid, wire);
        e = scan_stamp(t, ix);
    }
    arena_reset(&a);
    return e;
}

/* What was read is not as large as the name said. */
static void mend_size(struct task *t, struct view *v, uint32_t seq,
                      str bytes)
{
    struct row *r = &v->ix.s.rows.p[seq - 1];
    struct mime_span all;
    struct maildir_name name;

    if (!maildir_name_parse(index_name(v->ix.map, r), &name)
        || !(name.has_size || name.has_wire)
        || ((!name.has_size || name.size == bytes.n)
            && (!name.has_wire || maildir_wire_size(&name, bytes.n))))
        return;
    all = mime_span_of(bytes);
    r->size = mime_wire_size(&all);
    if (v->read_only || box_lock(t, &v->ix, true))
        return;                 /* whoever may write will do it */
    if (!box_unlock(t, &v->ix, mend_locked(t, v, seq, bytes.n, r->size)))
        quota_add(t, v->st, (int64_t)(bytes.n - name.size), 0);
}

err view_message(struct task *t, struct view *v, uint32_t seq,
                 struct message *out)
{
    err e = ERR_ABSENT;

    *out = (struct message){ .bytes = S("") };
    if (!(v->rights & RIGHT_READ))
        return ERR_DENIED;
    if (!(view_row(v, seq)->bits & ROW_LOST))
        e = map_row(t, v, seq, &out->bytes);
    if (e == ERR_ABSENT && !(view_row(v, seq)->bits & ROW_LOST)) {
        /* renamed or removed by foreign hands: look, and try once more */
        TRY(index_lock(t, &v->ix));
        TRY(box_unlock(t, &v->ix, scan_run(t, &v->ix, SCAN_BOTH,
                                            false)));
        if (!(view_row(v, seq)->bits & ROW_LOST))
            e = map_row(t, v, seq, &out->bytes);
    }
    if (e == ERR_ABSENT) {
        out->lost = true;
        return OK;
    }
    if (e)
        read_failed(t, v, seq);
    else
        mend_size(t, v, seq, out->bytes);
    return e;
}

void message_close(struct message *m)
{
    file_unmap(m->bytes);
    m->bytes = S("");
}

err view_size(struct task *t, struct view *v, uint32_t seq, uint64_t *size)
{
    const struct row *r = view_row(v, seq);
    struct message m;
    struct mime_span all;

    *size = r->size;
    if (*size)
        return OK;
    TRY(view_message(t, v, seq, &m));
    all = mime_span_of(m.bytes);
    message_close(&m);
    *size = mime_wire_size(&all);
    if (!*size || m.lost)
        return OK;
    r = view_row(v, seq);
    v->ix.s.rows.p[seq - 1].size = *size;
    pack_u32(&v->sizes, r->uid);
    pack_u64(&v->sizes, *size);
    return OK;
}

err view_sizes_keep(struct task *t, struct view *v)
{
    struct unpack u = unpack_of(buf_str(&v->sizes));
    err e;

    if (!v->sizes.n)
        return OK;
    e = index_lock(t, &v->ix);
    if (!e) {
        while (u.p < u.end) {
            uint32_t uid = unpack_u32(&u);
            uint64_t size = unpack_u64(&u);
            if (index_row(&v->ix.s, uid))
                index_put_size(&v->ix.frame, uid, size);
        }
        e = box_unlock(t, &v->ix, OK);
    }
    buf_free(&v->sizes);
    return e;
}
