/* SPDX-License-Identifier: ISC
 *
 * For the tests of this room: a store on a real directory.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "store/deliver.h"
#include "store/index_file.h"
#include "store/store.h"
#include "test/unit/check.h"

struct place {
    struct arena a;
    str path;
    struct dir *dir;
    struct store *st;
};

static inline void place_open(struct task *t, struct place *p)
{
    struct store_options o = { .host = S("host.test"), .user = S("u@d.test"),
                               .home = S("/nonexistent") };

    arena_init(&p->a, 0);
    p->path = arena_fmt(&p->a, "/tmp/veredus-store-%016" PRIx64,
                        rt_random_below(t, UINT64_MAX));
    o.location = arena_cat(&p->a, S("maildir:"), p->path);
    check_ok(store_open(t, &p->a, &o, &p->st));
    check_ok(dir_open(t, NULL, p->path, &p->dir));
}

static inline void remove_all(struct task *t, struct dir *at, str path)
{
    struct arena a;
    struct names names;
    struct dir *d;

    arena_init(&a, 0);
    if (!dir_open(t, at, path, &d)) {
        check_ok(dir_list(t, d, &a, &names));
        for (size_t i = 0; i < names.n; i++)
            if (file_unlink(t, d, names.p[i]))
                remove_all(t, d, names.p[i]);
        dir_close(d);
        check_ok(dir_remove(t, at, path));
    }
    arena_reset(&a);
}

static inline void place_close(struct task *t, struct place *p)
{
    str path;

    dir_close(p->dir);
    path = arena_str(&p->a, p->path);
    remove_all(t, NULL, path);
    arena_reset(&p->a);
}

static inline void deliver(struct task *t, struct place *p, str text)
{
    struct delivery_options o = { .host = S("host.test") };
    struct delivery *d;
    struct arena a;

    arena_init(&a, 0);
    check_ok(maildir_deliver(t, &a, NULL, p->path, &o, &d));
    check_ok(delivery_write(t, d, text));
    check_ok(delivery_finish(t, d));
    arena_reset(&a);
}

/* The only name in a directory, or the first. */
static inline str first_name(struct task *t, struct place *p, str path,
                             size_t *n)
{
    struct names names;
    struct dir *d;

    check_ok(dir_open(t, p->dir, path, &d));
    check_ok(dir_list(t, d, &p->a, &names));
    dir_close(d);
    *n = names.n;
    return names.n ? names.p[0] : S("");
}

static inline void set_flags(struct task *t, struct place *p, struct view *v,
                             uint32_t seq, enum flag_operation op,
                             uint8_t flags, str keyword)
{
    struct flag_change c = { .operation = op, .flags = flags,
                             .keywords = &keyword,
                             .n_keywords = keyword.n > 0,
                             .unchanged_since = UINT64_MAX };
    struct seqs failed;

    check_ok(view_flags(t, v, (struct seqs){ &seq, 1 }, &c, &p->a, &failed));
    check_int(failed.n, 0);
}

/* Appends one message and gives its UID. */
static inline uint32_t place_append(struct task *t, struct place *p, str name,
                                    str text, str keyword)
{
    struct append_plan plan = { .keywords = &keyword,
                                .n_keywords = keyword.n > 0 };
    struct append *ap;
    struct copied done;

    check_ok(append_open(t, p->st, name, &p->a, &ap));
    check_ok(append_begin(t, ap, &plan));
    check_ok(append_piece(t, ap, text));
    check_ok(append_end(t, ap));
    check_ok(append_commit(t, ap, &done));
    check_int(done.n, 1);
    return done.to[0];
}

#endif
