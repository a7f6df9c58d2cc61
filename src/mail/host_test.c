/* SPDX-License-Identifier: ISC
 *
 * Host names and literals.
 */
#include "mail/host.h"

#include "test/unit/check.h"

TEST(mail_host_names)
{
    check(host_valid(S("example.com"), false));
    check(host_valid(S("a_b-c.x1"), false));
    check(!host_valid(S(""), false));
    check(!host_valid(S("-a.b"), false));
    check(!host_valid(S("a-.b"), false));
    check(!host_valid(S("a..b"), false));
    check(!host_valid(S("a.b."), false));
    check(!host_valid(S(".a"), false));
    check(!host_valid(S("a b"), false));
    check(!host_valid(S("1.2.3.4"), false));
    check(!host_valid(S("\xc3\xa9.x"), false));
    check(host_valid(S("\xc3\xa9.x"), true));
    check(!host_valid(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                        "aaaaaaaaaaaa.x"), false));
    check(host_fully_qualified(S("a.b."), false));
    check(!host_fully_qualified(S("localhost"), false));
    check(!host_fully_qualified(S("a."), false));
}

TEST(mail_host_addresses)
{
    str inside;

    check(host_ip4_valid(S("192.0.2.255")));
    check(!host_ip4_valid(S("192.0.2.256")));
    check(!host_ip4_valid(S("192.0.2")));
    check(!host_ip4_valid(S("192.0.2.1.")));
    check(host_ip6_valid(S("::")));
    check(host_ip6_valid(S("2001:db8::1")));
    check(host_ip6_valid(S("1:2:3:4:5:6:7:8")));
    check(host_ip6_valid(S("::ffff:192.0.2.1")));
    check(!host_ip6_valid(S("1:2:3:4:5:6:7")));
    check(!host_ip6_valid(S("1::2::3")));
    check(!host_ip6_valid(S("1:2:3:4:5:6:7:8::")));
    check(!host_ip6_valid(S("12345::")));
    check(!host_ip6_valid(S(":")));
    check(host_literal(S("[192.0.2.1]"), &inside));
    check_str(inside, S("192.0.2.1"));
    check(host_literal(S("[IPv6:::1]"), &inside));
    check_str(inside, S("::1"));
    check(!host_literal(S("[::1]"), NULL));
    check(!host_literal(S("[x]"), NULL));
    check(!host_literal(S("192.0.2.1"), NULL));
}
