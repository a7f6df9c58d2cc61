/* SPDX-License-Identifier: ISC
 *
 * A hand reads what a user keeps for forwarding: .forward files, and lists
 * that aliases include.  What others could have written is passed over.
 */
#include "role/deliver/piece.h"

struct reading_file {
    struct arena *a;
    str path;
    struct file *file;
    size_t max;
};

static err read_open(struct task *t, const struct reading_file *r,
                     const struct file_stat *st, str *text)
{
    char *p;
    size_t n;

    if (st->size > r->max)
        return why(t, ERR_LIMIT, "file %.*s is larger than %zu bytes",
                   STR(r->path), r->max);
    p = arena_alloc(r->a, st->size + 1);
    TRY(file_read(t, r->file, 0, p, st->size, &n));
    *text = str_of(p, n);
    return OK;
}

static void judge(struct task *t, const struct reading_file *r,
                  struct hand_text *out)
{
    struct file_stat st = { 0 };
    err e = file_stat_open(t, r->file, &st);

    out->uid = st.uid;
    if (!e && (!st.is_regular || (st.mode & 02))) {
        out->complaint = arena_fmt(r->a, "file %.*s is %s", STR(r->path),
                                   st.is_regular ? "world writable"
                                                 : "not a regular file");
        return;                 /* as if there were none */
    }
    if (!e)
        e = read_open(t, r, &st, &out->text);
    out->found = e ? HAND_FAILED : HAND_FOUND;
    if (e)
        out->text = arena_str(r->a, str_from(task_why(t)));
}

/* What cannot be opened is as if it were not there: a directory may be closed
 * to us, a link is none of ours. */
static void refuse(struct task *t, struct arena *a, str path,
                   struct hand_text *out)
{
    str reason = str_from(task_why(t));
    size_t colon = str_rchr(reason, ':');

    out->complaint = arena_fmt(a, "cannot open file %.*s:%.*s", STR(path),
                               STR(str_skip(reason, colon == STR_NONE
                                                        ? 0 : colon + 1)));
}

void hand_file_read(struct task *t, struct arena *a,
                    const struct hand_read *r, size_t max,
                    struct hand_text *out)
{
    int flags = FILE_READ | (r->follow ? FILE_FOLLOW : 0);

    for (uint32_t i = 0; i < r->n; i++) {
        struct reading_file one = { a, r->paths[i], NULL, max };
        err e = file_open(t, NULL, one.path, flags, 0, &one.file);
        if (e == ERR_ABSENT)
            continue;
        out->index = i;
        if (e == ERR_IO || e == ERR_LIMIT) {
            out->found = HAND_FAILED;
            out->text = arena_str(a, str_from(task_why(t)));
        } else if (e) {
            refuse(t, a, r->paths[i], out);
        } else {
            judge(t, &one, out);
            file_close(one.file);
        }
        return;
    }
}
