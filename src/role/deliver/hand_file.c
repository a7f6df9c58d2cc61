/* SPDX-License-Identifier: ISC
 *
 * A hand reads what a user keeps for forwarding: .forward files, and lists
 * that aliases include.  What others could have written is passed over.
 */
#include "role/deliver/piece.h"

static err read_open(struct task *t, struct arena *a, struct file *f,
                     const struct file_stat *st, str *text)
{
    char *p;
    size_t n;

    if (st->size > HAND_TEXT_MAX)
        return why(t, ERR_LIMIT, "file is larger than %d bytes",
                   HAND_TEXT_MAX);
    p = arena_alloc(a, st->size + 1);
    TRY(file_read(t, f, 0, p, st->size, &n));
    *text = str_of(p, n);
    return OK;
}

static void judge(struct task *t, struct arena *a, str path, struct file *f,
                  struct hand_text *out)
{
    struct file_stat st = { 0 };
    err e = file_stat_open(t, f, &st);

    out->uid = st.uid;
    out->gid = st.gid;
    if (!e && (!st.is_regular || (st.mode & 02))) {
        out->complaint = arena_fmt(a, "file %.*s is %s", STR(path),
                                   st.is_regular ? "world writable"
                                                 : "not a regular file");
        return;                 /* as if there were none */
    }
    if (!e)
        e = read_open(t, a, f, &st, &out->text);
    out->found = e ? HAND_FAILED : HAND_FOUND;
    if (e)
        out->text = arena_str(a, str_from(task_why(t)));
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
                    const struct hand_read *r, struct hand_text *out)
{
    int flags = FILE_READ | (r->follow ? FILE_FOLLOW : 0);
    struct file *f;

    for (uint32_t i = 0; i < r->n; i++) {
        err e = file_open(t, NULL, r->paths[i], flags, 0, &f);
        if (e == ERR_ABSENT)
            continue;
        out->index = i;
        if (e == ERR_IO || e == ERR_LIMIT) {
            out->found = HAND_FAILED;
            out->text = arena_str(a, str_from(task_why(t)));
        } else if (e) {
            refuse(t, a, r->paths[i], out);
        } else {
            judge(t, a, r->paths[i], f, out);
            file_close(f);
        }
        return;
    }
}
