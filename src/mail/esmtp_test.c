/* SPDX-License-Identifier: ISC
 *
 * ESMTP parameters and replies.
 */
#include "mail/esmtp.h"

#include "test/unit/check.h"

static struct arena arena;

enum { ALL = 31 };

TEST(mail_esmtp_mail)
{
    struct mail_params m;
    struct reply r;

    arena_init(&arena, 0);
    check(esmtp_mail(S(" SIZE=1000 BODY=8bitmime RET=HDRS ENVID=a+2Bb "
                       "SMTPUTF8 AUTH=<>"),
                     ALL, &arena, &m, &r));
    check_int(m.size, 1000);
    check_int(m.body, BODY_8BITMIME);
    check_int(m.ret, RET_HDRS);
    check_str(m.envid, S("a+b"));
    check(m.smtputf8 && m.has_auth);
    check_str(m.auth, S(""));
    check(esmtp_mail(S(""), 0, &arena, &m, &r));
    check(!esmtp_mail(S("SIZE=x"), ALL, &arena, &m, &r));
    check_str(r.text, S("Bad message size syntax"));
    check(!esmtp_mail(S("SIZE=1"), 0, &arena, &m, &r));
    check_int(r.code, 555);
    check_str(r.text, S("Unsupported option: SIZE=1"));
    check(!esmtp_mail(S("RET=FULL RET=FULL"), ALL, &arena, &m, &r));
    check_str(r.text, S("Bad RET parameter syntax"));
    check(!esmtp_mail(S("ENVID=a+0Ab"), ALL, &arena, &m, &r));
    check(!esmtp_mail(S("FOO=\xff\x01"), ALL, &arena, &m, &r));
    check_str(r.text, S("Unsupported option: FOO=\?\?"));
    arena_reset(&arena);
}

TEST(mail_esmtp_rcpt)
{
    struct rcpt_params p;
    struct reply r;
    struct buf b;

    arena_init(&arena, 0);
    check(esmtp_rcpt(S("NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bb@c"), ALL,
                     &arena, &p, &r));
    check_int(p.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
    check_str(p.orcpt, S("rfc822;a+b@c"));
    buf_init(&b, &arena, 1000);
    orcpt_encode(&b, p.orcpt);
    check_str(buf_str(&b), S("rfc822;a+2Bb@c"));
    check(esmtp_rcpt(S("ORCPT=utf-8;\\x{E9}@c"), ALL, &arena, &p, &r));
    check_str(p.orcpt, S("utf-8;\xc3\xa9@c"));
    buf_clear(&b);
    orcpt_encode(&b, p.orcpt);
    check_str(buf_str(&b), S("utf-8;\\x{E9}@c"));
    check(!esmtp_rcpt(S("NOTIFY=NEVER,DELAY"), ALL, &arena, &p, &r));
    check_str(r.text, S("Error: Bad NOTIFY parameter syntax"));
    check(!esmtp_rcpt(S("NOTIFY="), ALL, &arena, &p, &r));
    check(!esmtp_rcpt(S("ORCPT=rfc822"), ALL, &arena, &p, &r));
    check(!esmtp_rcpt(S("ORCPT=rfc822;a+0D+0A"), ALL, &arena, &p, &r));
    check(!esmtp_rcpt(S("ORCPT=;a"), ALL, &arena, &p, &r));
    arena_reset(&arena);
}

TEST(mail_reply)
{
    struct reply r;

    arena_init(&arena, 0);
    check(reply_parse(S("550 5.1.1 no such user\r\n"), &r));
    check_int(r.code, 550);
    check_str(str_from(r.dsn), S("5.1.1"));
    check_str(r.text, S("no such user"));
    check(reply_parse(S("450 try again"), &r));
    check_str(str_from(r.dsn), S(""));
    check_str(r.text, S("try again"));
    check(reply_parse(S("550-5.1.1 first"), &r));
    check_str(r.text, S("first"));
    check(reply_parse(S("250"), &r));
    check(reply_parse(S("450 5.1.1 odd"), &r));
    check_str(r.text, S("5.1.1 odd"));
    check(!reply_parse(S("5500"), &r));
    check(!reply_parse(S("OK"), &r));
    check(!reply_parse(S("150 x"), &r));
    check_int(dsn_span(S("5.7.1 x")), 5);
    check_int(dsn_span(S("5.7.1")), 5);
    check_int(dsn_span(S("5.7.1x")), 0);
    check_int(dsn_span(S("3.7.1")), 0);
    r = reply_fmt(&arena, 554, "5.7.1", "<%s>: no", "x");
    check_str(r.text, S("<x>: no"));
    check(!reply_good(r) && !reply_temporary(r));
    arena_reset(&arena);
}
