/* SPDX-License-Identifier: ISC
 *
 * What sendmail makes of its input.
 */
#include "role/tool/mail_text.h"

#include "test/unit/check.h"

struct made {
    struct arena a;
    struct mail_text out;
    struct buf to;
};

static void make(struct made *m, str input, struct mail_text_options o)
{
    arena_init(&m->a, 0);
    buf_init(&m->to, &m->a, 1 << 20);
    mail_text_make(input, &o, &m->a, &m->to, &m->out);
}

static void check_made(str input, struct mail_text_options o, str want)
{
    struct made m;

    make(&m, input, o);
    check_str(buf_str(&m.to), want);
    arena_reset(&m.a);
}

TEST(mail_text_line_ends)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS };

    check_made(S("A: b\n\nx\r\ny\n"), o, S("A: b\r\n\r\nx\r\ny\r\n"));
    check_made(S("A: b\n\nx\ry"), o, S("A: b\r\n\r\nx\ry\r\n"));
    check_made(S("A: b\n\n\n\n"), o, S("A: b\r\n\r\n\r\n\r\n"));
    check_made(S(""), o, S(""));
    o.fix = FIX_STRICT;
    check_made(S("A: b\r\n\r\nx\r\n"), o, S("A: b\r\n\r\nx\r\n"));
    check_made(S("A: b\n\nx\r\n"), o, S("A: b\r\n\r\nx\r\r\n"));
    o.fix = FIX_NEVER;
    check_made(S("A: b\r\n"), o, S("A: b\r\r\n"));
}

TEST(mail_text_dot)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS };

    check_made(S("A: b\n\nx\n.\ny\n"), o, S("A: b\r\n\r\nx\r\n"));
    check_made(S("A: b\n\nx\n.\r\ny\n"), o, S("A: b\r\n\r\nx\r\n"));
    check_made(S("A: b\n.\nx\n"), o, S("A: b\r\n"));
    check_made(S("A: b\n\n..\n"), o, S("A: b\r\n\r\n..\r\n"));
    o.keep_dots = true;
    check_made(S("A: b\n\nx\n.\ny\n"), o, S("A: b\r\n\r\nx\r\n.\r\ny\r\n"));
}

TEST(mail_text_header)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS };

    check_made(S("no header\n"), o, S("\r\nno header\r\n"));
    check_made(S("A: b\nno header\n"), o, S("A: b\r\n\r\nno header\r\n"));
    check_made(S("From me Mon\nA: b\n c\n\nx\n"), o,
               S("A: b\r\n c\r\n\r\nx\r\n"));
    check_made(S(">From me\nFrom you\n>From x\nA: b\n\n>From z\n"), o,
               S("A: b\r\n\r\n>From z\r\n"));
    check_made(S(">from me\nA: b\n"), o, S("\r\n>from me\r\nA: b\r\n"));
    check_made(S(" lead\nA: b\n"), o, S("\r\n lead\r\nA: b\r\n"));
    check_made(S("Bcc: x\n y\nReturn-Path: <z>\nresent-bcc: q\nA: b\n"), o,
               S("A: b\r\n"));
}

TEST(mail_text_from_added)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS, .from = S("me <m>") };

    check_made(S("A: b\n\nx\n"), o,
               S("A: b\r\nFrom: me <m>\r\n\r\nx\r\n"));
    check_made(S("from: you\n\nx\n"), o, S("from: you\r\n\r\nx\r\n"));
    check_made(S("From: you\nResent-To: x\n"), o,
               S("From: you\r\nResent-To: x\r\nResent-From: me <m>\r\n"));
    check_made(S(""), o, S("From: me <m>\r\n"));
}

static void check_recipients(str input, str want)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS,
                                   .take_recipients = true };
    struct made m;
    struct buf b;

    make(&m, input, o);
    buf_init(&b, &m.a, 4096);
    for (size_t i = 0; i < m.out.recipients.n; i++)
        buf_fmt(&b, "%.*s|", STR(m.out.recipients.p[i]));
    check_str(buf_str(&b), want);
    arena_reset(&m.a);
}

TEST(mail_text_recipients)
{
    check_recipients(S("To: a@x, \"b, c\" <d@x>\nCc: g: e@x, f;\n"
                       "Bcc: (q) h@x\nSubject: to: no@x\n\nTo: body@x\n"),
                     S("a@x|d@x|e@x|f|h@x|"));
    check_recipients(S("To: a@x\nResent-To: b@x\nResent-Bcc: c@x\n"),
                     S("b@x|c@x|"));
    check_recipients(S("To: a@x\nResent-From: me\n"), S(""));
    check_recipients(S("To:\n b@x,\n\tc@x\n"), S("b@x|c@x|"));
    check_recipients(S("Subject: x\n\nTo: a@x\n"), S(""));
    check_recipients(S("To: a b@x \"c@x\", <>, @d, e@\n"),
                     S("a|b@x|c@x|@d|e@|"));
}

TEST(mail_text_eightbit)
{
    struct mail_text_options o = { .fix = FIX_ALWAYS };
    struct made m;

    make(&m, S("A: b\n\nx\n"), o);
    check(!m.out.eightbit);
    arena_reset(&m.a);
    make(&m, S("A: b\n\n\xc3\xa4\n"), o);
    check(m.out.eightbit);
    arena_reset(&m.a);
    make(&m, S("A: \xc3\xa4\n\nx\n"), o);
    check(m.out.eightbit);
    arena_reset(&m.a);
}

TEST(mail_text_full_names)
{
    struct arena a;

    arena_init(&a, 0);
    check_str(mail_text_from(S("Joe User"), S("j@x"), false, &a),
              S("Joe User <j@x>"));
    check_str(mail_text_from(S("Joe (F) \"x\", Inc"), S("j@x"), false, &a),
              S("\"Joe (F) \\\"x\\\", Inc\" <j@x>"));
    check_str(mail_text_from(S("Joe (F)"), S("j@x"), true, &a),
              S("j@x (Joe \\(F\\))"));
    check_str(mail_text_from(S(""), S("j@x"), false, &a), S("j@x"));
    check_str(mail_text_from(S("Joe"), S(""), false, &a),
              S("MAILER-DAEMON"));
    check_str(mail_text_from(S("a\r\nB: c"), S("j"), false, &a),
              S("\"a  B: c\" <j>"));
    arena_reset(&a);
}
