/* SPDX-License-Identifier: ISC
 *
 * Password files as sources: found by the index, whatever happens to the file.
 */
#include "auth/source.h"

#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    struct arena a;
    char dir[40];
    str path;
    void *source;
};

static void place_make(struct task *t, struct place *p)
{
    arena_init(&p->a, 0);
    memcpy(p->dir, "/tmp/passwd-file-test-XXXXXX", 29);
    check(mkdtemp(p->dir) != NULL);
    p->path = arena_fmt(&p->a, "%s/passwd", p->dir);
    check_ok(source_passwd_file.open(t, &p->a, p->path, &p->source));
}

static void place_drop(struct place *p)
{
    unlink(arena_cstr(&p->a, p->path));
    rmdir(p->dir);
    arena_reset(&p->a);
}

static void put(struct task *t, struct place *p, str text)
{
    check_ok(file_replace(t, NULL, p->path, text, 0600));
}

/* Whether the user's stored password is this; "" for no such user. */
static bool is(struct task *t, struct place *p, const char *name,
               const char *stored)
{
    struct auth_account account;
    err e = source_passwd_file.find(t, p->source, str_from(name), &p->a,
                                    &account);

    if (e)
        return e == ERR_ABSENT && *stored == 0;
    return str_eq(account.stored, str_from(stored));
}

TASK_TEST(passwd_file_found)
{
    struct place p;

    place_make(t, &p);
    put(t, &p, S("# joe:no\n\n:x\njoe:one:::::\r\njo:two\nann@x.y:three:1:2\n"
                 "joe:again\nlast:four"));
    check(is(t, &p, "joe", "one"));     /* the first of two */
    check(is(t, &p, "jo", "two"));
    check(is(t, &p, "ann@x.y", "three"));
    check(is(t, &p, "last", "four"));   /* without a line's end */
    check(is(t, &p, "# joe", ""));
    check(is(t, &p, "j", ""));
    check(is(t, &p, "", ""));
    check(is(t, &p, "joe:one", ""));
    check(is(t, &p, "x\njo", ""));
    put(t, &p, S(""));
    check(is(t, &p, "joe", ""));
    place_drop(&p);
}

/* I2: replaced, appended to, overwritten with as many bytes, cut, gone. */
TASK_TEST(passwd_file_changed)
{
    struct auth_account account;
    struct file *f;
    struct place p;

    place_make(t, &p);
    put(t, &p, S("joe:one\nann:two\n"));
    check(is(t, &p, "joe", "one"));
    put(t, &p, S("ann:two\nmax:new\njoe:other\n"));
    check(is(t, &p, "joe", "other"));
    check(is(t, &p, "max", "new"));
    check_ok(file_open(t, NULL, p.path, FILE_WRITE, 0, &f));
    check_ok(file_append(t, f, S("eva:last\n")));
    check(is(t, &p, "eva", "last"));
    check_ok(file_write(t, f, 0, S("bob:TWO\n")));
    check(is(t, &p, "bob", "TWO"));
    check(is(t, &p, "ann", ""));
    check_ok(file_size_set(t, f, 8));
    file_close(f);
    check(is(t, &p, "bob", "TWO"));
    check(is(t, &p, "eva", ""));
    unlink(arena_cstr(&p.a, p.path));
    check_int(source_passwd_file.find(t, p.source, S("bob"), &p.a, &account),
              ERR_IO);
    place_drop(&p);
}

/* Lines over the pieces' edges, one that is none of ours, many users. */
TASK_TEST(passwd_file_large)
{
    enum { USERS = 40000, LONG = 300000 };
    struct sample some;
    struct buf b;
    struct place p;

    place_make(t, &p);
    buf_init(&b, &p.a, 64 << 20);
    for (int i = 0; i < USERS; i++) {
        buf_fmt(&b, "user%d:{PLAIN}pw%d:%d:100::/home/%d\n", i, i, i, i);
        if (i == USERS / 2)
            for (int k = 0; k < LONG; k++)
                buf_byte(&b, k == 4 ? ':' : k == LONG - 1 ? '\n' : 'l');
    }
    put(t, &p, buf_str(&b));
    for (int i = 0; i < USERS; i += 997)
        check(is(t, &p, arena_cstr(&p.a, arena_fmt(&p.a, "user%d", i)),
                 arena_cstr(&p.a, arena_fmt(&p.a, "{PLAIN}pw%d", i))));
    check(is(t, &p, "user39999", "{PLAIN}pw39999"));
    check(is(t, &p, "llll", ""));
    source_passwd_file.sample(t, p.source, &p.a, &some);
    check_int(some.n, SAMPLE_MAX);
    check(str_starts(some.of[0], S("{PLAIN}pw")));
    place_drop(&p);
}

struct asking {
    struct place *p;
    bool good;
};

static err ask(struct task *t, void *arg)
{
    struct asking *x = arg;

    x->good = is(t, x->p, "joe", "one") && is(t, x->p, "no", "");
    return OK;
}

/* Who asks while the index is made waits for it. */
TASK_TEST(passwd_file_together)
{
    struct asking x[20];
    struct task_group g;
    struct place p;

    place_make(t, &p);
    put(t, &p, S("joe:one\n"));
    group_open(t, &g);
    for (int i = 0; i < 20; i++) {
        x[i] = (struct asking){ &p, false };
        group_go(&g, "asking", ask, &x[i]);
    }
    check_ok(group_wait_below(t, &g, 1, after_s(t, 60)));
    group_close(t, &g);
    for (int i = 0; i < 20; i++)
        check(x[i].good);
    place_drop(&p);
}
