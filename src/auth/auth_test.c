/* SPDX-License-Identifier: ISC
 *
 * The directory, the sources, and authd's port.
 */
#include "auth/auth.h"
#include "auth/directory.h"
#include "auth/password.h"
#include "auth/source.h"
#include "table/table.h"

#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory of its own for each test, gone afterwards. */
struct place {
    struct arena a;
    char dir[32];
    str db, passwd;
};

static void place_make(struct place *p)
{
    arena_init(&p->a, 0);
    memcpy(p->dir, "/tmp/auth-test-XXXXXX", 22);
    check(mkdtemp(p->dir) != NULL);
    p->db = arena_fmt(&p->a, "%s/users.db", p->dir);
    p->passwd = arena_fmt(&p->a, "%s/passwd", p->dir);
}

static void place_drop(struct place *p)
{
    unlink(arena_cstr(&p->a, p->db));
    unlink(arena_cstr(&p->a, p->passwd));
    rmdir(p->dir);
    arena_reset(&p->a);
}

TASK_TEST(auth_directory)
{
    struct directory *d;
    struct directory_user u;
    struct directory_users users;
    struct directory_aliases aliases;
    struct directory_domains domains;
    struct place p;

    place_make(&p);
    check(directory_open(t, &p.a, p.db, 0, &d) != OK);
    check_ok(directory_open(t, &p.a, p.db, DIRECTORY_CREATE, &d));
    check_ok(directory_domain_add(t, d, S("Example.com"), S("mailbox")));
    check_int(directory_domain_add(t, d, S("example.COM"), S("mailbox")),
              ERR_DENIED);
    check_int(directory_domain_add(t, d, S("a b"), S("mailbox")),
              ERR_SYNTAX);
    check_int(directory_domain_add(t, d, S("b.c"), S("x")), ERR_SYNTAX);
    check_ok(directory_user_add(t, d, S("Joe@example.com"), S("{PLAIN}x"),
                                1000));
    check_int(directory_user_add(t, d, S("joe@Example.com"), S("y"), 0),
              ERR_DENIED);
    check_int(directory_user_add(t, d, S("joe@other.org"), S("y"), 0),
              ERR_ABSENT);
    check_int(directory_user_add(t, d, S("../x@example.com"), S("y"), 0),
              ERR_SYNTAX);
    check_int(directory_user_add(t, d, S("joe"), S("y"), 0), ERR_SYNTAX);
    check_ok(directory_user_find(t, d, S("JOE@example.com"), &p.a, &u));
    check_str(u.name, S("joe"));
    check_int(u.quota, 1000);
    check(u.active && u.created > 0);
    check_ok(directory_user_password(t, d, S("joe@example.com"), S("z'\"")));
    check_ok(directory_user_active(t, d, S("joe@example.com"), false));
    check_ok(directory_user_quota(t, d, S("joe@example.com"), 5));
    check_ok(directory_user_list(t, d, S(""), &p.a, &users));
    check_int(users.n, 1);
    check_str(users.p[0].password, S("z'\""));
    check(!users.p[0].active && users.p[0].quota == 5);
    check_ok(directory_user_list(t, d, S("no.org"), &p.a, &users));
    check_int(users.n, 0);
    check_int(directory_domain_delete(t, d, S("example.com")), ERR_DENIED);
    check_ok(directory_alias_add(t, d, S("a@example.com"), S("b@c")));
    check_ok(directory_alias_add(t, d, S("@example.com"), S("b@c")));
    check_int(directory_alias_add(t, d, S("a@example.com"), S("b@c")),
              ERR_DENIED);
    check_int(directory_alias_add(t, d, S("a@example.com"), S("b c")),
              ERR_SYNTAX);
    check_ok(directory_alias_list(t, d, &p.a, &aliases));
    check_int(aliases.n, 2);
    check_ok(directory_alias_delete(t, d, S("a@example.com"), S("")));
    check_int(directory_alias_delete(t, d, S("a@example.com"), S("")),
              ERR_ABSENT);
    check_ok(directory_user_delete(t, d, S("joe@example.com")));
    check_int(directory_user_delete(t, d, S("joe@example.com")), ERR_ABSENT);
    check_ok(directory_domain_list(t, d, &p.a, &domains));
    check_str(domains.p[0].name, S("example.com"));
    check_ok(directory_domain_delete(t, d, S("example.com")));
    place_drop(&p);
}

TEST(auth_passwd_line)
{
    struct auth_account acc;
    struct arena a;

    arena_init(&a, 0);
    check(passwd_line(S("joe:{PLAIN}x:1000:1001:Joe:/home/joe:/bin/sh:"
                        "userdb_mail=maildir:~/M userdb_quota_bytes=77"),
                      &a, &acc));
    check_str(acc.user.name, S("joe"));
    check_str(acc.stored, S("{PLAIN}x"));
    check(acc.user.has_ids && acc.user.uid == 1000 && acc.user.gid == 1001);
    check_str(acc.user.home, S("/home/joe"));
    check_str(acc.user.mailbox, S("maildir:~/M"));
    check_int(acc.user.quota, 77);
    check(passwd_line(S("joe"), &a, &acc));
    check(!acc.user.has_ids && acc.active);
    check(passwd_line(S("joe:x:::::: nologin"), &a, &acc));
    check(!acc.active);
    check(!passwd_line(S("# joe:x"), &a, &acc));
    check(!passwd_line(S(""), &a, &acc));
    arena_reset(&a);
}

/* Fills both kinds of sources and opens them. */
static struct auth *open_both(struct task *t, struct place *p)
{
    struct auth_settings set = { .realm = S("example.com") };
    struct directory *d;
    struct auth *au = NULL;

    check_ok(directory_open(t, &p->a, p->db, DIRECTORY_CREATE, &d));
    check_ok(directory_domain_add(t, d, S("example.com"), S("mailbox")));
    check_ok(directory_user_add(t, d, S("joe@example.com"),
                                S("{PLAIN}secret"), 9));
    check_ok(directory_user_add(t, d, S("off@example.com"),
                                S("{PLAIN}secret"), 0));
    check_ok(directory_user_active(t, d, S("off@example.com"), false));
    check_ok(file_replace(t, NULL, p->passwd,
                          S("ann:{PLAIN}annpw:5:6::/home/ann::\n"
                            "bad:{WHAT}x::::::\nnone:::::::\n"), 0600));
    set.sources = arena_fmt(&p->a, "sqlite:%.*s, passwd-file:%.*s",
                            STR(p->db), STR(p->passwd));
    check_ok(auth_open(t, &p->a, &set, &au));
    return au;
}

static err try_login(struct task *t, struct auth *au, const char *user,
                     const char *secret, struct auth_user *out)
{
    static struct arena a;
    struct auth_question q = { S("smtp"), S("192.0.2.1"), str_from(user),
                               str_from(secret) };
    err e;

    arena_init(&a, 0);
    e = auth_check(t, au, &q, after_s(t, 20), &a, out);
    if (!e)
        e = str_empty(out->name) ? ERR_CORRUPT : OK;
    arena_reset(&a);
    return e;
}

static void try_all(struct task *t, struct auth *au)
{
    struct auth_user u;
    struct arena a;
    struct auth_question q = { S("imap"), S(""), S("ANN@nowhere"), S("") };

    check_ok(try_login(t, au, "joe@example.com", "secret", &u));
    check_int(u.quota, 9);
    check_ok(try_login(t, au, "joe", "secret", &u));
    check_ok(try_login(t, au, "ann", "annpw", &u));
    check(u.has_ids && u.uid == 5);
    check_ok(try_login(t, au, "ann@example.com", "annpw", &u));
    check_int(try_login(t, au, "joe", "Secret", &u), ERR_DENIED);
    check_int(try_login(t, au, "joe", "", &u), ERR_DENIED);
    check_int(try_login(t, au, "off", "secret", &u), ERR_DENIED);
    check_int(try_login(t, au, "bad", "x", &u), ERR_DENIED);
    check_int(try_login(t, au, "none", "", &u), ERR_DENIED);
    check_int(try_login(t, au, "nobody", "x", &u), ERR_DENIED);
    check_int(try_login(t, au, "a\nb", "x", &u), ERR_DENIED);
    arena_init(&a, 0);
    check_int(auth_find(t, au, &q, after_s(t, 5), &a, &u), ERR_ABSENT);
    q.user = S("joe@example.com");
    check_ok(auth_find(t, au, &q, after_s(t, 5), &a, &u));
    check_str(u.name, S("joe@example.com"));
    arena_reset(&a);
}

TASK_TEST(auth_sources)
{
    struct auth_settings set = { .sources = S("nosuch:/x") };
    struct auth *au;
    struct place p;

    place_make(&p);
    check_int(auth_open(t, &p.a, &set, &au), ERR_SYNTAX);
    set.sources = S("sqlite:");
    check_int(auth_open(t, &p.a, &set, &au), ERR_SYNTAX);
    try_all(t, open_both(t, &p));
    place_drop(&p);
}

/* Names fold by auth_username_format, in a passwd-file as well. */
TASK_TEST(auth_username_format)
{
    static const struct { const char *format, *user; err want; } cases[] = {
        { "%Lu", "JOE@X", OK }, { "%u", "JOE@X", ERR_DENIED },
        { "", "JOE@X", ERR_DENIED }, { "%Ln@x", "JOE@elsewhere", OK },
        { "%n@%Ld", "joe@X", OK }, { "%n", "joe@x", ERR_DENIED },
        { "%Lu", "joe@x", OK },
    };
    struct auth_settings set = { 0 };
    struct auth_user u;
    struct auth *au;
    struct place p;

    place_make(&p);
    set.sources = arena_fmt(&p.a, "passwd-file:%.*s", STR(p.passwd));
    check_ok(file_replace(t, NULL, p.passwd, S("joe@x:{PLAIN}x\n"), 0600));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        set.format = str_from(cases[i].format);
        check_ok(auth_open(t, &p.a, &set, &au));
        check_int(try_login(t, au, cases[i].user, "x", &u), cases[i].want);
    }
    set.format = S("%x");
    check_int(auth_open(t, &p.a, &set, &au), ERR_SYNTAX);
    set.format = S("%L");
    check_int(auth_open(t, &p.a, &set, &au), ERR_SYNTAX);
    place_drop(&p);
}

/* Who is not there costs what those cost who are: with a scheme that costs
 * nothing, the refusal is there at once. */
TASK_TEST(auth_decoy)
{
    struct auth_settings set = { 0 };
    struct auth_user u;
    struct auth *au;
    struct place p;
    when begun;
    int64_t cheap, dear;

    place_make(&p);
    set.sources = arena_fmt(&p.a, "passwd-file:%.*s", STR(p.passwd));
    check_ok(auth_open(t, &p.a, &set, &au));
    check_ok(file_replace(t, NULL, p.passwd, S("joe:{PLAIN}x\n"), 0600));
    begun = rt_now(t);
    for (int i = 0; i < 30; i++)
        check_int(try_login(t, au, "nobody", "x", &u), ERR_DENIED);
    cheap = rt_now(t) - begun;
    check_ok(file_replace(t, NULL, p.passwd, S(
        "joe:{CRYPT}$6$rounds=60000$abcdefgh$lvCFKBBMjL0hpDe0ACP0sJZbEXJL5zw"
        "dNPKUMaVqQnGnNX4ekmgQ4q3cGZHWnh2ZKTPGuL0ESxNyeMhVvxFJs1\n"), 0600));
    begun = rt_now(t);
    for (int i = 0; i < 30; i++)
        check_int(try_login(t, au, "nobody", "x", &u), ERR_DENIED);
    dear = rt_now(t) - begun;
    check(dear > 5 * cheap);
    place_drop(&p);
}

TASK_TEST(auth_source_missing)
{
    struct auth_settings set = { 0 };
    struct auth_user u;
    struct auth *au;
    struct place p;

    place_make(&p);
    set.sources = arena_fmt(&p.a, "passwd-file:%.*s", STR(p.passwd));
    check_ok(auth_open(t, &p.a, &set, &au));
    check_int(try_login(t, au, "joe", "x", &u), ERR_IO);
    place_drop(&p);
}

struct serving {
    struct auth *au;
    struct port *port;
    struct calls *calls;
};

static err serve(struct task *t, void *arg)
{
    struct serving *s = arg;

    return auth_serve(t, &s->au, S(""), s->port);
}

TASK_TEST(auth_port)
{
    struct serving server = { 0 }, client = { 0 };
    struct sock *a, *b;
    struct task_group g;
    struct place p;
    int fd;

    place_make(&p);
    server.au = open_both(t, &p);
    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    check_ok(port_open(t, a, &server.port));
    check_ok(port_open(t, b, &client.port));
    client.calls = calls_new(&p.a);
    group_open(t, &g);
    group_go(&g, "server", serve, &server);
    calls_serve(&g, client.calls, client.port);
    try_all(t, auth_remote(&p.a, client.calls));
    group_close(t, &g);
    port_close(server.port);
    place_drop(&p);
}

/* Asks a sqlite: table over the directory. */
static str asked(struct task *t, struct tables *ts, struct place *p,
                 const char *query, const char *key)
{
    str cf = arena_fmt(&p->a, "%s/view.cf", p->dir), value = S("");
    str text = arena_fmt(&p->a, "dbpath = %.*s\nquery = %s\n", STR(p->db),
                         query);
    struct table *tb;
    err e;

    check_ok(file_replace(t, NULL, cf, text, 0600));
    check_ok(tables_get(t, ts, arena_fmt(&p->a, "sqlite:%.*s", STR(cf)),
                        &tb));
    e = table_find(t, tb, str_from(key), &p->a, &value);
    unlink(arena_cstr(&p->a, cf));
    return e == OK ? value : e == ERR_ABSENT ? S("-")
                                             : str_from(task_why(t));
}

TASK_TEST(auth_directory_views)
{
    static const struct { const char *query, *key, *want; } cases[] = {
        { "SELECT name FROM virtual_domain WHERE name = '%s'",
          "example.com", "example.com" },
        { "SELECT name FROM alias_domain WHERE name = '%s'", "va.org",
          "va.org" },
        { "SELECT name FROM relay_domain WHERE name = '%s'", "va.org", "-" },
        { "SELECT path FROM virtual_mailbox WHERE address = '%s'",
          "Joe@example.com", "example.com/joe/" },
        { "SELECT targets FROM virtual_alias WHERE address = '%s'",
          "a@va.org", "b@x, c@x" },
    };
    struct conf_source src = { .dir = S("/nonexistent") };
    struct conf_findings findings = { { 0 } };
    struct directory *d;
    struct conf *c;
    struct place p;

    place_make(&p);
    check_ok(directory_open(t, &p.a, p.db, DIRECTORY_CREATE, &d));
    check_ok(directory_domain_add(t, d, S("example.com"), S("mailbox")));
    check_ok(directory_domain_add(t, d, S("va.org"), S("alias")));
    check_int(directory_user_add(t, d, S("joe@va.org"), S("x"), 0),
              ERR_DENIED);
    check_ok(directory_user_add(t, d, S("joe@example.com"), S("x"), 0));
    check_ok(directory_alias_add(t, d, S("a@va.org"), S("c@x")));
    check_ok(directory_alias_add(t, d, S("a@va.org"), S("b@x")));
    check_ok(conf_read(&p.a, &src, &findings, &c));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_str(asked(t, tables_new(&p.a, c, table_opener_files()), &p,
                        cases[i].query, cases[i].key),
                  str_from(cases[i].want));
    place_drop(&p);
}
