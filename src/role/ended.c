/* SPDX-License-Identifier: ISC
 *
 * Users whose sessions end.
 */
#include "role/ended.h"

#include <unistd.h>

enum { TEXT_MAX = 1 << 20, LOCK_S = 10 };

/* Held locked, so that no name gets between reading and emptying. */
static err open_file(struct task *t, str queue_dir, int flags,
                     struct file **out)
{
    struct arena a;
    struct file_stat st;
    struct file *f;
    err e;

    arena_init(&a, 0);
    e = file_open(t, NULL, arena_fmt(&a, "%.*s/pid/ended", STR(queue_dir)),
                  FILE_READ | FILE_WRITE | flags, 0600, &f);
    arena_reset(&a);
    TRY(e);
    e = file_stat_open(t, f, &st);
    if (!e && (!st.is_regular || st.uid != geteuid()))
        e = why(t, ERR_DENIED, "pid/ended belongs to somebody else");
    if (!e)
        e = file_lock(t, f, true, after_s(t, LOCK_S));
    if (e) {
        file_close(f);
        return e;
    }
    *out = f;
    return OK;
}

err ended_add(struct task *t, str queue_dir, str user)
{
    struct arena a;
    struct file *f;
    err e;

    TRY(open_file(t, queue_dir, FILE_CREATE, &f));
    arena_init(&a, 0);
    e = file_append(t, f, arena_fmt(&a, "%.*s\n", STR(user)));
    arena_reset(&a);
    file_close(f);
    return e;
}

err ended_take(struct task *t, str queue_dir, struct arena *a, str *out)
{
    struct file *f;
    size_t n = 0;
    char *text;
    err e = open_file(t, queue_dir, 0, &f);

    if (e == ERR_ABSENT)
        return OK;
    TRY(e);
    text = arena_alloc(a, TEXT_MAX);
    e = file_read(t, f, 0, text, TEXT_MAX, &n);
    if (!e)
        e = file_size_set(t, f, 0);
    file_close(f);
    if (!e)
        *out = str_of(text, n);
    return e;
}

void ended_note(struct ended *e, when now, str user)
{
    size_t i = e->n++ % ENDED_MAX;

    e->forgotten = e->last[i].at;
    e->last[i].user = str_hash(user, true);
    e->last[i].at = now;
}

/* Who began before names were forgotten is over as well: better a session too
 * many than one too few. */
bool ended_is(const struct ended *e, str user, when since)
{
    uint64_t hash = str_hash(user, true);

    if (e->forgotten && since <= e->forgotten)
        return true;
    for (size_t i = 0; i < ENDED_MAX; i++)
        if (e->last[i].at && e->last[i].user == hash
            && since <= e->last[i].at)
            return true;
    return false;
}
