/* SPDX-License-Identifier: ISC
 *
 * Resolving, unknown users, aliases.
 */
#include "route/alias.h"
#include "route/fixture.h"
#include "route/recipient.h"

static struct arena arena;

/* "class transport:nexthop recipient", and "routed" or "bad". */
static str resolved(struct task *t, const struct route *r, const char *from,
                    const char *to)
{
    static const char *const classes[] = { "local", "alias", "mailbox",
                                           "relay", "default" };
    struct address sender = fixture_address(&arena, from);
    struct address x = fixture_address(&arena, to);
    struct destination d;

    if (resolve(t, r, &sender, &x, &arena, &d))
        return str_from(task_why(t));
    return arena_fmt(&arena, "%s %.*s:%.*s %.*s%s%s", classes[d.class],
                     STR(d.transport), STR(d.nexthop), STR(d.recipient.text),
                     d.routed ? " routed" : "", d.bad ? " bad" : "");
}

static const char classes_cf[] =
    "mydestination = $myhostname, local.org\n"
    "virtual_alias_domains = va.org\n"
    "virtual_mailbox_domains = inline:{ {vm.org=x} }\n"
    "virtual_transport = lmtp:unix:private/x\n"
    "relay_domains = relay.org\nrelayhost = [smart.org]:587\n"
    "proxy_interfaces = 203.0.113.7\n";

TASK_TEST(route_resolve_class)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, classes_cf, &ts);
    check_str(resolved(t, r, "", "u@local.org"),
              S("local local:mx.example.com u@local.org"));
    check_str(resolved(t, r, "", "u@LOCAL.org."),
              S("local local:mx.example.com u@LOCAL.org"));
    check_str(resolved(t, r, "", "u@[192.0.2.5]"),
              S("local local:mx.example.com u@[192.0.2.5]"));
    check_str(resolved(t, r, "", "u@[203.0.113.7]"),
              S("local local:mx.example.com u@[203.0.113.7]"));
    check_str(resolved(t, r, "", "u@[192.0.2.6]"),
              S("default smtp:[smart.org]:587 u@[192.0.2.6]"));
    check_str(resolved(t, r, "", "u@va.org"),
              S("alias error:5.1.1 User unknown in virtual alias table "
                "u@va.org"));
    check_str(resolved(t, r, "", "u@vm.org"),
              S("mailbox lmtp:unix:private/x u@vm.org"));
    check_str(resolved(t, r, "", "u@sub.relay.org"),
              S("relay relay:[smart.org]:587 u@sub.relay.org"));
    check_str(resolved(t, r, "", "u@Far.org"),
              S("default smtp:[smart.org]:587 u@Far.org"));
    check_str(resolved(t, r, "", "u%far.org@local.org"),
              S("default smtp:[smart.org]:587 u@far.org"));
    check_str(resolved(t, r, "", "a.org!u@local.org"),
              S("default smtp:[smart.org]:587 u@a.org"));
    check_str(resolved(t, r, "", "u@far.org@local.org"),
              S("default smtp:[smart.org]:587 u@far.org"));
    check_str(resolved(t, r, "", "u%far.org@relay.org"),
              S("relay relay:[smart.org]:587 u%far.org@relay.org routed"));
    check_str(resolved(t, r, "", ""),
              S("local local:mx.example.com MAILER-DAEMON@mx.example.com"));
    check_str(resolved(t, r, "", "u@192.0.2.5"),
              S("default error:5.1.3 bad address syntax u@192.0.2.5 bad"));
    check_str(resolved(t, r, "", "u@a..b"),
              S("default error:5.1.3 bad address syntax u@a..b bad"));
    check_str(resolved(t, r, "", "-u@a.b"),
              S("default error:5.1.3 bad address syntax -u@a.b bad"));
    check_str(resolved(t, r, "", "user"),
              S("local local:mx.example.com user@mx.example.com"));
    check_str(resolved(t, r, "", "!u@local.org"),
              S("default error:5.1.3 bad address syntax !u@local.org bad"));
    arena_reset(&arena);
}

TASK_TEST(route_resolve_transport)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena,
        "mydestination = local.org\nrecipient_delimiter = +\n"
        "transport_maps = inline:{ {a@x.org=smtp:[a]:26}, {x.org=uucp:},"
        " {.y.org=:via.org}, {keep.y.org=:}, {no.org=error:no such place},"
        " {gone.org=error:}, {local.org=lmtp:h} }\n"
        "relocated_maps = inline:{ {left@far.org=her new home} }\n"
        "sender_dependent_relayhost_maps ="
        " inline:{ {@s.org=[s]}, {d@s.org=DUNNO}, {<>=[null]} }\n"
        "sender_dependent_default_transport_maps ="
        " inline:{ {u@s.org=slow:[slow]} }", &ts);
    check_str(resolved(t, r, "f@z", "a+b@x.org"),
              S("default smtp:[a]:26 a+b@x.org"));
    check_str(resolved(t, r, "f@z", "B@X.org"),
              S("default uucp:x.org B@X.org"));
    check_str(resolved(t, r, "f@z", "u@a.b.y.org"),
              S("default smtp:via.org u@a.b.y.org"));
    check_str(resolved(t, r, "f@z", "u@y.org"),
              S("default smtp:y.org u@y.org"));
    check_str(resolved(t, r, "f@z", "u@keep.y.org"),
              S("default smtp:keep.y.org u@keep.y.org"));
    check_str(resolved(t, r, "f@z", "u@no.org"),
              S("default error:no such place u@no.org"));
    check_str(resolved(t, r, "f@z", "u@gone.org"),
              S("default error:Address is undeliverable u@gone.org"));
    check_str(resolved(t, r, "f@z", "u@local.org"),
              S("local lmtp:h u@local.org"));
    check_str(resolved(t, r, "f@z", "left@far.org"),
              S("default error:5.1.6 User has moved to her new home "
                "left@far.org"));
    check_str(resolved(t, r, "e@s.org", "u@far.org"),
              S("default smtp:[s] u@far.org"));
    check_str(resolved(t, r, "d@s.org", "u@far.org"),
              S("default smtp:far.org u@far.org"));
    check_str(resolved(t, r, "u@s.org", "u@far.org"),
              S("default slow:[slow] u@far.org"));
    check_str(resolved(t, r, "", "u@far.org"),
              S("default smtp:[null] u@far.org"));
    arena_reset(&arena);
}

static str checked(struct task *t, const struct route *r, bool is_sender,
                   const char *to)
{
    struct address x = fixture_address(&arena, to);
    struct destination d;
    struct reply v;

    if (resolve(t, r, NULL, &x, &arena, &d) ||
        recipient_check(t, r, is_sender, x.text, &d, &arena, &v))
        return str_from(task_why(t));
    if (!v.code)
        return S("");
    return arena_fmt(&arena, "%d %s %.*s", v.code, v.dsn, STR(v.text));
}

TASK_TEST(route_recipient)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, arena_cstr(&arena, arena_fmt(&arena, "%s%s",
        classes_cf,
        "recipient_delimiter = +\nlocal_recipient_maps = inline:{joe=x}\n"
        "virtual_mailbox_maps = inline:{ {m@vm.org=x} }\n"
        "virtual_alias_maps = inline:{ {v@va.org=x} }\n"
        "relay_recipient_maps = inline:{ {@relay.org=x} }\n"
        "unknown_virtual_mailbox_reject_code = 450")), &ts);
    check_str(checked(t, r, false, "joe+x@local.org"), S(""));
    check_str(checked(t, r, false, "ann@local.org"),
              S("550 5.1.1 <ann@local.org>: Recipient address rejected: User "
                "unknown in local recipient table"));
    check_str(checked(t, r, true, "ann@local.org"),
              S("550 5.1.0 <ann@local.org>: Sender address rejected: User "
                "unknown in local recipient table"));
    check_str(checked(t, r, false, "m@vm.org"), S(""));
    check_str(checked(t, r, false, "n@vm.org"),
              S("450 4.1.1 <n@vm.org>: Recipient address rejected: User "
                "unknown in virtual mailbox table"));
    check_str(checked(t, r, false, "v@va.org"), S(""));
    check_str(checked(t, r, false, "w@va.org"),
              S("550 5.1.1 <w@va.org>: Recipient address rejected: User "
                "unknown in virtual alias table"));
    check_str(checked(t, r, false, "any@relay.org"), S(""));
    check_str(checked(t, r, false, "any@sub.relay.org"),
              S("550 5.1.1 <any@sub.relay.org>: Recipient address rejected: "
                "User unknown in relay recipient table"));
    check_str(checked(t, r, false, "any@far.org"), S(""));
    check_str(checked(t, r, false, "double-bounce@local.org"), S(""));
    check_str(checked(t, r, false, "MAILER-DAEMON@local.org"), S(""));
    check_str(checked(t, r, false, "postmaster@local.org"), S(""));
    check_str(checked(t, r, false, "joe%local.org@local.org"), S(""));
    check_str(checked(t, r, false, "m@vm.org@local.org"), S(""));
    check_str(checked(t, r, false, "vm.org!n@local.org"),
              S("450 4.1.1 <vm.org!n@local.org>: Recipient address rejected: "
                "User unknown in virtual mailbox table"));
    arena_reset(&arena);
}

TASK_TEST(route_alias_items)
{
    struct alias_actions acts = { { 0 } };
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = o.org", &ts);
    alias_items(r, S("a, \"|x, y\" , |\"z 'q'\",:include:/f , "
                     "\"/a b\", \"q r\"@d.org, N <n@d.org>,, "
                     "\\joe, ~/box"), &arena, &acts);
    alias_items(r, S("g: x, y@d.org;"), &arena, &acts);
    check_int(acts.list.n, 11);
    check_str(acts.list.p[0].address.text, S("a@o.org"));
    check_str(acts.list.p[1].text, S("x, y"));
    check_str(acts.list.p[2].text, S("z 'q'"));
    check_int(acts.list.p[3].kind, ALIAS_INCLUDE);
    check_str(acts.list.p[3].text, S("/f"));
    check_str(acts.list.p[4].text, S("/a b"));
    check_str(acts.list.p[5].address.text, S("q r@d.org"));
    check_str(acts.list.p[6].address.text, S("n@d.org"));
    check_str(acts.list.p[7].address.text, S("joe@o.org"));
    check_int(acts.list.p[7].kind, ALIAS_USER);
    check_str(acts.list.p[8].text, S("~/box"));
    check_str(acts.list.p[10].address.text, S("y@d.org"));
    arena_reset(&arena);
}

/* What is none leaves the others alone. */
TASK_TEST(route_alias_items_bad)
{
    static const enum alias_kind kinds[] = {
        ALIAS_FORWARD, ALIAS_BAD, ALIAS_BAD, ALIAS_COMMAND, ALIAS_FORWARD,
        ALIAS_BAD, ALIAS_FORWARD, ALIAS_INCLUDE, ALIAS_BAD, ALIAS_FORWARD,
    };
    struct alias_actions acts = { { 0 } };
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = o.org", &ts);
    alias_items(r, S("a, @b, c@, \"|cmd x\" y, |, \"w@v.org\", "
                     ":include:rel, ~u/x z, <>"), &arena, &acts);
    check_int(acts.list.n, sizeof(kinds) / sizeof(*kinds));
    for (size_t i = 0; i < acts.list.n; i++)
        check_int(acts.list.p[i].kind, kinds[i]);
    check_str(acts.list.p[1].text, S("@b"));
    check_str(acts.list.p[3].text, S("cmd x"));
    check_str(acts.list.p[4].address.text, S("y@o.org"));
    check_str(acts.list.p[6].address.text, S("w@v.org"));
    arena_reset(&arena);
}
