/* SPDX-License-Identifier: ISC
 *
 * The mailboxes there are: listing, making, removing, renaming,
 * subscriptions.
 *
 * A removed mailbox is first renamed to "..veredus-gone.*", which is no
 * mailbox's name, then emptied.
 *
 * `subscriptions` is Dovecot's file: either a name a line, or, after a line
 * "V\t2" and an empty one, a name a line with its levels separated by tabs.
 */
#include "store/box.h"

enum { SUBSCRIPTIONS_MAX = 4 << 20 };

struct listing {
    struct store *st;
    struct arena *a;
    struct map *by_name;        /* -> struct box */
};

static struct box *box_get(struct listing *l, str name, int attributes)
{
    struct box *b = map_get(l->by_name, name);

    if (!b) {
        b = arena_new(l->a, struct box);
        b->name = name;
        b->attributes = attributes;
        map_put(l->by_name, name, b);
    }
    return b;
}

/* The level above, or an empty str. */
static str parent_of(const struct store *st, str name)
{
    size_t at = str_rchr(name, st->separator);

    return at == STR_NONE ? S("") : str_head(name, at);
}

static int special_of(const struct store *st, str name)
{
    int attributes = 0;

    for (size_t i = 0; i < st->n_specials; i++)
        if (str_eq(st->specials[i].name, name))
            attributes |= st->specials[i].attribute;
    return attributes;
}

static err list_boxes(struct task *t, struct listing *l)
{
    struct names names;

    TRY(dir_list(t, l->st->root, l->a, &names));
    box_get(l, S("INBOX"), 0);
    for (size_t i = 0; i < names.n; i++) {
        struct file_stat st;
        struct box *b;
        str name;

        if (!box_name(l->st, l->a, names.p[i], &name)
            || file_stat_path(t, l->st->root,
                              arena_cat(l->a, names.p[i], S("/.")), &st))
            continue;       /* no directory, nor a link to one */
        b = box_get(l, name, 0);
        b->attributes &= ~BOX_NOSELECT;
        b->attributes |= special_of(l->st, name);
        for (str up = parent_of(l->st, name); up.n;
             up = parent_of(l->st, up)) {
            b = box_get(l, up, BOX_NOSELECT);
            b->attributes |= BOX_CHILDREN;
        }
    }
    return OK;
}

/* --- subscriptions ------------------------------------------------------- */

struct subscriptions {
    bool by_tabs;               /* the newer format */
    vec_of(str) names;
};

static err subscriptions_read(struct task *t, struct store *st,
                              struct arena *a, struct subscriptions *out)
{
    str text, line;
    err e = file_load(t, st->root, S("subscriptions"), a, SUBSCRIPTIONS_MAX,
                      &text);

    *out = (struct subscriptions){ .by_tabs = true };
    if (e)
        return e == ERR_ABSENT ? OK : e;
    out->by_tabs = str_starts(text, S("V\t2\n"));
    if (out->by_tabs)
        str_cut(&text, '\n', &line);
    while (str_cut(&text, '\n', &line)) {
        struct buf b;

        if (!line.n)
            continue;
        buf_init(&b, a, line.n);
        for (size_t i = 0; i < line.n; i++) {
            bool level = out->by_tabs ? line.p[i] == '\t' : line.p[i] == '.';
            buf_byte(&b, level ? st->separator : line.p[i]);
        }
        vec_push(a, &out->names, buf_str(&b));
    }
    return OK;
}

static err subscriptions_write(struct task *t, struct store *st,
                               struct arena *a,
                               const struct subscriptions *subs)
{
    struct buf b;

    buf_init(&b, a, SUBSCRIPTIONS_MAX);
    if (subs->by_tabs)
        buf_add(&b, S("V\t2\n\n"));
    for (size_t i = 0; i < subs->names.n; i++) {
        str name = subs->names.p[i];
        for (size_t j = 0; j < name.n; j++)
            buf_byte(&b, name.p[j] != st->separator ? name.p[j]
                         : subs->by_tabs ? '\t' : '.');
        buf_byte(&b, '\n');
    }
    if (b.over)
        return why(t, ERR_LIMIT, "too many subscriptions");
    return file_replace(t, st->root, S("subscriptions"), buf_str(&b),
                        st->file_mode);
}

err store_subscribe(struct task *t, struct store *st, str name, bool on)
{
    struct arena a;
    struct subscriptions subs;
    size_t at;
    err e;

    if (on && !store_name_valid(st, name))
        return ERR_SYNTAX;
    arena_init(&a, 0);
    name = box_canonical(st, &a, name);
    e = subscriptions_read(t, st, &a, &subs);
    for (at = 0; !e && at < subs.names.n; at++)
        if (str_eq(subs.names.p[at], name))
            break;
    if (!e && on && at == subs.names.n) {
        vec_push(&a, &subs.names, name);
        e = subscriptions_write(t, st, &a, &subs);
    } else if (!e && !on && at < subs.names.n) {
        memmove(&subs.names.p[at], &subs.names.p[at + 1],
                (subs.names.n - at - 1) * sizeof(str));
        subs.names.n--;
        e = subscriptions_write(t, st, &a, &subs);
    } else if (!e && !on) {
        e = ERR_ABSENT;
    }
    arena_reset(&a);
    return e;
}

static err list_subscribed(struct task *t, struct listing *l)
{
    struct subscriptions subs;

    TRY(subscriptions_read(t, l->st, l->a, &subs));
    for (size_t i = 0; i < subs.names.n; i++) {
        str name = box_canonical(l->st, l->a, subs.names.p[i]);
        struct box *b = box_get(l, name, BOX_ABSENT);

        b->attributes |= BOX_SUBSCRIBED;
        for (str up = parent_of(l->st, name); up.n;
             up = parent_of(l->st, up)) {
            b = map_get(l->by_name, up);
            if (b)
                b->attributes |= BOX_CHILD_SUBSCRIBED;
        }
    }
    return OK;
}

static int box_order(const void *a, const void *b)
{
    const struct box *x = a, *y = b;
    bool p = box_is_inbox(x->name), q = box_is_inbox(y->name);

    return p != q ? (p ? -1 : 1) : str_cmp(x->name, y->name);
}

err store_list(struct task *t, struct store *st, struct arena *a,
               struct boxes *out)
{
    struct listing l = { st, a, map_new(a, false) };
    size_t at = 0;
    void *value;
    str key;

    *out = (struct boxes){ NULL, 0 };
    if (!(st->rights & RIGHT_LOOKUP))
        return OK;
    TRY(list_boxes(t, &l));
    TRY(list_subscribed(t, &l));
    out->p = arena_array(a, struct box, l.by_name->n + 1);
    while (map_next(l.by_name, &at, &key, &value))
        out->p[out->n++] = *(struct box *)value;
    qsort(out->p, out->n, sizeof(struct box), box_order);
    return OK;
}

/* --- making and removing ------------------------------------------------- */

err store_exists(struct task *t, struct store *st, str name)
{
    struct arena a;
    struct file_stat fs;
    str path;
    err e = ERR_ABSENT;

    arena_init(&a, 0);
    if ((st->rights & RIGHT_LOOKUP) && !box_find(t, st, &a, name, &path)
        && !file_stat_path(t, st->root, arena_cat(&a, path, S("/.")), &fs))
        e = OK;
    arena_reset(&a);
    return e;
}

err store_create(struct task *t, struct store *st, str name)
{
    struct arena a;
    struct dir *dir = NULL;
    str path;
    err e = OK;

    if (!(st->rights & RIGHT_CREATE))
        return why(t, ERR_DENIED, "no permission");
    arena_init(&a, 0);
    if (!box_name_good(st, name) || !box_path(st, &a, name, &path))
        e = ERR_SYNTAX;
    else if (box_is_inbox(name) || !store_exists(t, st, name))
        e = ERR_DENIED;
    if (!e)
        e = dir_make(t, st->root, path, st->dir_mode);
    if (!e)
        e = dir_open(t, st->root, path, &dir);
    if (!e)
        e = box_dirs_make(t, st, dir);
    if (!e)     /* tells delivery programs that this is a folder */
        e = file_replace(t, dir, S("maildirfolder"), S(""), st->file_mode);
    dir_close(dir);
    if (!e)
        e = dir_sync(t, st->root);
    arena_reset(&a);
    return e;
}

/* Empties a directory, two levels deep, and removes it. */
static err remove_tree(struct task *t, struct dir *at, str path,
                       struct arena *a, int depth)
{
    struct names names;
    struct dir *dir;
    err e;

    TRY(dir_open(t, at, path, &dir));
    e = dir_list(t, dir, a, &names);
    for (size_t i = 0; !e && i < names.n; i++) {
        e = file_unlink(t, dir, names.p[i]);
        if (e && depth > 0)
            e = remove_tree(t, dir, names.p[i], a, depth - 1);
    }
    dir_close(dir);
    return e ? e : dir_remove(t, at, path);
}

/* What was renamed away is no mailbox any more, even if it cannot be emptied;
 * a symbolic link to one leaves the mailbox itself alone. */
static err remove_gone(struct task *t, struct store *st, str gone,
                       struct arena *a)
{
    err e;

    quota_forget(t, st);
    if (!file_unlink(t, st->root, gone))
        return dir_sync(t, st->root);
    e = remove_tree(t, st->root, gone, a, 2);
    return e ? e : dir_sync(t, st->root);
}

err store_delete(struct task *t, struct store *st, str name)
{
    struct arena a;
    uint64_t token;
    str path, gone;
    err e;

    if (!(st->rights & RIGHT_DELETE_BOX) || box_is_inbox(name))
        return why(t, ERR_DENIED, "no permission");
    TRY(store_exists(t, st, name));
    box_target_close(st);
    arena_init(&a, 0);
    e = box_find(t, st, &a, name, &path);
    rt_random(t, &token, sizeof(token));
    gone = arena_fmt(&a, "..veredus-gone.%016" PRIx64, token);
    if (!e)
        e = quota_lock(t, st);
    if (!e)
        e = file_rename(t, st->root, path, st->root, gone);
    if (!e)
        e = remove_gone(t, st, gone, &a);
    quota_unlock(st);
    arena_reset(&a);
    return e;
}

static bool below(const struct store *st, str name, str parent)
{
    return name.n > parent.n && str_starts(name, parent)
           && name.p[parent.n] == st->separator;
}

/* All of INBOX goes to a new mailbox; INBOX stays (RFC 3501, 6.3.5). */
static err rename_inbox(struct task *t, struct store *st, struct arena *a,
                        str to)
{
    struct view *v;
    struct copied copied;
    uint32_t *seqs;
    err e;

    TRY(store_create(t, st, to));
    TRY(view_open(t, st, S("INBOX"), false, &v));
    seqs = arena_array(a, uint32_t, view_count(v) + 1);
    for (uint32_t i = 0; i < view_count(v); i++)
        seqs[i] = i + 1;
    e = view_count(v) ? view_copy(t, v, (struct seqs){ seqs, view_count(v) },
                                  to, true, a, &copied) : OK;
    view_close(v);
    return e;
}

static err rename_one(struct task *t, struct store *st, struct arena *a,
                      str from, str to)
{
    str old, new;

    if (box_find(t, st, a, from, &old) || !box_path(st, a, to, &new))
        return ERR_SYNTAX;
    if (!store_exists(t, st, to))
        return ERR_DENIED;
    return file_rename(t, st->root, old, st->root, new);
}

err store_rename(struct task *t, struct store *st, str from, str to)
{
    struct arena a;
    struct boxes boxes;
    bool any = false;
    err e;

    if (!(st->rights & RIGHT_DELETE_BOX) || !(st->rights & RIGHT_CREATE))
        return why(t, ERR_DENIED, "no permission");
    if (!box_name_good(st, to) || below(st, to, from))
        return ERR_SYNTAX;
    if (box_is_inbox(to) || !store_exists(t, st, to))
        return ERR_DENIED;
    box_target_close(st);
    arena_init(&a, 0);
    from = box_canonical(st, &a, from);
    to = box_canonical(st, &a, to);
    if (box_is_inbox(from)) {
        e = rename_inbox(t, st, &a, to);
        arena_reset(&a);
        return e;
    }
    e = store_list(t, st, &a, &boxes);
    for (size_t i = 0; !e && i < boxes.n; i++) {
        str name = boxes.p[i].name, rest;
        bool child = below(st, name, from);

        if ((!child && !str_eq(name, from))
            || (boxes.p[i].attributes & (BOX_NOSELECT | BOX_ABSENT)))
            continue;
        any = true;
        rest = str_skip(name, from.n);
        e = rename_one(t, st, &a, name, arena_cat(&a, to, rest));
    }
    arena_reset(&a);
    return e ? e : any ? dir_sync(t, st->root) : ERR_ABSENT;
}

err store_status(struct task *t, struct store *st, str name, bool want_size,
                 struct box_status *out)
{
    struct box_status s = { 0 };
    struct view *v;
    err e;

    TRY(view_open(t, st, name, true, &v));
    e = OK;
    s.messages = view_count(v);
    for (uint32_t i = 1; !e && i <= s.messages; i++) {
        const struct row *r = view_row(v, i);
        uint64_t size = 0;
        s.unseen += !(r->flags & FLAG_SEEN);
        s.deleted += (r->flags & FLAG_DELETED) != 0;
        if (want_size)
            e = view_size(t, v, i, &size);
        s.size += size;
    }
    s.recent = view_recent(v);
    s.uid_next = view_uid_next(v);
    s.uid_validity = view_uid_validity(v);
    s.modseq = view_modseq(v);
    memcpy(s.id, view_id(v).p, sizeof(s.id));
    if (!e)
        e = view_sizes_keep(t, v);
    view_close(v);
    if (!e)
        *out = s;
    return e;
}
