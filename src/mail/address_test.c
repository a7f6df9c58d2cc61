/* SPDX-License-Identifier: ISC
 *
 * Addresses: paths, forms, lists.
 */
#include "mail/address.h"

#include "test/unit/check.h"

static struct arena arena;

/* Reads a path and returns its internal form and what follows it, or "!". */
static str path(const char *text, int flags)
{
    struct scan s = scan_of(str_from(text));
    struct address x;
    err e = address_path(&s, &arena, flags, &x);

    if (e)
        return e == ERR_SYNTAX ? S("!") : str_from(err_name(e));
    return arena_fmt(&arena, "%.*s|%.*s", STR(x.text), STR(scan_rest(&s)));
}

TEST(mail_address_path)
{
    arena_init(&arena, 0);
    check_str(path("<>", 0), S("|"));
    check_str(path("<> SIZE=1", ADDRESS_STRICT), S("| SIZE=1"));
    check_str(path("<user@example.com>", ADDRESS_STRICT),
              S("user@example.com|"));
    check_str(path("<@a.b,@c:user@dom>", 0), S("user@dom|"));
    check_str(path("<@a.b,@c:user@dom>", ADDRESS_STRICT), S("user@dom|"));
    check_str(path("<postmaster>", ADDRESS_STRICT), S("postmaster|"));
    check_str(path("  user@dom X=y", 0), S("user@dom| X=y"));
    check_str(path("  user@dom", ADDRESS_STRICT), S("!"));
    check_str(path("< user@ dom >", 0), S("user@dom|"));
    check_str(path("< user@dom >", ADDRESS_STRICT), S("!"));
    check_str(path("<\"a b\"@dom>", ADDRESS_STRICT), S("a b@dom|"));
    check_str(path("<\"a>b\\\"@c\"@dom> X", 0), S("a>b\"@c@dom| X"));
    check_str(path("<a@b@c>", 0), S("a@b@c|"));
    check_str(path("<a@b@c>", ADDRESS_STRICT), S("!"));
    check_str(path("<u@[192.0.2.1]>", ADDRESS_STRICT), S("u@[192.0.2.1]|"));
    check_str(path("<u@[IPv6:2001:db8::1]>", ADDRESS_STRICT),
              S("u@[IPv6:2001:db8::1]|"));
    check_str(path("<a..b@dom>", 0), S("a..b@dom|"));
    check_str(path("<user(comment)@dom>", 0), S("user@dom|"));
    check_str(path("<us\\er@dom>", 0), S("user@dom|"));
    arena_reset(&arena);
}

TEST(mail_address_path_refused)
{
    static const char *const bad[] = {
        "", "<", ">", "<user@dom", "<user@dom>x", "<@dom>", "<u@>", "<u@d>>",
        "<a b@dom>", "<a@b c>", "<u@[1.2.3.4>", "<\"u@d>", "<u,v@d>",
        "<u@d;e>", "<u@\"d e\">", "<u@[a b]>", "<u@[a]b>", "<u\x01@d>",
        "<u@d\x7f>", "<\"a@b\">", "<u\xff@d>", "<:u@d>", "<@a:>x",
        "<u@a[b]>", "<u@[a][b]>",
    };

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        check_str(path(bad[i], 0), S("!"));
        check_str(path(bad[i], ADDRESS_STRICT), S("!"));
    }
    check_str(path("<u%[192.0.2.1]@d>", 0), S("u%[192.0.2.1]@d|"));
    check_str(path("<u%[192.0.2.1]@d>", ADDRESS_STRICT), S("!"));
    check_str(path("<[a]@b>", 0), S("[a]@b|"));
    check_str(path("<[a]@b>", ADDRESS_STRICT), S("!"));
    check_str(path("<\xc3\xa9@d>", 0), S("\xc3\xa9@d|"));
    check_str(path("<\xc3\xa9@d>", ADDRESS_ASCII), S("!"));
    arena_reset(&arena);
}

TEST(mail_address_limits)
{
    struct address x;
    struct buf b;

    arena_init(&arena, 0);
    buf_init(&b, &arena, 100000);
    for (int i = 0; i < ADDRESS_LOCAL_MAX; i++)
        buf_byte(&b, 'x');
    buf_add(&b, S("@d"));
    check_ok(address_parse(buf_str(&b), &arena, 0, &x));
    check_int(x.local.n, ADDRESS_LOCAL_MAX);
    check_int(address_parse(arena_cat(&arena, S("x"), buf_str(&b)), &arena, 0,
                            &x),
              ERR_LIMIT);
    for (int i = 0; i < 90000; i++)
        buf_byte(&b, '(');
    check_int(address_parse(buf_str(&b), &arena, 0, &x), ERR_LIMIT);
    arena_reset(&arena);
}

TEST(mail_address_external)
{
    static const struct { const char *internal, *external; } cases[] = {
        { "user@example.com", "user@example.com" },
        { "a.b", "a.b" },
        { "a b@dom", "\"a b\"@dom" },
        { "a\"\\b@dom", "\"a\\\"\\\\b\"@dom" },
        { "a@b@c", "\"a@b\"@c" },
        { "a..b@c", "\"a..b\"@c" },
        { ".a@c", "\".a\"@c" },
        { "a.@c", "\"a.\"@c" },
        { "\xc3\xa9@c", "\xc3\xa9@c" },
        { "", "" },
    };
    struct address x, y;

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        str external;
        check_ok(address_of(str_from(cases[i].internal), &arena, &x));
        external = address_external(&x, &arena);
        check_str(external, str_from(cases[i].external));
        check_ok(address_parse(external, &arena, ADDRESS_STRICT, &y));
        check_str(y.text, x.text);
    }
    check_ok(address_of(S("U@Dom"), &arena, &x));
    check_ok(address_of(S("U@dOM"), &arena, &y));
    check(address_same(&x, &y));
    check_ok(address_of(S("u@dOM"), &arena, &y));
    check(!address_same(&x, &y));
    check_int(address_of(S("a\nb@c"), &arena, &x), ERR_SYNTAX);
    check_int(address_join(S("a"), S("b c"), &arena, &x), ERR_SYNTAX);
    check_ok(address_join(S("a"), S(""), &arena, &x));
    check_str(x.text, S("a"));
    arena_reset(&arena);
}

TEST(mail_address_split)
{
    str user, ext;

    check(address_split(S("user+ext+x"), S("+"), true, &user, &ext));
    check_str(user, S("user"));
    check_str(ext, S("+ext+x"));
    check(address_split(S("a-b+c"), S("+-"), true, &user, &ext));
    check_str(ext, S("-b+c"));
    check(!address_split(S("+user"), S("+"), true, &user, &ext));
    check(!address_split(S("user"), S("+"), true, &user, &ext));
    check(!address_split(S("user+x"), S(""), true, &user, &ext));
    check(!address_split(S("Double-Bounce"), S("-"), true, &user, &ext));
    check(!address_split(S("owner-list"), S("-"), true, &user, &ext));
    check(!address_split(S("list-request"), S("-"), true, &user, &ext));
    check(address_split(S("list-request"), S("-"), false, &user, &ext));
    check_str(user, S("list"));
}

/* All items of a list, as "name<address>route@from-to;". */
static str list_text(const char *text)
{
    struct address_list l = address_list_of(str_from(text));
    struct address_item item;
    struct buf b;

    buf_init(&b, &arena, 4096);
    while (address_list_next(&l, &arena, &item)) {
        if (item.kind == ITEM_GROUP)
            buf_fmt(&b, "%.*s:", STR(item.name));
        else if (item.kind == ITEM_GROUP_END)
            buf_add(&b, S(";"));
        else
            buf_fmt(&b, "[%.*s|%.*s|%.*s%s]", STR(item.name),
                    STR(item.route), STR(item.address.text),
                    item.bad ? "BAD" : "");
    }
    return buf_str(&b);
}

TEST(mail_address_list)
{
    static const struct { const char *in, *out; } cases[] = {
        { "", "" },
        { " , ,", "" },
        { "a@b", "[||a@b]" },
        { "a@b, c@d,e", "[||a@b][||c@d][||e]" },
        { "John Q. Public <a@b>", "[John Q. Public||a@b]" },
        { "\"Public, John\" <a@b> , x", "[Public, John||a@b][||x]" },
        { "a@b (A (nested) name)", "[A (nested) name||a@b]" },
        { "friends: a@b, C <c@d>;, e@f", "friends:[||a@b][C||c@d];[||e@f]" },
        { "undisclosed-recipients:;", "undisclosed-recipients:;" },
        { "<@x,@y:a@b>", "[|@x,@y|a@b]" },
        { "@x:a@b, c", "[|@x|a@b][||c]" },
        { "<>", "[||]" },
        { "a . b @ c . d", "[||a.b@c.d]" },
        { "\"a b\"@c", "[||a b@c]" },
        { "John Doe", "[||BAD]" },
        { "a@b c@d", "[||BAD]" },
        { "u@[1.2.3.4]", "[||u@[1.2.3.4]]" },
        { "(only a comment)", "" },
        { "\"open <a@b>", "[||BAD]" },
        { "A <a@b", "[A||a@b]" },
        { "a:b:c;", "a:[||BAD];" },
        { "=?utf-8?q?J=C3=B6?= <j@x>", "[=?utf-8?q?J=C3=B6?=||j@x]" },
        { "A\r\n <a@b>,\r\n\tB <c@d>", "[A||a@b][B||c@d]" },
    };

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_str(list_text(cases[i].in), str_from(cases[i].out));
    arena_reset(&arena);
}

TEST(mail_address_list_positions)
{
    str in = S("\"A\" <a@b>, c @d (x), <@r:e@f>");
    struct address_list l = address_list_of(in);
    struct address_item item;

    arena_init(&arena, 0);
    check(address_list_next(&l, &arena, &item));
    check_str(str_of(in.p + item.from, item.to - item.from), S("a@b"));
    check(address_list_next(&l, &arena, &item));
    check_str(str_of(in.p + item.from, item.to - item.from), S("c @d"));
    check(address_list_next(&l, &arena, &item));
    check_str(str_of(in.p + item.from, item.to - item.from), S("@r:e@f"));
    check(!address_list_next(&l, &arena, &item));
    arena_reset(&arena);
}
