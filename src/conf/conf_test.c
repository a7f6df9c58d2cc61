/* SPDX-License-Identifier: ISC
 *
 * The snapshot: values, bounds, overlays, services, findings.
 */
#include "conf/conf.h"

#include "test/unit/check.h"

static const struct conf_interface interfaces[] = {
    { { 127, 0, 0, 1 }, false, 8 },
    { { 192, 0, 2, 9 }, false, 24 },
    { { [15] = 1 }, true, 128 },
    { { 0xfd, 0, [15] = 2 }, true, 64 },
    { { 192, 0, 2, 10 }, false, 24 },
};

struct fixture {
    struct arena arena;
    struct conf_findings findings;
    struct conf *conf;
};

static err read_both(struct fixture *f, str main_cf, str master_cf)
{
    struct conf_source src = {
        .dir = S("/etc/postfix"),
        .main_cf = main_cf,
        .master_cf = master_cf,
        .facts = { S("vm"), S("from.file"), S("unit"), S("1"), S(""),
                   interfaces, 5 },
    };

    arena_init(&f->arena, 0);
    f->findings = (struct conf_findings){ 0 };
    return conf_read(&f->arena, &src, &f->findings, &f->conf);
}

static void done(struct fixture *f)
{
    arena_reset(&f->arena);
}

/* The text of finding number i, or "". */
static str finding(struct fixture *f, size_t i)
{
    return i < f->findings.list.n
        ? conf_finding_text(&f->arena, &f->findings.list.p[i]) : S("");
}

TEST(conf_params_are_sorted)
{
    for (int i = 1; i < N_PARAMS; i++)
        check(str_cmp(conf_param((enum param)(i - 1))->name,
                      conf_param((enum param)i)->name) < 0);
    check_int(conf_param_find(S("myhostname")), P_myhostname);
    check_int(conf_param_find(S("2bounce_notice_recipient")), 0);
    check_int(conf_param_find(S("nothing")), N_PARAMS);
    check_int(conf_param_unit(P_maximal_queue_lifetime), 'd');
    check_int(conf_param_unit(P_smtpd_timeout), 's');
    check_int(conf_param_unit(P_myhostname), 0);
}

TEST(conf_nearest_name)
{
    check_str(conf_param_nearest(S("myhostnam")), S("myhostname"));
    check_str(conf_param_nearest(S("mydestinatoin")), S("mydestination"));
    check_str(conf_param_nearest(S("smtpd_client_restriction")),
              S("smtpd_client_restrictions"));
    check_str(conf_param_nearest(S("zork_zork_zork")), S(""));
    check_str(conf_param_nearest(S("a")), S(""));
}

TEST(conf_all_defaults_are_valid)
{
    struct fixture f;

    check_ok(read_both(&f, S(""), S("")));
    check_int(f.findings.list.n, 0);
    check_str(conf_str(f.conf, P_myhostname), S("vm.localdomain"));
    check_str(conf_str(f.conf, P_myorigin), S("vm.localdomain"));
    check_str(conf_str(f.conf, P_config_directory), S("/etc/postfix"));
    check_str(conf_str(f.conf, P_process_name), S("unit"));
    check_str(conf_str(f.conf, P_mynetworks),
              S("127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64"));
    check_int(conf_seconds(f.conf, P_smtpd_timeout), 300);
    check_int(conf_seconds(f.conf, P_maximal_queue_lifetime), 5 * 86400);
    check(conf_bool(f.conf, P_append_dot_mydomain));
    check(!conf_is_set(f.conf, P_append_dot_mydomain));
    check_int(conf_items(f.conf, P_mydestination).n, 3);
    done(&f);
}

TEST(conf_values)
{
    struct fixture f;

    check_ok(read_both(&f, S("myhostname = mx.$mydomain\n"
                             "mydomain = example.com\n"
                             "compatibility_level = 3.10\n"
                             "maximal_queue_lifetime = 1\n"
                             "smtpd_timeout = 2h\n"
                             "stress = yes\n"
                             "soft_bounce = YES\n"
                             "mynetworks = 10.0.0.0/8, {a b} c\n"
                             "my_own = $mail_name\n"
                             "mailbox_command = x $USER $my_own\n"
                             "relayhost = [$my_own]\n"),
                       S("")));
    check_str(conf_str(f.conf, P_myhostname), S("mx.example.com"));
    check_str(conf_str(f.conf, P_mydestination),
              S("mx.example.com, localhost.example.com, localhost"));
    check(!conf_bool(f.conf, P_append_dot_mydomain));
    check_int(conf_seconds(f.conf, P_maximal_queue_lifetime), 86400);
    check_int(conf_seconds(f.conf, P_smtpd_timeout), 7200);
    check_int(conf_int(f.conf, P_smtpd_hard_error_limit), 1);
    check(conf_bool(f.conf, P_soft_bounce));
    check_int(conf_items(f.conf, P_mynetworks).n, 3);
    check_str(conf_items(f.conf, P_mynetworks).p[1], S("{a b}"));
    check_str(conf_str(f.conf, P_mailbox_command), S("x $USER $my_own"));
    check_str(conf_str(f.conf, P_relayhost), S("[Postfix]"));
    check_int(f.findings.list.n, 0);
    done(&f);
}

TEST(conf_bad_values_are_fatal)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "smtpd_timeout = 5x", "/etc/postfix/main.cf, line 1: "
          "smtpd_timeout: bad time value or unit: 5x (write" },
        { "\nsmtpd_timeout = 0", "/etc/postfix/main.cf, line 2: "
          "smtpd_timeout: value 0 is too small" },
        { "soft_bounce = on", "/etc/postfix/main.cf, line 1: soft_bounce: "
          "bad boolean value: \"on\" (write yes or no)" },
        { "line_length_limit = 3", "/etc/postfix/main.cf, line 1: "
          "line_length_limit: value 3 is too small (the least is 512)" },
        { "message_size_limit = 10M", "/etc/postfix/main.cf, line 1: "
          "message_size_limit: bad numerical value" },
        { "mydomain =", "/etc/postfix/main.cf, line 1: mydomain: the value "
          "must not be empty" },
        { "myorigin = ${mydomain", "/etc/postfix/main.cf, line 1: myorigin: "
          "truncated macro reference: \"${mydomain\"" },
        { "myorigin = $myorigin", "/etc/postfix/main.cf, line 1: myorigin: "
          "unreasonable macro call nesting: \"myorigin\"" },
        { "myorigin", "/etc/postfix/main.cf, line 1: missing '=' after "
          "attribute name: \"myorigin\"" },
        { "mynetworks_style = net", "/etc/postfix/main.cf, line 1: "
          "mynetworks_style: unknown mynetworks mask style value" },
        { "compatibility_level = x", "/etc/postfix/main.cf, line 1: " },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        check_int(read_both(&f, str_from(cases[i].text), S("")), ERR_SYNTAX);
        check_str(str_head(finding(&f, 0), str_from(cases[i].want).n),
                  str_from(cases[i].want));
        done(&f);
    }
}

TEST(conf_unknown_names_are_warned_about)
{
    struct fixture f;

    check_ok(read_both(&f, S("myhostnam = a\nfoo = $bar\nmyorigin = $foo\n"
                             "foo = b\nprocess_id = 3\n"
                             "relay_transport_rate_delay = 3s\n"
                             "alias_maps = ldap:x, proxy:mysql:/etc/y\n"
                             "x_search_base = 1\nx_zork = 1\n"),
                       S("relay unix - - n - - smtp\n")));
    check_int(f.findings.list.n, 4);
    check_str(finding(&f, 0), S("/etc/postfix/main.cf, line 4: overriding "
                                "earlier entry: foo=$bar"));
    check_str(finding(&f, 1), S("/etc/postfix/main.cf, line 1: unused "
                                "parameter: myhostnam=a (did you mean "
                                "myhostname?)"));
    check_str(finding(&f, 2), S("/etc/postfix/main.cf, line 5: read-only "
                                "parameter assignment: process_id=3"));
    check_str(finding(&f, 3), S("/etc/postfix/main.cf, line 9: unused "
                                "parameter: x_zork=1"));
    done(&f);
}

TEST(conf_transports)
{
    struct fixture f;

    check_ok(read_both(&f, S("slow_destination_rate_delay = 7\n"
                             "slow_destination_concurrency_limit = $n\n"
                             "n = 4\ndefault_destination_rate_delay = 1m\n"),
                       S("slow unix - - n - - smtp\n")));
    check_int(f.findings.list.n, 0);
    check_int(conf_transport_seconds(f.conf, S("slow"),
                                     S("_destination_rate_delay"),
                                     P_default_destination_rate_delay), 7);
    check_int(conf_transport_seconds(f.conf, S("fast"),
                                     S("_destination_rate_delay"),
                                     P_default_destination_rate_delay), 60);
    check_int(conf_transport_int(f.conf, S("slow"),
                                 S("_destination_concurrency_limit"),
                                 P_default_destination_concurrency_limit), 4);
    check_int(conf_transport_int(f.conf, S("local"),
                                 S("_destination_concurrency_limit"),
                                 P_default_destination_concurrency_limit), 2);
    done(&f);
    check_int(read_both(&f, S("slow_destination_rate_delay = soon\n"),
                        S("slow unix - - n - - smtp\n")), ERR_SYNTAX);
    done(&f);
}

TEST(conf_services)
{
    struct fixture f;
    const struct service *s;

    check_ok(read_both(&f, S("default_process_limit = 7\n"),
                       S("smtp inet n - y - - smtpd\n"
                         "  -o { smtpd_banner = a b } -o soft_bounce=yes\n"
                         "# between\n"
                         "  -v\n"
                         "pickup unix n - n 60? 1 pickup\n"
                         "p unix - n n - - pipe\n"
                         "  flags=R user=x argv=/bin/y {a b} -o z=1\n"
                         "smtp unix - - n - - smtp\n"
                         "smtp inet n - n - 0 smtpd -o soft_bounce=no\n")));
    check_int(conf_services(f.conf).n, 4);
    s = conf_service(f.conf, S("smtp"), SERVICE_INET);
    check(s && !s->chroot && !s->private_ && s->unpriv && s->limit == 0);
    check_int(s->n_overrides, 1);
    check_str(s->overrides[0], S("soft_bounce=no"));
    s = conf_service(f.conf, S("pickup"), SERVICE_UNIX);
    check(s && s->wakeup_s == 60 && s->wakeup_if_used && s->limit == 1);
    s = conf_service(f.conf, S("p"), SERVICE_UNIX);
    check(s && !s->unpriv && s->private_ && s->limit == 7);
    check_int(s->n_argv, 6);
    check_int(s->n_options, 0);
    check_int(s->n_overrides, 0);
    check_str(s->argv[3], S("a b"));
    check(!conf_service(f.conf, S("pickup"), SERVICE_INET));
    check_int(f.findings.list.n, 1);
    check_str(finding(&f, 0), S("/etc/postfix/master.cf, line 9: service "
                                "smtp/inet replaces the one of line 1"));
    done(&f);
}

TEST(conf_bad_services_are_fatal)
{
    static const char *const cases[] = {
        "smtp inet n - n - -", "smtp inet y - n - - smtpd",
        "smtp tcp n - n - - smtpd", "smtp inet n - n x - smtpd",
        "smtp inet n - n - x smtpd", "smtp inet n z n - - smtpd",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        check_int(read_both(&f, S(""), str_from(cases[i])), ERR_SYNTAX);
        check(str_starts(finding(&f, 0), S("/etc/postfix/master.cf, line 1")));
        done(&f);
    }
}

TEST(conf_overlays_and_packs)
{
    static const str overrides[] = { S_INIT("smtpd_banner=$x hi"),
                                     S_INIT("x = new") };
    static const str bad[] = { S_INIT("smtpd_timeout=never") };
    struct service s = { .name = S("sub"), .command = S("smtpd") };
    struct fixture f;
    struct conf *over, *again;
    struct buf packed;

    check_ok(read_both(&f, S("x = old\nmyorigin = /etc/mailname\n"
                             "syslog_name = postfix/$service_name/"
                             "$process_name\n"
                             "smtpd_helo_required = yes\n"), S("")));
    check_str(conf_str(f.conf, P_myorigin), S("from.file"));
    check_ok(conf_overlay(&f.arena, f.conf, overrides, 2, &f.findings,
                          &over));
    check_str(conf_str(over, P_smtpd_banner), S("new hi"));
    check(conf_is_set(over, P_smtpd_banner));
    check(conf_bool(over, P_smtpd_helo_required));
    check(!conf_is_set(f.conf, P_smtpd_banner));
    s.n_overrides = 2;
    s.overrides = overrides;
    check_ok(conf_of_service(&f.arena, f.conf, &s, &f.findings, &again));
    check_str(conf_str(again, P_syslog_name), S("postfix/sub/smtpd"));
    check_str(conf_str(again, P_smtpd_banner), S("new hi"));
    check_int(conf_overlay(&f.arena, f.conf, bad, 1, &f.findings, &again),
              ERR_SYNTAX);
    buf_init(&packed, &f.arena, 1 << 20);
    conf_pack(over, &packed);
    check_ok(conf_unpack(&f.arena, buf_str(&packed), &again));
    for (int p = 0; p < N_PARAMS; p++)
        check_str(conf_raw(again, (enum param)p),
                  conf_raw(over, (enum param)p));
    for (size_t cut = 0; cut < packed.n; cut += 7)
        check(conf_unpack(&f.arena, str_head(buf_str(&packed), cut), &again));
    done(&f);
}

TEST(conf_find_and_expand)
{
    struct fixture f;
    str value;

    check_ok(read_both(&f, S("x = $mail_name/$y\ny = 1\nmyorigin=$x\n"),
                       S("")));
    check(conf_find(f.conf, &f.arena, S("x"), &value));
    check_str(value, S("Postfix/1"));
    check(conf_find(f.conf, &f.arena, S("mail_name"), &value));
    check(!conf_find(f.conf, &f.arena, S("z"), &value));
    check_ok(conf_expand(f.conf, &f.arena, S("${z?a}${z:b}$$"), &value));
    check_str(value, S("b$"));
    check(conf_expand(f.conf, &f.arena, S("${"), &value));
    done(&f);
}

TEST(conf_time)
{
    int64_t s = 0;

    check(conf_time_parse(S("10"), 'h', &s) && s == 36000);
    check(conf_time_parse(S("2weeks"), 's', &s) && s == 14 * 86400);
    check(!conf_time_parse(S("2W"), 's', &s));
    check(!conf_time_parse(S("99999999w"), 's', &s));
    check(!conf_time_parse(S("-1"), 's', &s));
    check(!conf_time_parse(S(""), 's', &s));
    check(!conf_time_parse(S("-2"), 's', &s));
    check(!conf_time_parse(S("9223372036854775807w"), 's', &s));
}
