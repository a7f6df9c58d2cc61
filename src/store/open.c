/* SPDX-License-Identifier: ISC
 *
 * Opening: the store from its location, a mailbox from its name.
 */
#include "store/box.h"

#include "store/events.h"

/* Stands in a mailbox whose UIDs were taken over from Dovecot: it is done
 * once. */
#define IMPORTED S("veredus-imported")

enum { PATH_LEN_MAX = 4000, FRESH_MAX = 256 << 20 };

static const struct store_special usual[] = {
    { S_INIT("Archive"), BOX_ARCHIVE }, { S_INIT("Drafts"), BOX_DRAFTS },
    { S_INIT("Junk"), BOX_JUNK }, { S_INIT("Sent"), BOX_SENT },
    { S_INIT("Trash"), BOX_TRASH },
};

/* %u the user, %n without domain, %d the domain, %h and a leading ~ home. */
static bool expand(struct buf *to, str text, const struct store_options *o)
{
    size_t at = str_chr(o->user, '@');

    /* a user's name becomes a part of a path: one part of it */
    if (str_chr(o->user, '/') != STR_NONE || str_starts(o->user, S("."))
        || str_find(o->user, S("@.")) != STR_NONE)
        return false;
    if (str_eq(text, S("~")) || str_starts(text, S("~/"))) {
        buf_add(to, o->home);
        text = str_skip(text, 1);
    }
    while (text.n) {
        char c = text.p[0];

        text = str_skip(text, 1);
        if (c != '%') {
            buf_byte(to, c);
            continue;
        }
        switch (text.n ? text.p[0] : 0) {
        case 'u': buf_add(to, o->user); break;
        case 'n': buf_add(to, str_head(o->user, at)); break;
        case 'd':
            buf_add(to, at == STR_NONE ? S("") : str_skip(o->user, at + 1));
            break;
        case 'h': buf_add(to, o->home); break;
        case '%': buf_byte(to, '%'); break;
        default: return false;
        }
        text = str_skip(text, 1);
    }
    return !to->over;
}

/* "maildir:PATH", or a bare path as home_mailbox has it. */
static err location_path(struct task *t, struct arena *a,
                         const struct store_options *o, str *path)
{
    str rest = o->location, type, options;
    struct buf b;

    if (rest.n && str_any(rest, S("/~.%")) == 0) {
        type = S("maildir");
    } else {
        str_cut(&rest, ':', &type);
        if (!rest.p)
            return why(t, ERR_SYNTAX, "mailstore_location: no type in "
                       "\"%.*s\"", STR(o->location));
    }
    if (!str_eq(type, S("maildir")))
        return why(t, ERR_SYNTAX, "mailstore_location: mailboxes of type "
                   "\"%.*s\" are not supported, use maildir:", STR(type));
    options = rest;
    str_cut(&options, ':', &rest);
    if (options.p && !str_ieq(options, S("LAYOUT=Maildir++")))
        return why(t, ERR_SYNTAX, "mailstore_location: \"%.*s\" is not "
                   "supported", STR(options));
    buf_init(&b, a, PATH_LEN_MAX);
    if (!expand(&b, rest, o))
        return why(t, ERR_SYNTAX, "mailstore_location: bad path \"%.*s\"",
                   STR(rest));
    while (b.n > 1 && b.p[b.n - 1] == '/')
        b.n--;
    *path = buf_str(&b);
    if (!path->n)
        return why(t, ERR_SYNTAX, "mailstore_location: empty path");
    return OK;
}

err store_location_check(struct task *t, str location)
{
    struct store_options o = { .location = location, .home = S("/home"),
                               .user = S("user@example.com") };
    struct arena a;
    str path;
    err e;

    arena_init(&a, 0);
    e = location_path(t, &a, &o, &path);
    arena_reset(&a);
    return e;
}

static void store_done(void *object)
{
    struct store *st = object;

    box_target_close(st);
    dir_close(st->root);
}

err store_open(struct task *t, struct arena *a,
               const struct store_options *o, struct store **out)
{
    struct store *st = arena_new(a, struct store);
    str path;
    err e;

    *st = (struct store){ .a = a, .host = arena_str(a, o->host),
                          .separator = o->separator ? o->separator : '.',
                          .rights = o->rights ? o->rights : RIGHT_OWNER,
                          .file_mode = 0600, .dir_mode = 0700,
                          .specials = o->specials ? o->specials : usual,
                          .n_specials = o->specials ? o->n_specials
                                : sizeof(usual) / sizeof(usual[0]),
                          .quota_bytes = o->quota_bytes,
                          .quota_messages = o->quota_messages,
                          .watches = o->watches };
    if (!st->host.n)
        st->host = S("localhost");
    TRY(location_path(t, a, o, &path));
    st->path = path;
    e = dir_open(t, NULL, path, &st->root);
    if (e == ERR_ABSENT) {
        e = dir_make_path(t, NULL, path, st->dir_mode);
        if (!e)
            e = dir_open(t, NULL, path, &st->root);
    }
    TRY(e);
    arena_own(a, store_done, st);
    err_ignore(quota_tell(t, st));  /* it is asked again before it matters */
    *out = st;
    return OK;
}

char store_separator(const struct store *st)
{
    return st->separator;
}

err box_dirs_make(struct task *t, struct store *st, struct dir *box)
{
    static const str parts[] = { S_INIT("cur"), S_INIT("new"),
                                 S_INIT("tmp") };
    bool made = false;

    for (size_t i = 0; i < 3; i++) {
        err e = dir_make(t, box, parts[i], st->dir_mode);
        if (e && e != ERR_DENIED)
            return e;
        made |= !e;
    }
    return made ? dir_sync(t, box) : OK;
}

err box_dir_open(struct task *t, const struct store *st, str path,
                 struct dir **out)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    /* only a last component is not followed: "." is none */
    e = dir_open(t, st->root, arena_cat(&a, path, S("/.")), out);
    arena_reset(&a);
    return e;
}

err box_uid_validity(struct task *t, struct store *st, uint32_t *out)
{
    uint64_t last = 0, now = (uint64_t)(rt_wall(t) / 1000000);
    char text[16];
    struct file *f;
    struct arena a;
    size_t n = 0;
    err e;

    TRY(file_open(t, st->root, S("veredus-uidvalidity"),
                  FILE_READ | FILE_WRITE | FILE_CREATE, st->file_mode, &f));
    arena_init(&a, 0);
    e = file_lock(t, f, true, after_s(t, LOCK_WAIT_S));
    if (!e)
        e = file_read(t, f, 0, text, sizeof(text), &n);
    if (!e) {
        /* what is not a number counts as none: the clock leads anyway */
        if (!str_uint(str_trim(str_of(text, n)), UINT32_MAX - 1, &last))
            last = 0;
        if (now <= last)
            now = last + 1;
        e = file_write(t, f, 0, arena_fmt(&a, "%010" PRIu64 "\n", now));
    }
    if (!e)
        e = file_sync(t, f);
    if (!e && n == 0)           /* it was made now */
        e = dir_sync(t, st->root);
    file_close(f);
    arena_reset(&a);
    if (!e)
        *out = (uint32_t)now;
    return e;
}

/* Writes the first index of a mailbox; again: the first after one that was
 * damaged. */
static err box_index_make(struct task *t, struct store *st, struct dir *dir,
                          bool again)
{
    struct index_state s;
    struct buf frame, whole;
    uint64_t generation;
    struct file_stat mark;
    uint32_t uid_validity;
    char id[16];
    err e;

    TRY(box_uid_validity(t, st, &uid_validity));
    rt_random(t, &generation, sizeof(generation));
    rt_random(t, id, sizeof(id));
    index_state_init(&s, uid_validity, generation | 1, id);
    buf_init(&frame, NULL, FRESH_MAX);
    buf_init(&whole, NULL, FRESH_MAX);
    index_frame_begin(&frame);
    /* an index that is gone gave out UIDs as well */
    again |= !file_stat_path(t, dir, IMPORTED, &mark);
    e = scan_import(t, dir, !again, &s, &frame);
    index_put_next(&frame, s.uid_next, 1);
    index_frame_end(&frame);
    index_header_put(&whole, &s, rt_wall(t));
    buf_add(&whole, buf_str(&frame));
    if (!e && (frame.over || whole.over))
        e = why(t, ERR_LIMIT, "mailbox is too large");
    if (!e)
        e = index_create(t, dir, st->file_mode, buf_str(&whole));
    if (!e && s.uid_validity != uid_validity)
        e = file_replace(t, dir, IMPORTED, S(""), st->file_mode);
    buf_free(&frame);
    buf_free(&whole);
    return e;
}

/* The index of dir, which it takes over in any case, made if it has none that
 * can be believed.  One that was damaged has given out UIDs: what Dovecot knew
 * before it is older, and is not taken again. */
static err open_or_make(struct task *t, struct store *st, str path,
                        struct dir *dir, struct index *out)
{
    struct arena a;
    str place;
    err e;

    arena_init(&a, 0);
    place = str_eq(path, S(".")) ? st->path
                                 : arena_fmt(&a, "%.*s/%.*s", STR(st->path),
                                             STR(path));
    e = index_open(t, dir, place, st->file_mode, out);
    if (e == ERR_ABSENT || e == ERR_CORRUPT) {
        bool damaged = e == ERR_CORRUPT;

        e = box_dir_open(t, st, path, &dir);
        if (!e && damaged) {
            say(t, store_index_bad, STR(place));
            e = file_rename(t, dir, INDEX_NAME, dir, S("veredus-index.bad"));
        }
        if (!e)
            e = box_index_make(t, st, dir, damaged);
        if (!e)
            e = index_open(t, dir, place, st->file_mode, out);
        else
            dir_close(dir);
    }
    arena_reset(&a);
    return e;
}

err box_open(struct task *t, struct store *st, str name, struct index *out)
{
    struct arena a;
    struct dir *dir = NULL;
    str path;
    err e;

    if (!(st->rights & RIGHT_LOOKUP))
        return ERR_ABSENT;      /* unknown and forbidden look the same */
    arena_init(&a, 0);
    e = box_find(t, st, &a, name, &path);
    if (!e)
        e = box_dir_open(t, st, path, &dir);
    if (!e) {
        e = box_dirs_make(t, st, dir);
        if (!e)
            e = open_or_make(t, st, path, dir, out);
        else
            dir_close(dir);
    }
    if (e && e != ERR_ABSENT) {
        str said = arena_str(&a, str_from(task_why(t)));

        say(t, store_box_failed, STR(st->path), STR(path), STR(said));
        e = why(t, e == ERR_DENIED ? ERR_IO : e, "%.*s", STR(said));
    }
    arena_reset(&a);
    return e;
}

err box_lock(struct task *t, struct index *ix, bool take)
{
    int dirs = 0;
    err e;

    TRY(index_lock(t, ix));
    e = ix->reset ? why(t, ERR_CORRUPT, "mailbox was made anew") : OK;
    if (!e)
        e = scan_needed(t, ix, &dirs);
    if (!e && (dirs || (take && ix->s.n_in_new)))
        e = scan_run(t, ix, dirs, take);
    return e ? box_unlock(t, ix, e) : OK;
}

err box_unlock(struct task *t, struct index *ix, err e)
{
    err e2;

    if (!e)
        e = index_commit(t, ix);
    e2 = index_unlock(t, ix);
    return e ? e : e2;
}

void box_target_close(struct store *st)
{
    if (!st->target)
        return;
    index_close(&st->target->ix);
    heap_free(st->target);
    st->target = NULL;
}

void store_doze(struct store *st)
{
    box_target_close(st);
}

bool box_is_named(struct task *t, const struct store *st,
                  const struct index *ix, str name)
{
    struct file_stat held, named;
    struct arena a;
    bool same = false;
    str path;

    arena_init(&a, 0);
    if (!box_find(t, st, &a, name, &path)
        && !file_stat_path(t, ix->dir, S("."), &held)
        && !file_stat_path(t, st->root, arena_cat(&a, path, S("/.")),
                           &named))
        same = held.inode == named.inode && held.device == named.device;
    arena_reset(&a);
    return same;
}

/* Whether what we hold is still the mailbox of that name, as of now. */
static bool target_is(struct task *t, struct store *st, str name)
{
    struct target *tg = st->target;

    if (!tg || !box_is_named(t, st, &tg->ix, name))
        return false;
    tg->ix.s.n_seen = 0;        /* nobody looks: nothing to announce */
    index_sweep(&tg->ix.s);
    return !index_catch_up(t, &tg->ix) && !tg->ix.reset;
}

err box_target(struct task *t, struct store *st, struct view *v, str name,
               struct index **out)
{
    struct target *tg;
    err e;

    if (v && v->st == st && box_is_named(t, st, &v->ix, name)) {
        *out = &v->ix;
        return OK;
    }
    if (!target_is(t, st, name)) {
        box_target_close(st);
        tg = heap_alloc(sizeof(*tg));
        e = box_open(t, st, name, &tg->ix);
        if (e) {
            heap_free(tg);
            return e;
        }
        st->target = tg;
    }
    *out = &st->target->ix;
    return OK;
}

str box_fresh_name(struct task *t, struct store *st, struct arena *a)
{
    int64_t now = rt_wall(t);
    struct buf b;

    buf_init(&b, a, MAILDIR_NAME_MAX * 4);
    buf_fmt(&b, "%" PRId64 ".M%06" PRId64 "P%" PRIu64 "Q%" PRIu32 ".",
            now / 1000000, now % 1000000,
            rt_random_below(t, UINT64_C(1) << 40), ++st->n_named);
    maildir_host_put(&b, str_head(st->host, 100));
    return buf_str(&b);
}
