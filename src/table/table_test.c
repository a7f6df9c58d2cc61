/* SPDX-License-Identifier: ISC
 *
 * Tables opened by path and from data, kept and changed, written and
 * searched.
 */
#include "table/kind.h"
#include "test/unit/check.h"

/* A scratch directory, tables over files, and what they complained of. */
struct bench {
    struct arena arena;
    str dir;
    struct table_env env;
    struct tables *tables;
    int n_warnings;
};

static void count_warning(void *self, str text)
{
    struct bench *b = self;

    (void)text;
    b->n_warnings++;
}

static void bench_open(struct task *t, struct bench *b)
{
    uint64_t token;

    *b = (struct bench){ 0 };
    arena_init(&b->arena, 0);
    rt_random(t, &token, sizeof(token));
    b->dir = arena_fmt(&b->arena, "/tmp/veredus-table-%016" PRIx64, token);
    check_ok(dir_make(t, NULL, b->dir, 0700));
    b->env = (struct table_env){ .opener = table_opener_files(),
                                 .warn = count_warning, .warn_self = b };
    b->tables = tables_new_env(&b->arena, &b->env);
}

static void bench_close(struct task *t, struct bench *b)
{
    struct names names;
    struct dir *d;

    check_ok(dir_open(t, NULL, b->dir, &d));
    check_ok(dir_list(t, d, &b->arena, &names));
    for (size_t i = 0; i < names.n; i++)
        check_ok(file_unlink(t, d, names.p[i]));
    dir_close(d);
    check_ok(dir_remove(t, NULL, b->dir));
    arena_reset(&b->arena);
}

static str path(struct bench *b, const char *name)
{
    return arena_fmt(&b->arena, "%.*s/%s", STR(b->dir), name);
}

static str spec(struct bench *b, const char *type, const char *name)
{
    return arena_fmt(&b->arena, "%s:%.*s/%s", type, STR(b->dir), name);
}

static void put_file(struct task *t, struct bench *b, const char *name,
                     str text)
{
    check_ok(file_replace(t, NULL, path(b, name), text, 0600));
}

/* The answer, "-" for none, "!" for a failure. */
static str ask_table(struct task *t, struct bench *b, struct table *tb,
                     const char *key)
{
    str value;
    err e = table_find(t, tb, str_from(key), &b->arena, &value);

    return e == OK ? value : e == ERR_ABSENT ? S("-") : S("!");
}

static str ask(struct task *t, struct bench *b, str table, const char *key)
{
    struct table *tb;

    if (tables_get(t, b->tables, table, &tb))
        return S("?");
    return ask_table(t, b, tb, key);
}

TASK_TEST(table_words)
{
    struct bench b;

    bench_open(t, &b);
    check_str(ask(t, &b, S("static:x y"), "k"), S("x y"));
    check_str(ask(t, &b, S("static:{ x y }"), "k"), S("x y"));
    check_str(ask(t, &b, S("inline:{a=b, {c = d e}}"), "C"), S("d e"));
    check_str(ask(t, &b, S("inline:{a}"), "a"), S("?"));
    check_str(ask(t, &b, S("inline:{}"), "a"), S("?"));
    check_str(ask(t, &b, S("fail:x"), "a"), S("!"));
    check_str(ask(t, &b, S("randmap:{x}"), "a"), S("x"));
    check_str(ask(t, &b, S("randmap:{}"), "a"), S("?"));
    check_str(ask(t, &b, S("pipemap:{static:b,inline:{b=c}}"), "a"), S("c"));
    check_str(ask(t, &b, S("unionmap:{static:b,inline:{a=c}}"), "a"),
              S("b,c"));
    check_str(ask(t, &b, S("unionmap:{static:b,fail:c}"), "a"), S("!"));
    check_str(ask(t, &b, S("pipemap:{static}"), "a"), S("?"));
    check_str(ask(t, &b, S("proxy:static:x"), "a"), S("x"));
    check_str(ask(t, &b, S("nosuch:x"), "a"), S("?"));
    check_str(ask(t, &b, S("static:"), "a"), S("?"));
    check_str(ask(t, &b, S("unix:passwd.byname"), "no such user"), S("-"));
    check(str_starts(ask(t, &b, S("unix:passwd.byname"), "root"),
                     S("root:")));
    check(str_starts(ask(t, &b, S("unix:group.byname"), "root"),
                     S("root:")));
    check_str(ask(t, &b, S("static:x"), "\xff"), S("-"));
    check_int(b.n_warnings, 1);
    check_str(ask(t, &b, S("static:\xff"), "x"), S("!"));
    bench_close(t, &b);
}

TASK_TEST(table_texts)
{
    struct bench b;

    bench_open(t, &b);
    put_file(t, &b, "t", S("A b\nc\nd: e\na again\n\"q r\" s\n"));
    check_str(ask(t, &b, spec(&b, "texthash", "t"), "a"), S("b"));
    check_str(ask(t, &b, spec(&b, "texthash", "t"), "\"q r\""), S("s"));
    check_int(b.n_warnings, 3);
    put_file(t, &b, "r", S("/^a/ x\n"));
    check_str(ask(t, &b, spec(&b, "regexp", "r"), "abc"), S("x"));
    check_str(ask(t, &b, spec(&b, "pcre", "r"), "bc"), S("-"));
    check_str(ask(t, &b, S("cidr:{{1.0.0.0/8 x}}"), "1.2.3.4"), S("x"));
    check_str(ask(t, &b, S("pcre:{{/(.)b/ $1}}"), "ab"), S("a"));
    check_str(ask(t, &b, S("pcre:{/a/ x}"), "ab"), S("?"));
    bench_close(t, &b);
}

static void write_one(struct task *t, struct bench *b, str table,
                      enum table_write how, const char *key,
                      const char *value, err want)
{
    struct table_writer *w;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = table_writer_open(t, &a, &b->env, table, 0, how, 0640, &w);
    if (!e && value)
        e = table_writer_put(t, w, str_from(key), str_from(value));
    else if (!e)
        e = table_writer_delete(t, w, str_from(key));
    if (!e)
        e = table_writer_commit(t, w);
    check_int(e, want);
    arena_reset(&a);
}

static str ask_fresh(struct task *t, struct bench *b, str table,
                     const char *key)
{
    struct table *tb;

    if (b->env.opener.open(t, NULL, &b->arena, &b->env, table, 0, &tb))
        return S("?");
    return ask_table(t, b, tb, key);
}

TASK_TEST(table_indexed)
{
    static const char *const types[] = { "hash", "btree", "dbm", "cdb",
                                         "lmdb" };
    struct bench b;

    bench_open(t, &b);
    for (int i = 0; i < 5; i++) {
        str s = spec(&b, types[i], types[i]);
        check_str(ask_fresh(t, &b, s, "k"), S("?"));
        write_one(t, &b, s, TABLE_WRITE_DELETE, "k", NULL, ERR_ABSENT);
        write_one(t, &b, s, TABLE_WRITE_NEW, "Key", "v", OK);
        check_str(ask_fresh(t, &b, s, "kEY"), S("v"));
        write_one(t, &b, s, TABLE_WRITE_UPDATE, "key", "x", ERR_DENIED);
        write_one(t, &b, s, TABLE_WRITE_UPDATE, "two", "2", OK);
        check_str(ask_fresh(t, &b, s, "key"), S("v"));
        check_str(ask_fresh(t, &b, s, "two"), S("2"));
        write_one(t, &b, s, TABLE_WRITE_DELETE, "none", NULL, ERR_ABSENT);
        write_one(t, &b, s, TABLE_WRITE_DELETE, "KEY", NULL, OK);
        check_str(ask_fresh(t, &b, s, "key"), S("-"));
        check_str(ask_fresh(t, &b, s, "two"), S("2"));
        write_one(t, &b, s, TABLE_WRITE_NEW, "three", "3", OK);
        check_str(ask_fresh(t, &b, s, "two"), S("-"));
    }
    write_one(t, &b, S("texthash:/x"), TABLE_WRITE_NEW, "a", "b",
              ERR_DENIED);
    bench_close(t, &b);
}

TASK_TEST(table_walks)
{
    static const char *const types[] = { "hash", "lmdb" };
    struct bench b;

    bench_open(t, &b);
    for (int i = 0; i < 2; i++) {
        struct table_writer *w;
        struct table *tb;
        uint64_t cursor = 0;
        str key = { 0 }, value;
        int n = 0;

        str s = spec(&b, types[i], "t");
        check_ok(table_writer_open(t, &b.arena, &b.env, s, 0,
                                   TABLE_WRITE_NEW, 0600, &w));
        for (int j = 100; j < 1100; j++)
            check_ok(table_writer_put(t, w, arena_fmt(&b.arena, "%04d", j),
                                      S("a value that takes some room")));
        check_ok(table_writer_commit(t, w));
        check_ok(b.env.opener.open(t, NULL, &b.arena, &b.env, s, 0, &tb));
        while (table_walk(t, tb, &cursor, &b.arena, &key, &value) == OK)
            check_str(key, arena_fmt(&b.arena, "%04d", 100 + n++));
        check_int(n, 1000);
    }
    bench_close(t, &b);
}

TASK_TEST(table_damaged)
{
    struct bench b;
    char berkeley[4096] = { 0 };

    bench_open(t, &b);
    memcpy(berkeley + 12, "\x61\x15\x06\x00", 4);
    put_file(t, &b, "b.db", str_of(berkeley, sizeof(berkeley)));
    check_str(ask_fresh(t, &b, spec(&b, "hash", "b"), "x"), S("?"));
    check(strstr(task_why(t), "Berkeley DB"));
    put_file(t, &b, "e.db", S(""));
    check_str(ask_fresh(t, &b, spec(&b, "hash", "e"), "x"), S("?"));
    put_file(t, &b, "e.lmdb", S(""));
    check_str(ask_fresh(t, &b, spec(&b, "lmdb", "e"), "x"), S("?"));
    put_file(t, &b, "g.lmdb", str_of(berkeley, sizeof(berkeley)));
    check_str(ask_fresh(t, &b, spec(&b, "lmdb", "g"), "x"), S("?"));
    bench_close(t, &b);
}

TASK_TEST(table_older)
{
    struct bench b;
    struct file *f;

    bench_open(t, &b);
    put_file(t, &b, "t", S("a b\n"));
    write_one(t, &b, spec(&b, "hash", "t"), TABLE_WRITE_NEW, "a", "b", OK);
    check_str(ask_fresh(t, &b, spec(&b, "hash", "t"), "a"), S("b"));
    check_int(b.n_warnings, 0);
    check_ok(file_open(t, NULL, path(&b, "t"), FILE_READ | FILE_WRITE, 0,
                       &f));
    check_ok(file_times_set(t, f, rt_wall(t) - 200 * INT64_C(1000000)));
    file_close(f);
    check_ok(file_open(t, NULL, path(&b, "t.db"), FILE_READ | FILE_WRITE, 0,
                       &f));
    check_ok(file_times_set(t, f, rt_wall(t) - 300 * INT64_C(1000000)));
    file_close(f);
    check_str(ask_fresh(t, &b, spec(&b, "hash", "t"), "a"), S("b"));
    check_int(b.n_warnings, 1);
    bench_close(t, &b);
}

/* A kept table sees a new file within about a second, keeps the old contents
 * when the new ones are no good, and may be there before its file. */
TASK_TEST(table_kept)
{
    struct bench b;
    struct table *tb;

    bench_open(t, &b);
    check_ok(tables_get(t, b.tables, spec(&b, "hash", "k"), &tb));
    check_str(ask_table(t, &b, tb, "a"), S("!"));
    write_one(t, &b, spec(&b, "hash", "k"), TABLE_WRITE_NEW, "a", "1", OK);
    check_ok(task_sleep(t, after_ms(t, 1050)));
    check_str(ask_table(t, &b, tb, "a"), S("1"));
    write_one(t, &b, spec(&b, "hash", "k"), TABLE_WRITE_NEW, "a", "2", OK);
    check_str(ask_table(t, &b, tb, "a"), S("1"));
    check_ok(task_sleep(t, after_ms(t, 1050)));
    check_str(ask_table(t, &b, tb, "a"), S("2"));
    write_one(t, &b, spec(&b, "hash", "k"), TABLE_WRITE_NEW, "a", "3", OK);
    tables_stale(b.tables, S("hash:/other"));
    check_str(ask_table(t, &b, tb, "a"), S("2"));
    tables_stale(b.tables, spec(&b, "hash", "k"));
    check_str(ask_table(t, &b, tb, "a"), S("3"));
    put_file(t, &b, "k.db", S("rubbish"));
    check_ok(task_sleep(t, after_ms(t, 1050)));
    check_str(ask_table(t, &b, tb, "a"), S("3"));
    bench_close(t, &b);
}

TASK_TEST(table_from_data)
{
    struct table_data data = { 0 };
    enum table_need need;
    struct table *tb;
    struct bench b;
    str p;

    bench_open(t, &b);
    write_one(t, &b, spec(&b, "hash", "d"), TABLE_WRITE_NEW, "a", "1", OK);
    check_ok(table_need_of(t, spec(&b, "hash", "d"), &b.arena, &need, &p));
    check_int(need, NEED_FILE);
    check_str(p, path(&b, "d.db"));
    check_ok(file_open(t, NULL, p, FILE_READ, 0, &data.file));
    check_ok(table_open_data(t, &b.arena, &b.env, spec(&b, "hash", "d"), 0,
                             &data, &tb));
    check_str(ask_table(t, &b, tb, "a"), S("1"));

    check_ok(table_need_of(t, S("pcre:/p"), &b.arena, &need, &p));
    check_int(need, NEED_TEXT);
    check_str(p, S("/p"));
    data = (struct table_data){ .text = S("/x/ y\n"), .path = p };
    check_ok(table_open_data(t, &b.arena, &b.env, S("pcre:/p"), 0, &data,
                             &tb));
    check_str(ask_table(t, &b, tb, "axe"), S("y"));
    check_ok(table_need_of(t, S("pcre:{{/x/ y}}"), &b.arena, &need, &p));
    check_int(need, NEED_NOTHING);
    check_ok(table_need_of(t, S("sqlite:/x"), &b.arena, &need, &p));
    check_int(need, NEED_PROXY);
    check_int(table_need_of(t, S("what:/x"), &b.arena, &need, &p),
              ERR_DENIED);
    bench_close(t, &b);
}

static str find_address(struct task *t, struct bench *b, const char *specs,
                        const char *address, int flags, str *extension)
{
    struct maps m;
    str value;

    *extension = S("?");
    check_ok(maps_open(t, b->tables, &b->arena, S("m"), str_from(specs),
                       &m));
    if (maps_find_address(t, &m, str_from(address), S("+"), flags, &b->arena,
                          &value, extension))
        return S("-");
    return value;
}

TASK_TEST(table_maps_address)
{
    const int canonical = MAPS_FULL | MAPS_USER | MAPS_AT_DOMAIN;
    const int access = MAPS_FULL | MAPS_DOMAIN | MAPS_PARENT_DOMAINS
                     | MAPS_USER_AT;
    struct bench b;
    str ext;

#define check_find(specs, address, flags, want, want_ext)                     \
    do {                                                                      \
        check_str(find_address(t, &b, specs, address, flags, &ext), S(want)); \
        check_str(ext, S(want_ext));                                          \
    } while (0)
    bench_open(t, &b);
    check_find("inline:{u+x@d=1, u@d=2}", "u+x@d", canonical, "1", "");
    check_find("inline:{u@d=2, u+x=3}", "u+x@d", canonical, "2", "+x");
    check_find("inline:{u+x=3, u=4, @d=5}", "u+x@d", canonical, "3", "");
    check_find("inline:{u=4, @d=5}", "u+x@d", canonical, "4", "+x");
    check_find("inline:{@d=5}", "u+x@d", canonical, "5", "");
    check_find("inline:{u=4}", "u+x", canonical, "4", "+x");
    check_find("inline:{u=4}", "u@d", MAPS_FULL, "-", "?");
    check_find("inline:{b.c=1, u@=2}", "u@a.b.c", access, "1", "");
    check_find("inline:{.b.c=1, u@=2}", "u+x@a.b.c", access, "2", "+x");
    check_find("inline:{.b.c=1}", "u@a.b.c", MAPS_FULL | MAPS_DOT_PARENTS,
               "1", "");
    check_find("pcre:{{/^u@/ p}}, inline:{u@d=i}", "u+x@d", canonical, "i",
               "+x");
    check_find("inline:{postmaster=1}", "postmaster+x@d", canonical, "1",
               "+x");
    check_find("inline:{{\"a b\"@d=1}, {c,d@d=2}}", "a b@d", canonical, "1",
               "");
    check_find("inline:{{\"a b\"@d=1}, {c,d@d=2}}", "c,d+x@d", canonical, "2",
               "+x");
    check_find("inline:{{c,d=1}, {\"c,d\"=2}}", "c,d@d", canonical, "2", "");
    check_find("inline:{{c,d+x@d=1}, {\"c,d\"=2}, {@d=3}}", "c,d+x@d",
               canonical, "1", "");
    check_find("inline:{{c,d+x@d=1}, {\"c,d\"=2}, {@d=3}}", "c,d+x@d",
               canonical | MAPS_SHOWN_FIRST, "2", "+x");
    check_find("inline:{{c,d@d=1}, {@e=3}}", "c,d+x@d",
               canonical | MAPS_SHOWN_FIRST, "1", "+x");
    check_find("fail:x inline:{u=1}", "u@d", canonical, "-", "?");
    bench_close(t, &b);
}

TASK_TEST(table_maps_networks)
{
    struct bench b;
    struct maps m;
    str v;

    bench_open(t, &b);
    check_ok(maps_open(t, b.tables, &b.arena, S("m"),
                       S("inline:{192.0=a, 2001:db8=b, 10.1.2.3=c}"), &m));
    check_ok(maps_find_ip(t, &m, S("192.0.2.1"), &b.arena, &v));
    check_str(v, S("a"));
    check_ok(maps_find_ip(t, &m, S("2001:db8::7:1"), &b.arena, &v));
    check_str(v, S("b"));
    check_int(maps_find_ip(t, &m, S("10.1.2.4"), &b.arena, &v), ERR_ABSENT);
    check_ok(maps_open(t, b.tables, &b.arena, S("m"),
                       S("inline:{b.c=1, .x.y=2, z=3}"), &m));
    check_ok(maps_find_domain(t, &m, S("A.b.c"), MAPS_PARENT_DOMAINS,
                              &b.arena, &v));
    check_str(v, S("1"));
    check_ok(maps_find_domain(t, &m, S("a.x.y"), MAPS_DOT_PARENTS, &b.arena,
                              &v));
    check_str(v, S("2"));
    check_int(maps_find_domain(t, &m, S("a.b.c"), 0, &b.arena, &v),
              ERR_ABSENT);
    bench_close(t, &b);
}

static int match(struct task *t, struct bench *b, const char *text,
                 enum match_kind kind, bool parents, const char *name,
                 const char *address)
{
    struct match_list *l;

    if (match_list_open(t, b->tables, &b->arena, S("list"), str_from(text),
                        kind, parents, &l))
        return -1;
    return (int)match_list_find(t, l, str_from(name), str_from(address));
}

TASK_TEST(table_match_names)
{
    struct bench b;

    bench_open(t, &b);
    put_file(t, &b, "f", S("# c\nx.y, Z\n !q\n"));
    put_file(t, &b, "n", path(&b, "f"));
    check_int(match(t, &b, "a, B", MATCH_DOMAIN, true, "b", ""), OK);
    check_int(match(t, &b, "a, b", MATCH_DOMAIN, true, "x.B", ""), OK);
    check_int(match(t, &b, "a b", MATCH_DOMAIN, true, "xb", ""), ERR_ABSENT);
    check_int(match(t, &b, "a b", MATCH_DOMAIN, false, "x.b", ""),
              ERR_ABSENT);
    check_int(match(t, &b, ".b", MATCH_DOMAIN, false, "x.b", ""), OK);
    check_int(match(t, &b, ".b", MATCH_DOMAIN, false, "b", ""), ERR_ABSENT);
    check_int(match(t, &b, "!x.b, b", MATCH_DOMAIN, true, "x.b", ""),
              ERR_ABSENT);
    check_int(match(t, &b, "!x.b, b", MATCH_DOMAIN, true, "y.b", ""), OK);
    check_int(match(t, &b, "b", MATCH_STRING, true, "x.b", ""), ERR_ABSENT);
    check_int(match(t, &b, path(&b, "n").p, MATCH_DOMAIN, true, "z", ""),
              OK);
    check_int(match(t, &b, path(&b, "n").p, MATCH_DOMAIN, true, "q", ""),
              ERR_ABSENT);
    check_int(match(t, &b, "/no/such, b", MATCH_DOMAIN, true, "b", ""),
              ERR_IO);
    check_int(match(t, &b, "b /no/such", MATCH_DOMAIN, true, "b", ""), OK);
    check_int(match(t, &b, "inline:{b.c=1}", MATCH_DOMAIN, true, "a.b.c",
                    ""), OK);
    check_int(match(t, &b, "inline:{b.c=1}", MATCH_DOMAIN, false, "a.b.c",
                    ""), ERR_ABSENT);
    check_int(match(t, &b, "inline:{.b.c=1}", MATCH_DOMAIN, false, "a.b.c",
                    ""), OK);
    check_int(match(t, &b, "fail:x, b", MATCH_DOMAIN, false, "b", ""),
              ERR_IO);
    check_int(match(t, &b, "nosuch:x", MATCH_DOMAIN, false, "b", ""), -1);
    bench_close(t, &b);
}

TASK_TEST(table_match_addresses)
{
    struct bench b;

    bench_open(t, &b);
    check_int(match(t, &b, "127.0.0.0/8 [::1]/128", MATCH_ADDRESS, true, "",
                    "127.0.0.9"), OK);
    check_int(match(t, &b, "127.0.0.0/8 [::1]/128", MATCH_ADDRESS, true, "",
                    "::1"), OK);
    check_int(match(t, &b, "127.0.0.0/8 [::1]/128", MATCH_ADDRESS, true, "",
                    "::2"), ERR_ABSENT);
    check_int(match(t, &b, "!10.1.0.0/16 10.0.0.0/8", MATCH_ADDRESS, true,
                    "", "10.1.2.3"), ERR_ABSENT);
    check_int(match(t, &b, "10.0.0.1 host.d", MATCH_ADDRESS, true, "host.d",
                    "1.1.1.1"), OK);
    check_int(match(t, &b, "10.0.0.1/8", MATCH_ADDRESS, true, "",
                    "10.0.0.1"), -1);
    check_int(match(t, &b, "2001:db8::/32", MATCH_ADDRESS, true, "",
                    "2001:db8:1::1"), OK);
    check_int(match(t, &b, "cidr:{{10.0.0.0/8 x}}", MATCH_ADDRESS, true, "",
                    "10.0.0.1"), OK);
    bench_close(t, &b);
}
