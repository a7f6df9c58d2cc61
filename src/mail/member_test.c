/* SPDX-License-Identifier: ISC
 *
 * Members of address lists.
 */
#include "mail/member.h"

#include "test/unit/check.h"

static struct arena arena;

static str members_of(str list)
{
    struct members m = { 0 };
    struct buf b;

    buf_init(&b, &arena, STR_NONE / 2);
    members_read(list, &arena, &m);
    for (size_t i = 0; i < m.list.n; i++)
        if (!m.list.p[i].null)
            buf_fmt(&b, "{%.*s}", STR(m.list.p[i].text));
    return buf_str(&b);
}

TEST(mail_member_lists)
{
    static const struct { const char *list, *members; } cases[] = {
#define LIST(text, is) { text, is },
#include "mail/member_lists.def"
#undef LIST
    };

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_str(members_of(str_from(cases[i].list)),
                  str_from(cases[i].members));
    arena_reset(&arena);
}

TEST(mail_member_kinds)
{
    struct members m = { 0 };

    arena_init(&arena, 0);
    members_read(S("<>, \\joe \"\" (x), <(y)>"), &arena, &m);
    check_int(m.list.n, 4);
    check(m.list.p[0].null && !m.list.p[2].null && m.list.p[3].null);
    check(m.list.p[1].escaped && !m.list.p[2].escaped);
    arena_reset(&arena);
}

TEST(mail_member_address)
{
    static const struct { const char *text, *address; } good[] = {
        { "a@b", "a@b" }, { "a b@c", "a b@c" }, { "@x,@y:z@w", "z@w" },
        { "a@b@c", "a@b@c" }, { "a", "a" }, { "", "" },
    };
    static const char *const bad[] = { "@b", "a@", "@", "a@b c", "a\x01@b",
                                       "@a:", "\xff" };
    struct address x;

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct member m = { .text = str_from(good[i].text) };
        check_ok(member_address(&m, &arena, &x));
        check_str(x.text, str_from(good[i].address));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct member m = { .text = str_from(bad[i]) };
        if (!member_address(&m, &arena, &x))
            check(address_is_null(&x));
        x = member_unusable(m.text, &arena);
        check_str(x.domain, S("."));
        /* it comes through where addresses are written and read */
        check_ok(address_parse(address_external(&x, &arena), &arena, 0,
                               &x));
    }
    arena_reset(&arena);
}

/* Long and hostile: linear, and deep nothing. */
TEST(mail_member_long)
{
    static const char *const parts[] = { ">", "<", "<a>", "a:b;", "((", "a ",
                                         "a:", ";", "\"", "<a" };
    struct members m;
    struct buf b;

    for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++) {
        arena_init(&arena, 0);
        buf_init(&b, &arena, STR_NONE / 2);
        for (int i = 0; i < 100000; i++)
            buf_add(&b, str_from(parts[k]));
        m = (struct members){ 0 };
        members_read(buf_str(&b), &arena, &m);
        check(m.list.n <= 100000);
        arena_reset(&arena);
    }
}
