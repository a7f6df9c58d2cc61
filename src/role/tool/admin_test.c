/* SPDX-License-Identifier: ISC
 *
 * veredus' own commands: sizes, tables, passwords, texts.
 */
#include "role/tool/admin.h"
#include "role/tool/init.h"

#include "auth/directory_sql.h"
#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(admin_sizes)
{
    static const struct { str text; uint64_t bytes; str shown; } good[] = {
        { S_INIT("none"), 0, S_INIT("none") },
        { S_INIT("0"), 0, S_INIT("none") },
        { S_INIT("1000"), 1000, S_INIT("1000") },
        { S_INIT("1024"), 1024, S_INIT("1K") },
        { S_INIT("500m"), 500 << 20, S_INIT("500M") },
        { S_INIT("2GB"), (uint64_t)2 << 30, S_INIT("2G") },
        { S_INIT("1536M"), (uint64_t)1536 << 20, S_INIT("1536M") },
        { S_INIT("3T"), (uint64_t)3 << 40, S_INIT("3T") },
    };
    static const str bad[] = {
        S_INIT(""), S_INIT("B"), S_INIT("M"), S_INIT("-1"), S_INIT("1X"),
        S_INIT("1 G"), S_INIT("1.5G"), S_INIT("9000000000G"),
        S_INIT("9223372036854775808"),
    };
    struct arena a;
    uint64_t bytes;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        check(admin_size_parse(good[i].text, &bytes));
        check_int(bytes, good[i].bytes);
        check_str(admin_size_text(bytes, &a), good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        check(!admin_size_parse(bad[i], &bytes));
    arena_reset(&a);
}

TEST(admin_tables)
{
    static const char *const heads[] = { "user", "active", "quota" };
    struct admin_table table = { .heads = heads, .n_columns = 3 };
    struct admin_row row = { { { S("b\xc3\xbc@x"), S("") },
                               admin_cell_bool(true) } };
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 1000);
    admin_table_put(&table, false, &b); /* nothing is nothing */
    admin_table_put(&table, true, &b);
    check_int(b.n, 0);
    row.cell[2] = admin_cell_size(2048, &a);
    vec_push(&a, &table.rows, row);
    admin_table_put(&table, false, &b);
    check_str(buf_str(&b), S("USER  ACTIVE  QUOTA\n"
                             "b\xc3\xbc@x  yes     2K\n"));
    buf_clear(&b);
    admin_table_put(&table, true, &b);
    check_str(buf_str(&b), S("{\"user\": \"b\xc3\xbc@x\", \"active\": true, "
                             "\"quota\": 2048}\n"));
    buf_clear(&b);
    admin_row_put(&table, &row, &b);
    check_str(buf_str(&b), S("user    b\xc3\xbc@x\nactive  yes\n"
                             "quota   2K\n"));
    arena_reset(&a);
}

TASK_TEST(admin_passwords)
{
    static const str bad[] = {
        S_INIT(""), S_INIT("1234567"), S_INIT("password"),
        S_INIT("Password123"), S_INIT("alice@example.com"),
        S_INIT("example.com"), S_INIT("EXAMPLE.COM"),
        S_INIT("long enough\x7f"), S_INIT("12345678"),
        S_INIT("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"), /* four letters */
    };
    str address = S("alice@example.com");

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        check_int(admin_password_judge(t, address, bad[i]), ERR_DENIED);
    check_ok(admin_password_judge(t, address, S("password of mine")));
    check_ok(admin_password_judge(t, address, S("tr0ubador")));
    check_ok(admin_password_judge(
        t, address, S("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                      "\xc3\xbc\xc3\xbc")));
}

static const struct init_plan a_plan = {
    .root = true, .domain = S_INIT("example.com"),
    .hostname = S_INIT("mail.example.com"), .dir = S_INIT("/etc/postfix"),
    .queue = S_INIT("/q"), .data = S_INIT("/d"), .mail = S_INIT("/m"),
    .aliases = S_INIT("/etc/aliases"), .directory = S_INIT("/db"),
    .key = S_INIT("/k"), .certificate = S_INIT("/c"),
    .owner = S_INIT("postfix"), .uid = 5000, .gid = 5001,
};

static bool has_line(str text, str line)
{
    str each;

    while (str_cut(&text, '\n', &each))
        if (str_eq(each, line))
            return true;
    return false;
}

TEST(admin_init_texts)
{
    struct init_plan p = a_plan;
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 64 * 1024);
    init_main_cf(&p, &b);
    check(has_line(buf_str(&b), S("mydestination = $myhostname, "
                                  "localhost.$mydomain, localhost")));
    check(has_line(buf_str(&b), S("inet_interfaces = all")));
    check(has_line(buf_str(&b), S("virtual_gid_maps = static:5001")));
    check(has_line(buf_str(&b), S("mailstore_home = /m/%d/%n")));
    check(has_line(buf_str(&b),
                   S("# name+anything@example.com is delivered as "
                     "name@example.com.")));
    /* What has no value has no line. */
    check(str_find(buf_str(&b), S("\nrelayhost =")) == STR_NONE);
    check(str_find(buf_str(&b), S("\nmaillog_file =")) == STR_NONE);
    buf_clear(&b);

    p.hostname = p.domain; /* which is in the directory, not here */
    p.relayhost = S("[relay.example]:587");
    p.log = S("/var/log/mail.log");
    p.base = 10000;
    init_main_cf(&p, &b);
    check(has_line(buf_str(&b), S("mydestination = localhost.$mydomain, "
                                  "localhost")));
    check(has_line(buf_str(&b), S("relayhost = [relay.example]:587")));
    check(has_line(buf_str(&b), S("maillog_file = /var/log/mail.log")));
    check(has_line(buf_str(&b), S("inet_interfaces = loopback-only")));
    buf_clear(&b);
    init_master_cf(&p, &b);
    check(str_find(buf_str(&b), S("\n10587 ")) != STR_NONE);
    check(str_find(buf_str(&b), S("@")) == STR_NONE);
    arena_reset(&a);
}

/* Whether SQLite reads a whole table to answer this. */
static bool scans(struct task *t, struct sql *db, const char *query)
{
    static const str key = S_INIT("joe@example.com");
    struct sql_rows rows = { 0 };
    struct arena a;
    struct buf b;
    bool found = false;

    arena_init(&a, 0);
    buf_init(&b, &a, 4096);
    buf_add(&b, S("EXPLAIN QUERY PLAN "));
    for (str rest = str_from(query); rest.n > 0; rest = str_skip(rest, 1)) {
        if (str_starts(rest, S("'%s'"))) {
            buf_add(&b, S("?1"));
            rest = str_skip(rest, 3);
            continue;
        }
        buf_byte(&b, rest.p[0]);
    }
    check_ok(sql_run(t, db, buf_str(&b), &key, 1, &a, &rows, NULL));
    check(rows.list.n > 0);
    for (size_t i = 0; i < rows.list.n; i++)
        found |= str_starts(rows.list.p[i].column[3], S("SCAN"))
                 && !str_eq(rows.list.p[i].column[3],
                            S("SCAN CONSTANT ROW"));
    arena_reset(&a);
    return found;
}

/* What 0.1.0 made. */
static const char as_before[] =
    "DROP INDEX user_address; DROP INDEX alias_target;"
    "DROP VIEW virtual_alias;"
    "CREATE VIEW virtual_alias AS"
    " SELECT address, group_concat(target, ', ') AS targets FROM alias"
    "  GROUP BY address;";

/* The queries that stand in the files of old hosts ask an index as soon as a
 * command has written to the directory; who only reads it changes nothing. */
TASK_TEST(admin_queries_ask_indexes)
{
    char dir[] = "/tmp/admin-test-XXXXXX";
    struct directory *d;
    struct arena a;
    struct sql *db;
    str path;
    int n = 0;

    arena_init(&a, 0);
    check(mkdtemp(dir) != NULL);
    path = arena_fmt(&a, "%s/users.db", dir);
    check_ok(directory_open(t, &a, path, DIRECTORY_CREATE, &d));
    check_ok(sql_open(t, &a, path, true, false, &db));
    for (size_t i = 0; init_queries[i].name; i++)
        check(!scans(t, db, init_queries[i].query));
    check_ok(sql_script(t, db, str_from(as_before)));
    check_ok(directory_open(t, &a, path, 0, &d));
    for (size_t i = 0; init_queries[i].name; i++)
        n += scans(t, db, init_queries[i].query);
    check_int(n, 2);
    check_ok(directory_update(t, path));
    check_ok(sql_open(t, &a, path, false, false, &db)); /* sees the new */
    for (size_t i = 0; init_queries[i].name; i++)
        check(!scans(t, db, init_queries[i].query));
    unlink(arena_cstr(&a, path));
    rmdir(dir);
    arena_reset(&a);
}
