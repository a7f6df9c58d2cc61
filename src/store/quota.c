/* SPDX-License-Identifier: ISC
 *
 * How much a user stores, in `maildirsize` of the Maildir++ convention, so
 * that other delivery programs count along:
 *
 *     10485760S,1000C         the limits: bytes, messages
 *     1234 1                  one line a change, summed up
 *     -1234 -1
 *
 * The file is counted anew when it is missing, was written for other limits,
 * or has grown past FILE_MAX; and before anything is refused for it, if it
 * has more than the line of a count, is older than OLD_US, or a mailbox has
 * changed since: other programs remove mail and do not tell.  Trash counts
 * like the rest.
 *
 * Who knows a user's limits (the reader) writes them there; who does not (a
 * delivery) finds them there.
 *
 * I1  Between the check and the line that tells of a change, and while mail is
 *     counted, `veredus-quota.lock` is held: what many add at the same time
 *     passes no limit, and no line is lost to a count.  It is taken before
 *     the lock of an index.
 * I2  A line that cannot be written is no reason to fail what was done: too
 *     little is counted, until the next count.
 */
#include "store/box.h"

enum { FILE_MAX = 5120, LIMITS_MAX = 64, QUOTA_LOCK_S = 60,
       TICK_US = 20 * 1000 };

#define OLD_US (INT64_C(15) * 60 * 1000 * 1000)
#define FILE_NAME S("maildirsize")
#define LOCK_NAME S("veredus-quota.lock")

struct usage {
    int64_t bytes, messages;
    size_t n_lines;
};

static bool limited(const struct store *st)
{
    return st->quota_bytes || st->quota_messages;
}

err quota_lock(struct task *t, struct store *st)
{
    struct file *f;
    err e;

    must(!st->quota_lock);
    if (!limited(st))
        return OK;
    TRY(file_open(t, st->root, LOCK_NAME,
                  FILE_READ | FILE_WRITE | FILE_CREATE, st->file_mode, &f));
    e = file_lock(t, f, true, after_s(t, QUOTA_LOCK_S));
    if (e)
        file_close(f);
    else
        st->quota_lock = f;
    return e;
}

void quota_unlock(struct store *st)
{
    file_close(st->quota_lock);     /* the lock ends with it */
    st->quota_lock = NULL;
}

/* For one step of its own. */
static err hold(struct task *t, struct store *st, bool *ours)
{
    *ours = !st->quota_lock;
    return *ours ? quota_lock(t, st) : OK;
}

static void let_go(struct store *st, bool ours)
{
    if (ours)
        quota_unlock(st);
}

static str limits_text(const struct store *st, struct arena *a)
{
    struct buf b;

    buf_init(&b, a, LIMITS_MAX);
    if (st->quota_bytes)
        buf_fmt(&b, "%" PRIu64 "S", st->quota_bytes);
    if (st->quota_messages)
        buf_fmt(&b, "%s%" PRIu64 "C", b.n ? "," : "", st->quota_messages);
    return buf_str(&b);
}

static bool usage_parse(const struct store *st, struct arena *a, str text,
                        struct usage *out)
{
    str line, word;

    *out = (struct usage){ 0 };
    if (text.n > FILE_MAX || !str_cut(&text, '\n', &line)
        || !str_eq(line, limits_text(st, a)))
        return false;
    while (str_cut(&text, '\n', &line)) {
        int64_t bytes, messages;

        if (!line.n)
            continue;
        if (!str_token(&line, S(" "), &word) || !str_int(word, &bytes)
            || !str_token(&line, S(" "), &word) || !str_int(word, &messages))
            return false;
        if (__builtin_add_overflow(out->bytes, bytes, &out->bytes)
            || __builtin_add_overflow(out->messages, messages,
                                      &out->messages))
            return false;
        out->n_lines++;
    }
    return out->bytes >= 0 && out->messages >= 0;
}

static err count_dir(struct task *t, struct store *st, struct arena *a,
                     str path, struct usage *u)
{
    struct names names;
    struct dir *dir;
    err e;

    if (dir_open(t, st->root, path, &dir))
        return OK;              /* no mailbox after all */
    e = dir_list(t, dir, a, &names);
    for (size_t i = 0; !e && i < names.n; i++) {
        struct maildir_name name;
        struct file_stat fs = { 0 };

        if (!maildir_name_parse(names.p[i], &name))
            continue;
        if (!name.has_size && file_stat_path(t, dir, names.p[i], &fs))
            continue;
        u->bytes += (int64_t)(name.has_size ? name.size : fs.size);
        u->messages++;
    }
    dir_close(dir);
    return e;
}

static err count_all(struct task *t, struct store *st, struct arena *a,
                     struct usage *u)
{
    struct names names;
    str name;

    *u = (struct usage){ 0 };
    TRY(count_dir(t, st, a, S("cur"), u));
    TRY(count_dir(t, st, a, S("new"), u));
    TRY(dir_list(t, st->root, a, &names));
    for (size_t i = 0; i < names.n; i++) {
        if (!box_name(st, a, names.p[i], &name))
            continue;
        TRY(count_dir(t, st, a, arena_cat(a, names.p[i], S("/cur")), u));
        TRY(count_dir(t, st, a, arena_cat(a, names.p[i], S("/new")), u));
    }
    return OK;
}

/* Counts, and writes down what there is. */
static err usage_count(struct task *t, struct store *st, struct usage *u)
{
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = count_all(t, st, &a, u);
    if (!e)
        e = file_replace(t, st->root, FILE_NAME,
                         arena_fmt(&a, "%.*s\n%" PRId64 " %" PRId64 "\n",
                                   STR(limits_text(st, &a)), u->bytes,
                                   u->messages), st->file_mode);
    arena_reset(&a);
    return e;
}

static err usage_of(struct task *t, struct store *st, struct usage *u)
{
    struct arena a;
    str text = S("");
    bool known;

    arena_init(&a, 0);
    known = !file_load(t, st->root, FILE_NAME, &a, FILE_MAX, &text)
            && usage_parse(st, &a, text, u);
    arena_reset(&a);
    return known ? OK : usage_count(t, st, u);
}

/* Whether a directory may have changed since, as far as the clock of a file
 * system tells. */
static bool changed_since(struct task *t, struct store *st, str path,
                          int64_t us)
{
    struct file_stat now;

    return !file_stat_path(t, st->root, path, &now)
           && now.mtime_us + TICK_US >= us;
}

/* Whether a count may tell something else than what is written down. */
static bool usage_stale(struct task *t, struct store *st,
                        const struct usage *u)
{
    struct file_stat fs;
    struct names names = { 0 };
    struct arena a;
    bool stale;
    str name;

    if (u->n_lines > 1 || file_stat_path(t, st->root, FILE_NAME, &fs)
        || rt_wall(t) - fs.mtime_us > OLD_US)
        return true;
    stale = changed_since(t, st, S("cur"), fs.mtime_us)
            || changed_since(t, st, S("new"), fs.mtime_us);
    arena_init(&a, 0);
    if (!stale && dir_list(t, st->root, &a, &names))
        stale = true;
    for (size_t i = 0; !stale && i < names.n; i++)
        if (box_name(st, &a, names.p[i], &name))
            stale = changed_since(t, st, arena_cat(&a, names.p[i],
                                                   S("/cur")), fs.mtime_us)
                    || changed_since(t, st, arena_cat(&a, names.p[i],
                                                      S("/new")),
                                     fs.mtime_us);
    arena_reset(&a);
    return stale;
}

void quota_learn(struct task *t, struct store *st)
{
    struct arena a;
    str text, line, word;

    if (limited(st))
        return;
    arena_init(&a, 0);
    if (!file_load(t, st->root, FILE_NAME, &a, FILE_MAX, &text)
        && str_cut(&text, '\n', &line))
        while (str_token(&line, S(","), &word)) {
            uint64_t n;

            if (!word.n || !str_uint(str_head(word, word.n - 1), INT64_MAX,
                                     &n))
                continue;
            if (str_ends(word, S("S")))
                st->quota_bytes = n;
            else if (str_ends(word, S("C")))
                st->quota_messages = n;
        }
    arena_reset(&a);
}

err quota_tell(struct task *t, struct store *st)
{
    struct usage u;
    bool ours;
    err e;

    if (limited(st)) {
        TRY(hold(t, st, &ours));
        e = usage_of(t, st, &u);
        let_go(st, ours);
        return e;
    }
    e = file_unlink(t, st->root, FILE_NAME);
    return e == ERR_ABSENT ? OK : e;
}

uint64_t quota_row_size(str map, const struct row *r)
{
    struct maildir_name name;

    return maildir_name_parse(index_name(map, r), &name) && name.has_size
               ? name.size : r->size;
}

static bool over(const struct store *st, const struct usage *u,
                 uint64_t bytes, uint64_t messages)
{
    return (st->quota_bytes
            && (bytes > st->quota_bytes
                || (uint64_t)u->bytes > st->quota_bytes - bytes))
           || (st->quota_messages
               && (messages > st->quota_messages
                   || (uint64_t)u->messages
                          > st->quota_messages - messages));
}

static err check_held(struct task *t, struct store *st, uint64_t bytes,
                      uint64_t messages)
{
    struct usage u;

    TRY(usage_of(t, st, &u));
    if (over(st, &u, bytes, messages) && usage_stale(t, st, &u))
        TRY(usage_count(t, st, &u));
    if (over(st, &u, bytes, messages))
        return why(t, ERR_LIMIT, "Quota exceeded (mailbox for user is full)");
    return OK;
}

err quota_check(struct task *t, struct store *st, uint64_t bytes,
                uint64_t messages)
{
    bool ours;
    err e;

    if (!limited(st))
        return OK;
    TRY(hold(t, st, &ours));
    e = check_held(t, st, bytes, messages);
    let_go(st, ours);
    return e;
}

void quota_add(struct task *t, struct store *st, int64_t bytes,
               int64_t messages)
{
    struct file *f;
    struct arena a;
    bool ours;

    if (!limited(st) || (!bytes && !messages) || hold(t, st, &ours))
        return;                 /* I2 */
    if (!file_open(t, st->root, FILE_NAME, FILE_WRITE | FILE_APPEND, 0, &f)) {
        arena_init(&a, 0);
        err_ignore(file_append(t, f, /* I2 */
                               arena_fmt(&a, "%" PRId64 " %" PRId64 "\n",
                                         bytes, messages)));
        file_close(f);
        arena_reset(&a);
    }
    let_go(st, ours);
}

void quota_forget(struct task *t, struct store *st)
{
    struct usage u;
    bool ours;

    if (!limited(st) || hold(t, st, &ours))
        return;
    err_ignore(usage_count(t, st, &u)); /* I2 */
    let_go(st, ours);
}

err store_quota(struct task *t, struct store *st, struct quota *out)
{
    struct usage u = { 0 };
    bool ours;
    err e = OK;

    if (limited(st)) {
        TRY(hold(t, st, &ours));
        e = usage_of(t, st, &u);
        let_go(st, ours);
    }
    TRY(e);
    *out = (struct quota){ (uint64_t)u.bytes, (uint64_t)u.messages,
                           st->quota_bytes, st->quota_messages };
    return OK;
}
