/* SPDX-License-Identifier: ISC
 *
 * Maildirs that other programs made, or left in a bad way.
 */
#include "store/fixture.h"

#include "store/box.h"

#include <unistd.h>

static str view_name_of(struct view *v, uint32_t seq)
{
    return index_name(v->ix.map, view_row(v, seq));
}

static void put_box(struct task *t, struct place *p, const char *name,
                    const char *parts)
{
    str path = arena_fmt(&p->a, "%s", name);

    check_ok(dir_make(t, p->dir, path, 0700));
    for (; *parts; parts++)
        check_ok(dir_make(t, p->dir,
                          arena_fmt(&p->a, "%s/%s", name,
                                    *parts == 'c' ? "cur" : *parts == 'n'
                                    ? "new" : "tmp"), 0700));
}

static void put_mail(struct task *t, struct place *p, const char *path)
{
    check_ok(file_replace(t, p->dir, str_from(path), S("a: bb\n\nc\n"),
                          0600));
}

/* Opened, whatever is missing, and may be written to. */
static void check_box(struct task *t, struct place *p, str name,
                      uint32_t count)
{
    struct view *v;

    if (view_open(t, p->st, name, false, &v)) {
        check_failed(__FILE__, __LINE__, "%.*s: %s", STR(name),
                     task_why(t));
        return;
    }
    check_int(view_count(v), count);
    view_close(v);
    check(place_append(t, p, name, S("x: y\r\n\r\n"), S("")) > count);
}

TASK_TEST(foreign_parts_missing)
{
    static const char *const parts[] = { "", "c", "n", "t", "cn", "ct",
                                         "nt" };
    struct place p;

    place_open(t, &p);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        str name = arena_fmt(&p.a, "b%zu", i);
        str path = arena_cat(&p.a, S("."), name);

        put_box(t, &p, path.p, parts[i]);
        if (strchr(parts[i], 'c'))
            put_mail(t, &p, arena_fmt(&p.a, "%.*s/cur/1.a:2,S",
                                      STR(path)).p);
        check_box(t, &p, name, strchr(parts[i], 'c') != NULL);
    }
    place_close(t, &p);
}

static bool listed(struct task *t, struct place *p, str name)
{
    struct boxes b;

    check_ok(store_list(t, p->st, &p->a, &b));
    for (size_t i = 0; i < b.n; i++)
        if (str_eq(b.p[i].name, name))
            return !(b.p[i].attributes & BOX_NOSELECT);
    return false;
}

/* What Dovecot lists for a directory whose name is no modified UTF-7. */
TASK_TEST(foreign_names)
{
    static const struct {
        const char *path;
        str name;
    } boxes[] = {
        { ".Bad&Name", S_INIT("Bad&-Name") },
        { ".Umlaut\xc3\xbc", S_INIT("Umlaut&APw-") },
        { ".T&AOQ", S_INIT("T&-AOQ") },
        { ".Lat\xfc", S_INIT("Lat&,,0-") },
        { ".a.\xe2\x82\xac\xf0\x9f\x98\x80x", S_INIT("a.&IKzYPd4A-x") },
        { ".G&APw-t", S_INIT("G&APw-t") },
        { ".Q&-A", S_INIT("Q&-A") },
    };
    struct place p;

    place_open(t, &p);
    for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
        str name = boxes[i].name;

        put_box(t, &p, boxes[i].path, "cnt");
        put_mail(t, &p, arena_fmt(&p.a, "%s/new/1.a", boxes[i].path).p);
        if (!listed(t, &p, name))
            check_failed(__FILE__, __LINE__, "%.*s is not listed",
                         STR(name));
        check_box(t, &p, name, 1);
        check_int(store_create(t, p.st, name), ERR_DENIED);
    }
    check_ok(store_rename(t, p.st, S("Umlaut&APw-"), S("u")));
    check_box(t, &p, S("u"), 2);
    check_ok(store_delete(t, p.st, S("Bad&-Name")));
    check_int(store_exists(t, p.st, S("Bad&-Name")), ERR_ABSENT);
    place_close(t, &p);
}

/* Links to mailboxes, and a Maildir that is one. */
TASK_TEST(foreign_links)
{
    struct place p, other, link;
    struct store_options o = { .host = S("host.test"), .user = S("u@d.test"),
                               .home = S("/nonexistent") };

    place_open(t, &p);
    place_open(t, &other);
    deliver(t, &other, S("a: 1\n\n"));
    check(symlink(other.path.p, arena_cat(&p.a, p.path, S("/.Linked")).p)
          == 0);
    check(symlink("/nonexistent/x",
                  arena_cat(&p.a, p.path, S("/.Dangling")).p) == 0);
    check(listed(t, &p, S("Linked")));
    check_box(t, &p, S("Linked"), 1);
    check(!listed(t, &p, S("Dangling")));
    check_int(store_exists(t, p.st, S("Dangling")), ERR_ABSENT);
    check_ok(store_delete(t, p.st, S("Linked")));   /* the link alone */
    check(!listed(t, &p, S("Linked")));
    check_box(t, &other, S("INBOX"), 2);

    arena_init(&link.a, 0);
    link.dir = other.dir;
    link.path = arena_cat(&p.a, p.path, S("/link"));
    check(symlink(other.path.p, link.path.p) == 0);
    deliver(t, &link, S("a: 3\n\n"));
    o.location = arena_cat(&p.a, S("maildir:"), link.path);
    check_ok(store_open(t, &p.a, &o, &link.st));
    check_box(t, &link, S("INBOX"), 4);
    place_close(t, &other);
    arena_reset(&link.a);
    check_ok(file_unlink(t, p.dir, S("link")));
    check_ok(file_unlink(t, p.dir, S(".Dangling")));
    place_close(t, &p);
}

/* UIDs follow arrival, by the microseconds that names tell. */
TASK_TEST(foreign_order)
{
    static const char *const names[] = {    /* as Dovecot orders them */
        "abc", "1699999999.x.h", "1700000000.1234_1.h", "1700000000.M5P1.h",
        "1700000000.M000700P9.h", "1700000000.M999P1.h",
        "1700000000.M001000P3.h", "1700000000.M12345P1.h",
        "1700000000.M123456P1.h", "1700000001.M1P1.h",
    };
    enum { N = sizeof(names) / sizeof(names[0]) };
    struct place p;
    struct view *v;

    place_open(t, &p);
    put_box(t, &p, ".x", "cnt");
    for (size_t i = 0; i < N; i++)
        check_ok(file_replace(t, p.dir,
                              arena_fmt(&p.a, ".x/%s/%s", i % 2 ? "new" : "cur",
                                        names[i]), S("a: b\n"),
                              0600));
    check_ok(view_open(t, p.st, S("x"), false, &v));
    check_int(view_count(v), N);
    for (uint32_t i = 0; i < N; i++)
        check_str(maildir_base(view_name_of(v, i + 1)),
                  str_from(names[i]));
    view_close(v);
    place_close(t, &p);
}

/* Sizes in names that are not so: what is told is right, and the file gets
 * another name under the same UID. */
TASK_TEST(foreign_sizes)
{
    static const char *const names[] = {
        "1.a,S=99,W=200:2,S", "2.a,S=9,W=200:2,", "3.a,S=3:2,F",
        "4.a,S=9,W=12:2,", "5.a,W=3:2,", "6.a,S=12,X=1,W=12:2,",
    };
    enum { N = sizeof(names) / sizeof(names[0]) };
    struct place p;
    struct view *v;
    struct message m;
    uint64_t size;

    place_open(t, &p);
    put_box(t, &p, ".x", "cnt");
    for (size_t i = 0; i < N; i++)
        put_mail(t, &p, arena_fmt(&p.a, ".x/cur/%s", names[i]).p);
    check_ok(view_open(t, p.st, S("x"), false, &v));
    for (uint32_t i = 1; i <= N; i++) {
        check_ok(view_size(t, v, i, &size));
        check_int(size, 12);
        check_ok(view_message(t, v, i, &m));
        check_int(m.bytes.n, 9);
        message_close(&m);
        check_int(view_row(v, i)->uid, i);
        check(str_find(view_name_of(v, i), S(",S=9,W=12")) != STR_NONE);
        check_int(view_row(v, i)->flags, i == 1 ? FLAG_SEEN
                                         : i == 3 ? FLAG_FLAGGED : 0);
    }
    view_close(v);
    check_ok(view_open(t, p.st, S("x"), false, &v));
    check_int(view_count(v), N);
    check_int(view_uid_next(v), N + 1);
    view_close(v);
    place_close(t, &p);
}

/* Another session renames a mailbox and makes a new one of the old name: what
 * is meant for the name goes there. */
TASK_TEST(foreign_rename)
{
    struct store_options o = { .host = S("host.test"), .user = S("u@d.test"),
                               .home = S("/nonexistent") };
    struct box_status s;
    struct place p;
    struct store *theirs;
    struct view *inbox, *x;
    struct copied done;
    uint32_t one = 1;
    struct seqs first = { &one, 1 };

    place_open(t, &p);
    o.location = arena_cat(&p.a, S("maildir:"), p.path);
    check_ok(store_open(t, &p.a, &o, &theirs));
    deliver(t, &p, S("a: 1\n\n"));
    check_ok(store_create(t, p.st, S("x")));
    place_append(t, &p, S("x"), S("x: 1\r\n\r\n"), S(""));
    check_ok(view_open(t, p.st, S("INBOX"), false, &inbox));
    check_ok(view_open(t, p.st, S("x"), false, &x));
    check_ok(view_copy(t, inbox, first, S("x"), false, &p.a, &done));

    check_ok(store_rename(t, theirs, S("x"), S("y")));
    check_int(view_copy(t, inbox, first, S("x"), false, &p.a, &done),
              ERR_ABSENT);
    check_int(view_copy(t, x, first, S("x"), false, &p.a, &done),
              ERR_ABSENT);
    check_ok(store_create(t, theirs, S("x")));
    check_ok(view_copy(t, inbox, first, S("x"), false, &p.a, &done));
    check_ok(view_copy(t, x, first, S("x"), false, &p.a, &done));
    place_append(t, &p, S("x"), S("x: 2\r\n\r\n"), S(""));
    check_ok(view_copy(t, x, first, S("x"), true, &p.a, &done));
    check_ok(store_status(t, p.st, S("x"), false, &s));
    check_int(s.messages, 4);
    check_ok(store_status(t, p.st, S("y"), false, &s));
    check_int(s.messages, 1);
    view_close(inbox);
    view_close(x);
    place_close(t, &p);
}
