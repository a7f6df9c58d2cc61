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
 * or has grown past FILE_MAX.  Trash counts like the rest.
 *
 * Who knows a user's limits (the reader) writes them there; who does not (a
 * delivery) finds them there.
 */
#include "store/box.h"

enum { FILE_MAX = 5120, LIMITS_MAX = 64 };

#define FILE_NAME S("maildirsize")

struct usage {
    int64_t bytes, messages;
};

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
        out->bytes += bytes;
        out->messages += messages;
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

static err usage_of(struct task *t, struct store *st, struct usage *u)
{
    struct arena a;
    str text = S("");
    err e;

    arena_init(&a, 0);
    e = file_load(t, st->root, FILE_NAME, &a, FILE_MAX, &text);
    if (e || !usage_parse(st, &a, text, u)) {
        e = count_all(t, st, &a, u);
        if (!e)
            e = file_replace(t, st->root, FILE_NAME,
                             arena_fmt(&a, "%.*s\n%" PRId64 " %" PRId64 "\n",
                                       STR(limits_text(st, &a)), u->bytes,
                                       u->messages), st->file_mode);
    }
    arena_reset(&a);
    return e;
}

static bool limited(const struct store *st)
{
    return st->quota_bytes || st->quota_messages;
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
    err e;

    if (limited(st))
        return usage_of(t, st, &u);
    e = file_unlink(t, st->root, FILE_NAME);
    return e == ERR_ABSENT ? OK : e;
}

uint64_t quota_row_size(str map, const struct row *r)
{
    struct maildir_name name;

    return maildir_name_parse(index_name(map, r), &name) && name.has_size
               ? name.size : r->size;
}

err quota_check(struct task *t, struct store *st, uint64_t bytes,
                uint64_t messages)
{
    struct usage u;

    if (!limited(st))
        return OK;
    TRY(usage_of(t, st, &u));
    if ((st->quota_bytes && (uint64_t)u.bytes + bytes > st->quota_bytes)
        || (st->quota_messages
            && (uint64_t)u.messages + messages > st->quota_messages))
        return why(t, ERR_LIMIT, "Quota exceeded (mailbox for user is full)");
    return OK;
}

err quota_add(struct task *t, struct store *st, int64_t bytes,
              int64_t messages)
{
    struct file *f;
    struct arena a;
    err e;

    if (!limited(st) || (!bytes && !messages))
        return OK;
    e = file_open(t, st->root, FILE_NAME, FILE_WRITE | FILE_APPEND, 0, &f);
    if (e)
        return e == ERR_ABSENT ? OK : e;    /* counted when it is asked */
    arena_init(&a, 0);
    e = file_append(t, f, arena_fmt(&a, "%" PRId64 " %" PRId64 "\n", bytes,
                                    messages));
    file_close(f);
    arena_reset(&a);
    return e;
}

err store_quota(struct task *t, struct store *st, struct quota *out)
{
    struct usage u = { 0 };

    if (limited(st))
        TRY(usage_of(t, st, &u));
    *out = (struct quota){ (uint64_t)u.bytes, (uint64_t)u.messages,
                           st->quota_bytes, st->quota_messages };
    return OK;
}
