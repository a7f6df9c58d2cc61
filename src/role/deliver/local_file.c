/* SPDX-License-Identifier: ISC
 *
 * Reading .forward and :include: files.
 *
 * A file of a user's is read by that user's hand.  A list that a root-owned
 * alias names is read by its owner's hand; this process itself, which is
 * mail_owner, reads only what belongs to root and is open to everybody.
 * Where Postfix would read it as root we know its owner only if we may look
 * there; else the first directory that is closed to us tells who could.
 */
#include "role/deliver/local.h"

#include "role/deliver/piece.h"

#include <unistd.h>

enum { LIST_MAX = 16 << 20 };

static struct owner owner_of(const struct user *u)
{
    return (struct owner){ .uid = u->uid, .gid = u->gid };
}

static err ask_hand(struct task *t, struct run *r, const struct user *u,
                    const struct hand_read *read, struct hand_text *out)
{
    struct owner o = owner_of(u);
    struct hand *h;
    err e;

    e = hand_take(t, r->deliver, &o, &h);
    if (e)                      /* denied here and now is not for good */
        return e == ERR_DENIED ? ERR_LIMIT : e;
    e = hand_read(t, h, read, &r->memory, out);
    hand_give(h);
    if (!e && out->found == HAND_FAILED)
        e = why(t, ERR_IO, "%.*s", STR(out->text));
    return e;
}

err local_read_forward(struct task *t, struct run *r, const struct user *u,
                       const struct hand_read *paths, str *text,
                       uint32_t *index)
{
    struct hand_text x = { 0 };

    TRY(ask_hand(t, r, u, paths, &x));
    if (!str_empty(x.complaint))
        run_warn(t, r, x.complaint);
    if (x.found != HAND_FOUND)
        return ERR_ABSENT;
    *text = x.text;
    *index = x.index;
    return OK;
}

/* --- :include: ------------------------------------------------------------ */

/* Who can look at path: its owner, or whom the directory belongs to that is
 * closed to us.  ERR_ABSENT: there is no such file. */
static err who_reads(struct task *t, str path, struct file_stat *st)
{
    err e = file_stat_path(t, NULL, path, st);

    if (e != ERR_DENIED)
        return e;
    for (size_t i = 1; i < path.n; i++) {
        if (path.p[i] != '/')
            continue;
        if (file_stat_path(t, NULL, str_head(path, i), st))
            break;
        e = OK;                 /* the innermost that we can see */
    }
    return e;
}

static err user_of_file(struct task *t, const struct file_stat *st,
                        struct arena *a, struct user *out)
{
    err e = local_user_by_uid(t, st->uid, a, out);

    if (e == ERR_ABSENT)        /* a number is enough to read */
        *out = (struct user){ .uid = st->uid, .gid = st->gid };
    return e == ERR_ABSENT ? OK : e;
}

/* Reads with what stands for root's rights. */
static err read_for_root(struct task *t, struct run *r,
                         const struct hand_read *read, struct hand_text *x,
                         const struct user **owner)
{
    struct user *u = arena_new(&r->memory, struct user);
    struct file_stat st;
    err e = who_reads(t, read->paths[0], &st);

    if (e == ERR_ABSENT)
        return OK;              /* as found says */
    TRY(e);
    if (st.uid == 0 || st.uid == geteuid()) {
        hand_file_read(t, &r->memory, read, LIST_MAX, x);
        if (x->found == HAND_FAILED)
            return why(t, ERR_IO, "%.*s", STR(x->text));
        return x->found == HAND_NONE && str_find(x->complaint,
                                                 S("cannot open"))
                                            != STR_NONE
            ? why(t, ERR_IO, "%.*s: it must be readable for mail_owner",
                  STR(x->complaint)) : OK;
    }
    TRY(user_of_file(t, &st, &r->memory, u));
    TRY(ask_hand(t, r, u, read, x));
    /* a hand is not believed that others' rights are meant: its own at most */
    if (x->found == HAND_FOUND && x->uid != 0)
        *owner = u;
    return OK;
}

err local_read_include(struct task *t, struct run *r, str path,
                       const struct user *reader, str *text,
                       const struct user **owner)
{
    struct hand_read read = { .paths = &path, .n = 1, .follow = true };
    struct hand_text x = { .found = HAND_NONE };
    str complaint;

    *owner = NULL;
    if (!str_starts(path, S("/")))
        x.complaint = arena_fmt(&r->memory, ":include:%.*s uses a relative "
                                "path", STR(path));
    else if (reader)
        TRY(ask_hand(t, r, reader, &read, &x));
    else
        TRY(read_for_root(t, r, &read, &x, owner));
    if (x.found == HAND_FOUND) {
        *text = x.text;
        return OK;
    }
    complaint = str_empty(x.complaint)
        ? arena_fmt(&r->memory, "unable to lookup :include: file %.*s: "
                    "No such file or directory", STR(path))
        : x.complaint;
    run_warn(t, r, complaint);
    return ERR_DENIED;
}
