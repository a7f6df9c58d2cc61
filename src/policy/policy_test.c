/* SPDX-License-Identifier: ISC
 *
 * Lists, actions and zones as they are read; judgements where neither table
 * files nor a peer are needed.  The dialogues are test/peer/smtpd.py's.
 */
#include "policy/action.h"
#include "policy/list.h"
#include "policy/policy.h"

#include "route/fixture.h"

/* --- reading lists -------------------------------------------------------- */

static str list_fault(struct arena *a, const char *text)
{
    static const struct list_place place = { S_INIT("list"),
                                             S_INIT("check_client_access"),
                                             false };
    struct rule_classes none = { 0 };
    struct rule_list list;
    str complaint = S("");

    err_ignore(rule_list_read(a, &place, &none, str_from(text), &list,
                              &complaint));
    return complaint;
}

TEST(policy_list_words)
{
    static const struct list_place place = { S_INIT("list"),
                                             S_INIT("check_helo_access"),
                                             false };
    struct rule_classes none = { 0 };
    struct rule_list list;
    struct arena a;
    str complaint;

    arena_init(&a, 0);
    check_ok(rule_list_read(&a, &place, &none,
                            S("permit_mynetworks, Reject_Unknown_Client\n"
                              " inline:{ {a=b} } check_sender_access "
                              "{ hash:/x } sleep 3,reject_rbl_client "
                              "a.b=127.0.0.[1;3..5]"), &list, &complaint));
    check_int(list.n, 6);
    check_int(list.p[0].operation, DO_PERMIT_MYNETWORKS);
    check_int(list.p[1].operation, DO_UNKNOWN_CLIENT);
    check_int(list.p[2].operation, DO_ACCESS);
    check_int(list.p[2].about, ABOUT_HELO);
    check_str(list.p[2].argument, S("inline:{ {a=b} }"));
    check_str(list.p[3].argument, S("hash:/x"));
    check_int(list.p[4].seconds, 3);
    check_str(list.p[5].zone.domain, S("a.b"));
    arena_reset(&a);
}

TEST(policy_list_faults)
{
    struct arena a;

    arena_init(&a, 0);
    check_str(list_fault(&a, ""), S(""));
    check_str(list_fault(&a, "permit, bogus"),
              S("list: unknown smtpd restriction: \"bogus\""));
    check_str(list_fault(&a, "reject_unverified_sender"),
              S("list: restriction \"reject_unverified_sender\" is not "
                "built in"));
    check_str(list_fault(&a, "check_policy_service inet:x:1"),
              S("list: restriction \"check_policy_service\" is not built "
                "in"));
    check_str(list_fault(&a, "check_helo_access reject"),
              S("list: restriction check_helo_access: bad argument "
                "\"reject\": need maptype:mapname"));
    check_str(list_fault(&a, "check_helo_access"),
              S("list: restriction check_helo_access: bad argument \"\": "
                "need maptype:mapname"));
    check_str(list_fault(&a, "check_helo_access { hash:/x, y = z }"),
              S("list: restriction check_helo_access: unknown attribute "
                "\"y\""));
    check_str(list_fault(&a, "sleep x"),
              S("list: restriction sleep must be followed by number"));
    check_str(list_fault(&a, "reject_rbl_client"),
              S("list: restriction reject_rbl_client requires domain name "
                "argument"));
    check_str(list_fault(&a, "reject_rbl_client x=1.2.3"),
              S("list: restriction reject_rbl_client: \"x=1.2.3\": bad "
                "address pattern"));
    arena_reset(&a);
}

static str classes_fault(struct arena *a, struct rule_class *p, size_t n)
{
    struct rule_classes classes = { p, n };
    str complaint = S("");

    err_ignore(rule_classes_read(a, &classes, &complaint));
    return complaint;
}

TEST(policy_list_classes)
{
    struct rule_class fine[] = { { S("one"), S("two, reject"), { 0 } },
                                 { S("two"), S("permit"), { 0 } } };
    struct rule_class loop[] = { { S("one"), S("two"), { 0 } },
                                 { S("two"), S("permit one"), { 0 } } };
    struct arena a;

    arena_init(&a, 0);
    check_str(classes_fault(&a, fine, 2), S(""));
    check(!rule_list_guards(&fine[1].list));
    check(rule_list_guards(&fine[0].list));
    check(!str_empty(classes_fault(&a, loop, 2)));
    arena_reset(&a);
}

TEST(policy_zone_patterns)
{
    static const unsigned char two[4] = { 127, 0, 0, 2 };
    static const unsigned char nine[4] = { 127, 0, 1, 9 };
    struct zone z;

    check(!zone_read(S("a.b"), &z));
    check(zone_matches(&z, two));
    check(!zone_read(S("a.b=127.0.[0..1].[2;8..9]"), &z));
    check(zone_matches(&z, two) && zone_matches(&z, nine));
    check(!zone_read(S("a.b=127.0.0.3"), &z));
    check(!zone_matches(&z, two));
    check(zone_read(S("a.b=127.0.0.[9..2]"), &z) != NULL);
    check(zone_read(S("a.b=127.0.0.256"), &z) != NULL);
    check(zone_read(S("=127.0.0.2"), &z) != NULL);
}

/* --- reading actions ------------------------------------------------------ */

static void action_is(const char *text, enum action_kind kind, int code,
                      const char *dsn, const char *rest)
{
    static const struct action_codes codes = { 554, 450 };
    struct action x = action_read(str_from(text), &codes);

    check_int(x.kind, kind);
    check_int(x.reply.code, code);
    check_str(str_from(x.reply.dsn), str_from(dsn));
    check_str(code ? x.reply.text : x.text, str_from(rest));
}

TEST(policy_action_words)
{
    action_is("OK", ACTION_OK, 0, "", "");
    action_is("12345", ACTION_OK, 0, "", "12345");
    action_is("550", ACTION_OK, 0, "", "550");
    action_is("reject", ACTION_REFUSE, 554, "5.7.1", "Access denied");
    action_is("REJECT  5.1.1  no", ACTION_REFUSE, 554, "5.1.1", "no");
    action_is("DEFER", ACTION_REFUSE, 450, "4.7.1", "Access denied");
    action_is("450 4.2.0 wait", ACTION_REFUSE, 450, "4.2.0", "wait");
    action_is("550 no", ACTION_REFUSE, 550, "5.7.1", "no");
    action_is("DEFER_IF_PERMIT", ACTION_DEFER_IF_PERMIT, 450, "4.7.1",
              "Service unavailable");
    action_is("FILTER a:b", ACTION_FILTER, 0, "", "a:b");
    action_is("permit_mynetworks, reject", ACTION_RESTRICTIONS, 0, "",
              "permit_mynetworks, reject");
    action_is("250 fine", ACTION_RESTRICTIONS, 0, "", "250 fine");
}

/* --- judging -------------------------------------------------------------- */

struct court {
    struct arena a;
    struct tables *tables;
    struct policy *policy;
    struct policy_facts facts;
    struct policy_memory memory;
};

static const char zone_text[] =
    "1.2.0.192.rbl.example A 127.0.0.2\n"
    "1.2.0.192.rbl.example TXT listed\n"
    "null.example MX 0 .\n"
    "slow.example TRY_AGAIN\n"
    "good.example MX 10 mx.good.example\n"
    "mx.good.example A 192.0.2.7\n";

static bool court_open(struct task *t, struct court *c, const char *main_cf)
{
    struct route *r;

    *c = (struct court){ 0 };
    arena_init(&c->a, 0);
    c->memory.arena = &c->a;
    r = fixture_route(t, &c->a, main_cf, &c->tables);
    if (!r)
        return false;
    if (policy_open(t, &c->a, r->conf, c->tables, r,
                    dns_fixed(&c->a, str_from(zone_text)), &c->policy)) {
        check_str(str_from(task_why(t)), S("the policy opens"));
        return false;
    }
    c->facts = (struct policy_facts){
        .where = S("RCPT"), .client_name = S("unknown"),
        .reverse_name = S("unknown"), .name_status = 5,
        .client_address = S("192.0.2.1"), .protocol = S("ESMTP"),
        .helo = S("client.example"), .esmtp = true, .has_sender = true,
        .has_recipient = true, .memory = &c->memory,
    };
    return true;
}

static void judged(struct task *t, struct court *c, const char *sender,
                   const char *recipient, const char *want)
{
    struct policy_verdict v;
    struct buf b;

    c->facts.sender = fixture_address(&c->a, sender);
    c->facts.recipient = fixture_address(&c->a, recipient);
    check_ok(policy_judge(t, c->policy, POLICY_RECIPIENT, &c->facts, &c->a,
                          &v));
    buf_init(&b, &c->a, 1000);
    if (v.reply.code)
        buf_fmt(&b, "%d %s %.*s", v.reply.code, v.reply.dsn,
                STR(v.reply.text));
    check_str(buf_str(&b), str_from(want));
}

TASK_TEST(policy_judge_relay)
{
    struct court c;

    if (court_open(t, &c, "mydestination = example.com\n"
                          "mynetworks = 192.0.2.0/24\n")) {
        judged(t, &c, "s@far.example", "u@other.example", "");
        c.facts.client_address = S("198.51.100.1");
        judged(t, &c, "s@far.example", "u@other.example",
               "454 4.7.1 <u@other.example>: Relay access denied");
        judged(t, &c, "s@far.example", "u@example.com", "");
        c.facts.sasl_user = S("joe");
        judged(t, &c, "s@far.example", "u@other.example", "");
    }
    arena_reset(&c.a);
}

TASK_TEST(policy_judge_dns)
{
    struct court c;

    if (court_open(t, &c, "mydestination = example.com\n"
                          "smtpd_sender_restrictions = "
                          "reject_unknown_sender_domain\n"
                          "smtpd_client_restrictions = warn_if_reject "
                          "reject_rbl_client rbl.example\n")) {
        judged(t, &c, "s@good.example", "u@example.com", "");
        judged(t, &c, "s@null.example", "u@example.com",
               "550 5.7.27 <s@null.example>: Sender address rejected: "
               "Domain null.example does not accept mail (nullMX)");
        judged(t, &c, "s@slow.example", "u@example.com",
               "450 4.1.8 <s@slow.example>: Sender address rejected: "
               "Domain not found");
        judged(t, &c, "s@none.example", "u@example.com",
               "450 4.1.8 <s@none.example>: Sender address rejected: "
               "Domain not found");
    }
    arena_reset(&c.a);
}

TASK_TEST(policy_judge_login)
{
    struct court c;

    if (court_open(t, &c, "mydestination = example.com\n"
                          "smtpd_sasl_auth_enable = yes\n"
                          "smtpd_sender_login_maps = inline:{ "
                          "{joe@example.com=joe, jane}, {@far.org=ann} }\n"
                          "smtpd_sender_restrictions = "
                          "reject_sender_login_mismatch\n")) {
        judged(t, &c, "joe@example.com", "u@example.com",
               "553 5.7.1 <joe@example.com>: Sender address rejected: not "
               "logged in");
        judged(t, &c, "x@y.org", "u@example.com", "");
        c.facts.sasl_user = S("Jane");
        judged(t, &c, "joe@example.com", "u@example.com", "");
        judged(t, &c, "x@far.org", "u@example.com",
               "553 5.7.1 <x@far.org>: Sender address rejected: not owned "
               "by user Jane");
        judged(t, &c, "x@y.org", "u@example.com",
               "553 5.7.1 <x@y.org>: Sender address rejected: not owned by "
               "user Jane");
    }
    arena_reset(&c.a);
}

/* A list that enters itself through a table ends. */
TASK_TEST(policy_judge_recursion)
{
    struct court c;

    if (court_open(t, &c, "mydestination = example.com\n"
                          "smtpd_restriction_classes = again\n"
                          "again = check_sender_access "
                          "inline:{ {s@far.example=again} }\n"
                          "smtpd_sender_restrictions = again\n"))
        judged(t, &c, "s@far.example", "u@example.com",
               "451 4.3.5 Server configuration error");
    arena_reset(&c.a);
}

TASK_TEST(policy_open_refuses)
{
    static const char *const bad[] = {
        "smtpd_client_restrictions = bogus\n",
        ("smtpd_relay_restrictions = permit\n"
         "smtpd_recipient_restrictions = permit\n"),
        "smtpd_data_restrictions = hash:/x\n",
    };
    struct policy *p;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct tables *tables;
        struct route *r;
        struct arena a;
        arena_init(&a, 0);
        r = fixture_route(t, &a, bad[i], &tables);
        check(r && policy_open(t, &a, r->conf, tables, r, NULL, &p)
              == ERR_SYNTAX);
        arena_reset(&a);
    }
}
