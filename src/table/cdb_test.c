/* SPDX-License-Identifier: ISC
 *
 * Constant databases, folding, templates.
 */
#include "table/cdb.h"

#include "table/kind.h"
#include "table/template.h"
#include "test/unit/check.h"

static str database(struct arena *a, int n)
{
    struct cdb_maker *m = cdb_make(a);
    str bytes = { 0 };

    for (int i = 0; i < n; i++)
        cdb_add(m, arena_fmt(a, "key%d", i), arena_fmt(a, "value %d", i));
    check_ok(cdb_finish(m, &bytes));
    return bytes;
}

TEST(table_cdb)
{
    struct arena a;
    str k, v;
    uint64_t at = 0;
    int n = 0;

    arena_init(&a, 0);
    str b = database(&a, 5000);
    check(cdb_plausible(b));
    for (int i = 0; i < 5000; i++) {
        check_ok(cdb_find(b, arena_fmt(&a, "key%d", i), &v));
        check_str(v, arena_fmt(&a, "value %d", i));
    }
    check_int(cdb_find(b, S("key5000"), &v), ERR_ABSENT);
    check_int(cdb_find(b, S(""), &v), ERR_ABSENT);
    while (cdb_walk(b, &at, &k, &v) == OK)
        check_str(k, arena_fmt(&a, "key%d", n++));
    check_int(n, 5000);
    arena_reset(&a);
}

TEST(table_cdb_empty)
{
    struct arena a;
    uint64_t at = 0;
    str k, v;

    arena_init(&a, 0);
    str b = database(&a, 0);
    check_int(b.n, CDB_HEADER_SIZE);
    check(cdb_plausible(b));
    check_int(cdb_find(b, S("x"), &v), ERR_ABSENT);
    check_int(cdb_walk(b, &at, &k, &v), ERR_END);
    check_int(cdb_find(S("short"), S("x"), &v), ERR_CORRUPT);
    arena_reset(&a);
}

/* Damaged in each single byte, and cut at each size: never outside. */
TEST(table_cdb_damage)
{
    struct arena a;
    str k, v;

    arena_init(&a, 0);
    str good = database(&a, 20);
    for (size_t i = 0; i < good.n; i++) {
        char *bad = arena_alloc(&a, good.n);
        uint64_t at = 0;
        memcpy(bad, good.p, good.n);
        bad[i] = (char)(bad[i] ^ 0xff);
        str b = str_of(bad, good.n);
        for (int j = 0; j < 20; j++)
            err_ignore(cdb_find(b, arena_fmt(&a, "key%d", j), &v));
        for (int j = 0; j < 100 && cdb_walk(b, &at, &k, &v) == OK; j++)
            ;
        b = str_head(good, i);
        err_ignore(cdb_find(b, S("key1"), &v));
        if (i % 64 == 0) {
            arena_reset(&a);
            good = database(&a, 20);
        }
    }
    arena_reset(&a);
}

TEST(table_fold)
{
    struct arena a;

    arena_init(&a, 0);
    check_str(table_fold(&a, S("FoO"), true), S("foo"));
    check_str(table_fold(&a, S("k\xc3\x89"), true), S("k\xc3\xa9"));
    check_str(table_fold(&a, S("k\xc3\x89"), false), S("k\xc3\x89"));
    check_str(table_fold(&a, S("Stra\xc3\x9f""e"), true), S("strasse"));
    check_str(table_fold(&a, S("\xce\xa3\xcf\x82"), true),
              S("\xcf\x83\xcf\x83"));
    check_str(table_fold(&a, S("A\xff"), true), S("a\xff"));
    check_str(table_printable(&a, S("a\n\xff\xc3\xa9")), S("a??\xc3\xa9"));
    arena_reset(&a);
}

static str fill(struct arena *a, const char *text, const char *key,
                const char *value)
{
    struct template_parts k = template_parts(str_from(key));
    struct template_parts v = template_parts(str_from(value));
    struct buf out;

    buf_init(&out, a, 1000);
    if (!template_fill(str_from(text), &k, value ? &v : NULL, &out))
        return S("-");
    return buf_str(&out);
}

TEST(table_template)
{
    struct arena a;
    struct template_query q;

    arena_init(&a, 0);
    check_str(fill(&a, "%s|%u|%d|%1|%2|%%", "me@a.b.c", NULL),
              S("me@a.b.c|me|a.b.c|c|b|%"));
    check_str(fill(&a, "%d", "me", NULL), S("-"));
    check_str(fill(&a, "%u", "@x", NULL), S("-"));
    check_str(fill(&a, "%3", "a@b.c", NULL), S("-"));
    check_str(fill(&a, "%s %U", "a@b", "v@w"), S("v@w a"));
    check(template_valid(S("%s %%")));
    check(!template_valid(S("%x")));
    check(!template_valid(S("%")));

    template_query(&a, S("SELECT '%%' WHERE a='%s' AND b=\"x'%u\" AND c=%d "
                         "AND d='it''s %s' AND e='plain' AND f='%s"), &q);
    check_str(q.sql, S("SELECT '%' WHERE a=?1 AND b=?2 AND c=?3 AND d=?4 "
                       "AND e='plain' AND f='?5"));
    check_int(q.n_binds, 5);
    check_str(q.binds[1], S("x'%u"));
    check_str(q.binds[3], S("it's %s"));
    arena_reset(&a);
}

TEST(table_settings)
{
    struct arena a;
    struct settings s;
    str *value;

    arena_init(&a, 0);
    struct table_notes notes = { .arena = &a };
    check_ok(settings_parse(&a, S("# c\nquery = select\n  x = 1\ndbpath=/x"),
                            S("f"), &notes, &s));
    value = map_get(s.by_name, S("query"));
    check(value && str_eq(*value, S("select  x = 1")));
    check_int(settings_parse(&a, S("a = b\nnope\n"), S("f"), &notes, &s),
              ERR_SYNTAX);
    check_str(notes.list.p[0], S("f, line 2: missing '=' after attribute "
                                 "name: \"nope\""));
    arena_reset(&a);
}
