/* SPDX-License-Identifier: ISC
 *
 * Quota: what counts, what is given back, what many do at once.
 */
#include "store/fixture.h"

#define TEN S("a: b\n\n0123")   /* 10 bytes */

/* A place whose user may store so much. */
static struct store *limited(struct task *t, struct place *p, uint64_t bytes)
{
    struct store_options o = { .host = S("host.test"), .user = S("u@d.test"),
                               .home = S("/nonexistent"),
                               .quota_bytes = bytes };
    struct store *st;

    o.location = arena_cat(&p->a, S("maildir:"), p->path);
    check_ok(store_open(t, &p->a, &o, &st));
    return st;
}

static err try_deliver(struct task *t, struct place *p, uint64_t quota,
                       str text)
{
    struct delivery_options o = { .quota_bytes = quota };
    struct delivery *d;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = maildir_deliver(t, &a, NULL, p->path, &o, &d);
    if (!e) {
        e = delivery_write(t, d, text);
        if (e)
            delivery_cancel(t, d);
        else
            e = delivery_finish(t, d);
    }
    arena_reset(&a);
    return e;
}

static uint64_t used(struct task *t, struct store *st)
{
    struct quota q;

    check_ok(store_quota(t, st, &q));
    return q.bytes;
}

TASK_TEST(quota_limits)
{
    struct place p;
    struct delivery_options o = { .quota_bytes = 30 };
    struct delivery *d;
    struct arena a;

    place_open(t, &p);
    arena_init(&a, 0);
    check_ok(maildir_deliver(t, &a, NULL, p.path, &o, &d));
    check_ok(delivery_write(t, d, S("a: b\n\n01234567890123\n")));
    check_ok(delivery_finish(t, d));
    check_ok(maildir_deliver(t, &a, NULL, p.path, &o, &d));
    check_ok(delivery_write(t, d, S("a: b\n\n01234567890123\n")));
    check_int(delivery_finish(t, d), ERR_LIMIT);
    arena_reset(&a);
    place_close(t, &p);
}

/* A message larger than all of it is refused before it is written. */
TASK_TEST(quota_of_one_message)
{
    struct delivery_options o = { .quota_bytes = 30 };
    struct delivery *d;
    struct place p;

    place_open(t, &p);
    check_ok(maildir_deliver(t, &p.a, NULL, p.path, &o, &d));
    check_ok(delivery_write(t, d, S("a: b\n\n")));
    check_int(delivery_write(t, d, S("0123456789012345678901234567890\n")),
              ERR_LIMIT);
    delivery_cancel(t, d);
    place_close(t, &p);
}

/* DELETE of a mailbox gives back what was in it. */
TASK_TEST(quota_back_by_delete)
{
    struct place p;
    struct store *st;

    place_open(t, &p);
    st = limited(t, &p, 30);
    check_ok(store_create(t, p.st, S("x")));
    p.st = st;
    place_append(t, &p, S("x"), TEN, S(""));
    place_append(t, &p, S("x"), TEN, S(""));
    place_append(t, &p, S("INBOX"), TEN, S(""));
    check_int(used(t, st), 30);
    check_int(try_deliver(t, &p, 30, TEN), ERR_LIMIT);
    check_ok(store_delete(t, st, S("x")));
    check_int(used(t, st), 10);
    check_ok(try_deliver(t, &p, 30, TEN));
    place_close(t, &p);
}

static void remove_foreign(struct task *t, struct place *p, str path)
{
    size_t n;
    str name = first_name(t, p, path, &n);

    check(n > 0);
    check_ok(file_unlink(t, p->dir,
                         arena_fmt(&p->a, "%.*s/%.*s", STR(path),
                                   STR(name))));
}

/* Other programs remove mail and tell nobody: in INBOX and elsewhere, after
 * lines were added and after a count. */
TASK_TEST(quota_back_by_foreign_hands)
{
    struct place p;

    place_open(t, &p);
    check_ok(store_create(t, p.st, S("x")));
    p.st = limited(t, &p, 30);
    place_append(t, &p, S("x"), TEN, S(""));
    check_ok(try_deliver(t, &p, 30, TEN));
    check_ok(try_deliver(t, &p, 30, TEN));
    check_int(try_deliver(t, &p, 30, TEN), ERR_LIMIT);
    remove_foreign(t, &p, S("new"));
    check_ok(try_deliver(t, &p, 30, TEN));
    check_int(try_deliver(t, &p, 30, TEN), ERR_LIMIT);
    remove_foreign(t, &p, S(".x/cur"));
    check_ok(try_deliver(t, &p, 30, TEN));
    check_int(try_deliver(t, &p, 30, TEN), ERR_LIMIT);
    place_close(t, &p);
}

struct crowd {
    struct place *p;
    int done, refused;
};

static err one_of_many(struct task *t, void *arg)
{
    struct crowd *c = arg;
    err e = try_deliver(t, c->p, 50, TEN);

    check(!e || e == ERR_LIMIT);
    c->done += !e;
    c->refused += e == ERR_LIMIT;
    return OK;
}

TASK_TEST(quota_of_a_crowd)
{
    struct task_group g;
    struct place p;
    struct crowd c = { .p = &p };

    place_open(t, &p);
    group_open(t, &g);
    for (int i = 0; i < 20; i++)
        group_go(&g, "delivery", one_of_many, &c);
    check_ok(group_wait(t, &g, NEVER));
    group_close(t, &g);
    check_int(c.done, 5);
    check_int(c.refused, 15);
    check_int(used(t, limited(t, &p, 50)), 50);
    place_close(t, &p);
}

/* Who is over quota may still move mail to where it is thrown away. */
TASK_TEST(quota_move)
{
    struct place p;
    struct view *v;
    struct copied done;
    struct view_change change;
    uint32_t one = 1;
    struct seqs first = { &one, 1 };

    place_open(t, &p);
    check_ok(store_create(t, p.st, S("Trash")));
    deliver(t, &p, TEN);
    deliver(t, &p, TEN);
    p.st = limited(t, &p, 15);
    check_int(used(t, p.st), 20);
    check_ok(view_open(t, p.st, S("INBOX"), false, &v));
    check_int(view_copy(t, v, first, S("Trash"), false, &p.a, &done),
              ERR_LIMIT);
    check_ok(view_copy(t, v, first, S("Trash"), true, &p.a, &done));
    check_int(used(t, p.st), 20);
    while (view_change_next(v, true, &change))
        ;
    set_flags(t, &p, v, 1, FLAGS_ADD, FLAG_DELETED, S(""));
    check_ok(view_expunge(t, v, (struct seqs){ NULL, 0 }));
    check_int(used(t, p.st), 10);
    view_close(v);
    place_close(t, &p);
}

/* A delivery that is done stays done when its line cannot be written. */
TASK_TEST(quota_file_that_cannot_be_written)
{
    struct delivery_options o = { .quota_bytes = 100 };
    struct delivery *d;
    struct place p;
    size_t n;

    place_open(t, &p);
    check_ok(maildir_deliver(t, &p.a, NULL, p.path, &o, &d));
    check_ok(delivery_write(t, d, TEN));
    check_ok(delivery_finish(t, d));
    check_ok(maildir_deliver(t, &p.a, NULL, p.path, &o, &d));
    check_ok(delivery_write(t, d, TEN));
    check_ok(file_unlink(t, p.dir, S("maildirsize")));
    check_ok(dir_make(t, p.dir, S("maildirsize"), 0700));
    if (delivery_finish(t, d)) {
        (void)first_name(t, &p, S("new"), &n);
        check_int(n, 1);        /* refused before it could be seen */
        (void)first_name(t, &p, S("tmp"), &n);
        check_int(n, 0);
    }
    place_close(t, &p);
}

/* Mail into a folder counts where the folder is (Maildir++). */
TASK_TEST(quota_of_a_folder)
{
    struct place p, x;

    place_open(t, &p);
    check_ok(store_create(t, p.st, S("x")));
    x = p;
    x.path = arena_cat(&p.a, p.path, S("/.x"));
    check_ok(try_deliver(t, &x, 25, TEN));
    check_ok(try_deliver(t, &p, 25, TEN));
    check_int(try_deliver(t, &x, 25, TEN), ERR_LIMIT);
    check_int(used(t, limited(t, &p, 25)), 20);
    place_close(t, &p);
}
