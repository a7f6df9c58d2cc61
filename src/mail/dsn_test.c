/* SPDX-License-Identifier: ISC
 *
 * Reports: layout, nothing injected, templates.
 */
#include "mail/dsn.h"

#include "test/unit/check.h"

static struct arena arena;

static void holds(str text, const char *part)
{
    if (str_find(text, str_from(part)) == STR_NONE)
        check_str(text, str_from(part));
}

static str report(enum dsn_kind kind, struct dsn_recipient *d)
{
    struct envelope e = { .arrival_us = 1795489910000000,
                          .envid = S("env+1") };
    struct recipient rc = { .orcpt = S("rfc822;old@example.org"),
                            .original = S("old@example.org") };
    struct dsn_report r = {
        .kind = kind, .templates = &dsn_templates_default,
        .facts = { .myhostname = S("mx.example.com"),
                   .delay_warning_s = 4 * 3600,
                   .queue_lifetime_s = 5 * 86400 },
        .origin = S("example.com"), .to = S("from@example.net"),
        .queue_id = S("0A1B2C3"), .report_id = S("0A1B2C4"), .envelope = &e,
        .now_us = 1795489999000000, .recipients = d, .n_recipients = 1,
        .retry_until_us = 1795499999000000,
    };
    struct buf b;

    check_ok(address_of(S("from@example.net"), &arena, &e.sender));
    check_ok(address_of(S("a b@example.com"), &arena, &rc.address));
    d->recipient = &rc;
    buf_init(&b, &arena, 100000);
    dsn_head(&r, &arena, &b);
    dsn_tail(&r, &b);
    check(!b.over);
    return buf_str(&b);
}

TEST(mail_dsn_failure)
{
    struct dsn_recipient d = {
        .action = DSN_FAILED, .status = S("5.1.1"),
        .reason = S("host mx[192.0.2.1] said: 550 no\nsuch: user"),
        .remote_mta = S("mx"), .diagnostic_type = S("smtp"),
        .diagnostic = S("550 5.1.1 no\r\nX-Evil: user"),
    };
    str s;

    arena_init(&arena, 0);
    s = report(DSN_FAILURE, &d);
    holds(s, "\r\nFrom: Mail Delivery System "
             "<MAILER-DAEMON@example.com>\r\n");
    holds(s, "\r\nSubject: Undelivered Mail Returned to Sender\r\n");
    holds(s, "\r\nAuto-Submitted: auto-replied\r\n");
    holds(s, "This is the mail system at host mx.example.com.\r\n");
    holds(s, "\r\n<\"a b\"@example.com> (expanded from <old@example.org>): "
             "host mx[192.0.2.1]\r\n    said: 550 no such: user\r\n");
    holds(s, "\r\nReporting-MTA: dns; mx.example.com\r\n"
             "Original-Envelope-Id: env+1\r\n"
             "X-Postfix-Queue-ID: 0A1B2C3\r\n"
             "X-Postfix-Sender: rfc822; from@example.net\r\n"
             "Arrival-Date: Tue, 24 Nov 2026 03:11:50 +0000\r\n\r\n"
             "Final-Recipient: rfc822; \"a b\"@example.com\r\n"
             "Original-Recipient: rfc822;old@example.org\r\n"
             "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx\r\n"
             "Diagnostic-Code: smtp; 550 5.1.1 no  X-Evil: user\r\n");
    holds(s, "Content-Type: message/rfc822\r\n\r\n\r\n--0A1B2C3.1795489999/"
             "mx.example.com--\r\n");
    arena_reset(&arena);
}

TEST(mail_dsn_delay)
{
    struct dsn_recipient d = { .action = DSN_DELAYED, .status = S("4.4.1"),
                               .reason = S("connect timed out") };
    str s;

    arena_init(&arena, 0);
    s = report(DSN_DELAY, &d);
    holds(s, "waiting for 4 hour(s)");
    holds(s, "until it is 5 day(s) old");
    holds(s, "Diagnostic-Code: X-Postfix; connect timed out\r\n"
             "Will-Retry-Until: Tue, 24 Nov 2026 05:59:59 +0000\r\n");
    holds(s, "Content-Type: text/rfc822-headers\r\n");
    arena_reset(&arena);
}

TEST(mail_dsn_templates)
{
    struct dsn_templates tm = dsn_templates_default;
    struct dsn_facts facts = { .myhostname = S("h") };
    struct buf b;
    str where;

    arena_init(&arena, 0);
    check_ok(dsn_templates_parse(
        S("# c\n\nfailure_template = <<END\nsubject: Sorry\nCharset: utf-8\n"
          "\nHello $$5 from ${myhostname}$nothing.\n  x\nEND\n"),
        &arena, &tm, &where));
    check_str(tm.of[DSN_FAILURE].subject, S("Sorry"));
    check_str(tm.of[DSN_FAILURE].charset, S("utf-8"));
    check_str(tm.of[DSN_DELAY].subject,
              dsn_templates_default.of[DSN_DELAY].subject);
    buf_init(&b, &arena, 1000);
    dsn_template_text(tm.of[DSN_FAILURE].text, &facts, &b);
    check_str(buf_str(&b), S("Hello $5 from h.\n  x\n"));
    check_int(dsn_templates_parse(S("foo = <<E\nE\n"), &arena, &tm, &where),
              ERR_SYNTAX);
    check_str(where, S("line 1: unknown template: \"foo\""));
    check_int(dsn_templates_parse(S("delay_template = <<E\nx\n"), &arena,
                                  &tm, &where),
              ERR_SYNTAX);
    check_int(dsn_templates_parse(S("delay_template = <<E\nSubjct: x\nE\n"),
                                  &arena, &tm, &where),
              ERR_SYNTAX);
    check_int(dsn_templates_parse(S("delay_template = x"), &arena, &tm,
                                  &where),
              ERR_SYNTAX);
    arena_reset(&arena);
}
