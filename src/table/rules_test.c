/* SPDX-License-Identifier: ISC
 *
 * Lines, rules and the pure parsers of regexp, pcre and cidr tables.
 */
#include "table/rules_kind.h"

#include "table/netblock.h"
#include "test/unit/check.h"

static struct lines lines_of(struct arena *a, str text)
{
    return (struct lines){ .text = text, .origin = S("x"), .arena = a };
}

TEST(table_lines)
{
    struct arena a;
    struct lines l;
    str s;
    int line;

    arena_init(&a, 0);
    l = lines_of(&a, S("# c\n  # d\nfoo bar\n  baz  \n# m\n\n  more\t\r\n"
                       "k v\0x\nlast"));
    check(lines_next(&l, &s, &line));
    check_str(s, S("foo bar  baz    more"));
    check_int(line, 3);
    check(lines_next(&l, &s, &line));
    check_str(s, S("k v"));
    check_int(line, 8);
    check(lines_next(&l, &s, &line));
    check_str(s, S("last"));
    check(!lines_next(&l, &s, &line));

    struct table_notes notes = { .arena = &a };
    l = lines_of(&a, S("  one\n two\nk v\n"));
    l.notes = &notes;
    check(lines_next(&l, &s, &line));
    check_str(s, S("k v"));
    check_int(notes.list.n, 1);
    arena_reset(&a);
}

TEST(table_pairs)
{
    str k, v;

    check(lines_pair(S("a b c"), &k, &v));
    check_str(k, S("a"));
    check_str(v, S("b c"));
    check(lines_pair(S("\"a b\"c d"), &k, &v));
    check_str(k, S("\"a b\"c"));
    check(lines_pair(S("a\\ b c"), &k, &v));
    check_str(k, S("a\\ b"));
    check(!lines_pair(S("\"a b"), &k, &v));
    check(lines_pair(S("key"), &k, &v));
    check(str_empty(v));
    check(lines_pair(S("key\\"), &k, &v));
    check_str(k, S("key\\"));
}

TEST(table_items)
{
    str rest = S(" a, {b c},d{e f} {"), item;

    check(items_next(&rest, &item));
    check_str(item, S("a"));
    check(items_next(&rest, &item));
    check_str(item, S("{b c}"));
    check_int(braces_strip(item, &item) == NULL, true);
    check_str(item, S("b c"));
    check(items_next(&rest, &item));
    check_str(item, S("d{e f}"));
    check(items_next(&rest, &item));
    check(braces_strip(item, &item) != NULL);
    check(!items_next(&rest, &item));
}

typedef err finder(const struct rules *r, str key, struct arena *a,
                   str *value, struct table_notes *notes);

static err cidr_ask(const struct rules *r, str key, struct arena *a,
                    str *value, struct table_notes *notes)
{
    (void)notes;
    return cidr_find(r, key, a, value);
}

/* Asks a text a question; "-" when there is no answer. */
static str ask(rules_parser *parse, finder *find, struct arena *a, str text,
               str key, size_t *n_notes)
{
    struct rules *rules = arena_new(a, struct rules);
    struct table_notes notes = { .arena = a };
    str value;

    rules->where = S("map x");
    parse(a, text, S("x"), 0, &notes, rules);
    *n_notes = notes.list.n;
    if (find(rules, key, a, &value, &notes))
        return S("-");
    return value;
}

#define check_ask(kind, find, text, key, want)                                \
    check_str(ask(kind##_parse, find, &a, S(text), S(key), &n), S(want))

TEST(table_regexp)
{
    struct arena a;
    size_t n;

    arena_init(&a, 0);
    check_ask(regexp, regexp_find, "/^a(b+)(c)?$/ $1-${2}-$(1)-$$", "ABB",
              "BB--BB-$");
    check_ask(regexp, regexp_find, "/^a/i x", "A", "-");
    check_ask(regexp, regexp_find, "!/^a/ x", "b", "x");
    check_ask(regexp, regexp_find, "!/(a)/ x$1\n/b/ y", "b", "y");
    check_int(n, 1);
    check_ask(regexp, regexp_find, "if /x/\n/y/ 1\nif !/z/\n/x/ 2\nendif\n"
              "/x/ 3\nENDIF\n/./ 4", "xz", "3");
    check_ask(regexp, regexp_find, "if /x/\n/y/ 1\nendif\n/./ 4", "y", "4");
    check_ask(regexp, regexp_find, "/a(/ v\n/b/q v\n/c\nd e\n/e/ $2\n/f/ f",
              "f", "f");
    check_int(n, 5);
    check_ask(regexp, regexp_find, "if /x/\nif /y/\n/x/ a", "x", "-");
    check_int(n, 2);
    check_ask(regexp, regexp_find, "|a/b| slash", "xa/by", "slash");
    check_ask(regexp, regexp_find, "/^b$/m multi", "a\nb\nc", "multi");
    check_ask(regexp, regexp_find, "/^(a)/!/z(z)/ $1", "ab", "a");
    check_ask(regexp, regexp_find, "/^(a)/!/z(z)/ $1", "abZZ", "-");
    check_ask(regexp, regexp_find, "/^a/i!/z/i x", "az", "-");
    check_ask(regexp, regexp_find, "/^a/i!/z/i x", "aZ", "x");
    check_ask(regexp, regexp_find, "!/^a/!/z/ x", "b", "x");
    check_ask(regexp, regexp_find, "/^a/!!|z| x", "abz", "x");
    check_ask(regexp, regexp_find, "/^a/ ! /z/ x", "a", "! /z/ x");
    check_ask(regexp, regexp_find, "if /a/!/b/\n/./ in\nendif", "ab", "in");
    arena_reset(&a);
}

TEST(table_pcre)
{
    struct arena a;
    size_t n;

    arena_init(&a, 0);
    check_ask(pcre, pcre_find, "/^(?!x)(.*)-out@(.*)$/ ${1}@$2", "l-OUT@d",
              "l@d");
    check_ask(pcre, pcre_find, "/(a+)+$/ evil\n/a/ next",
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "next");
    check_ask(pcre, pcre_find, "/a b/x v", "ab", "v");
    check_ask(pcre, pcre_find, "/b/A v", "ab", "-");
    check_ask(pcre, pcre_find, "/(a)|b/ [$1]", "b", "[]");
    check_ask(pcre, pcre_find, "/x(/ v", "x", "-");
    check_int(n, 1);
    arena_reset(&a);
}

TEST(table_cidr)
{
    struct arena a;
    size_t n;

    arena_init(&a, 0);
    check_ask(cidr, cidr_ask, "10.0.0.0/8 a", "10.1.2.3", "a");
    check_ask(cidr, cidr_ask, "10.0.0.0/8 a", "11.1.2.3", "-");
    check_ask(cidr, cidr_ask, "!2001:db8::/32 b", "2001:db9::1", "b");
    check_ask(cidr, cidr_ask, "!2001:db8::/32 b", "1.2.3.4", "-");
    check_ask(cidr, cidr_ask, "[2001:db8::]/32 b", "2001:DB8:0::1", "b");
    check_ask(cidr, cidr_ask, "::/0 six\n0.0.0.0/0 four", "1.2.3.4", "four");
    check_ask(cidr, cidr_ask, "if 10.0.0.0/8\n10.1.0.0/16 x\nendif\n"
              "0.0.0.0/0 y", "10.2.0.1", "y");
    check_ask(cidr, cidr_ask, "10.0.0.1/8 x\n1.2.3/8 y\n1.1.1.1/33 z\n"
              "1.1.1.1\n[1.1.1.1 q\nendif", "1.1.1.1", "-");
    check_int(n, 6);
    check_ask(cidr, cidr_ask, "1.1.1.1 x", "host.example", "-");
    arena_reset(&a);
}

TEST(table_netblock)
{
    struct netblock b, address;
    struct arena a;

    arena_init(&a, 0);
    check(netblock_parse(&a, S("127.0.0.0/8"), &b) == NULL);
    check(netblock_single(S("127.255.0.1"), &address));
    check(netblock_holds(&b, &address));
    check(netblock_parse(&a, S("10.0.0.128/25"), &b) == NULL);
    check(netblock_single(S("10.0.0.127"), &address));
    check(!netblock_holds(&b, &address));
    check(netblock_parse(&a, S("[::1]/128"), &b) == NULL);
    check(netblock_parse(&a, S("[::1/128]"), &b) == NULL);
    check(netblock_single(S("::1"), &address));
    check(netblock_holds(&b, &address));
    check(netblock_parse(&a, S("10.0.0.1/"), &b) != NULL);
    check(netblock_parse(&a, S("10.0.0.1/-1"), &b) != NULL);
    check(!netblock_single(S("010.0.0.1"), &b));
    check(!netblock_single(S(""), &b));
    arena_reset(&a);
}

TEST(table_rules_inline)
{
    struct arena a;
    str text;

    arena_init(&a, 0);
    struct table_notes notes = { .arena = &a };
    check_ok(rules_inline(&a, &notes, S("pcre"), S("{ {/a b/ x}, {/b/ y} }"),
                          &text));
    check_str(text, S("/a b/ x\n/b/ y\n"));
    check_int(rules_inline(&a, &notes, S("pcre"), S("{/a/ x}"), &text),
              ERR_SYNTAX);
    check_str(notes.list.p[0], S("pcre map: no '{' at start of text in "
                                 "\"/a/\""));
    check_int(rules_inline(&a, &notes, S("pcre"), S("{{/a/ x}"), &text),
              ERR_SYNTAX);
    check_int(rules_inline(&a, &notes, S("pcre"), S("{{/a/ x}b}"), &text),
              ERR_SYNTAX);
    arena_reset(&a);
}
