/* SPDX-License-Identifier: ISC
 *
 * ENVELOPE and BODYSTRUCTURE as text.
 */
#include "mail/structure.h"
#include "test/unit/check.h"

static void check_envelope(str header, str want)
{
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 1 << 16);
    structure_envelope(&b, &a, header);
    check_str(buf_str(&b), want);
    arena_reset(&a);
}

TEST(structure_envelope)
{
    check_envelope(S("Subject: a \"b\" \\\r\n c\r\n"
                     "From: \"F. X.\" <f@x.org>\r\n"
                     "To: one@a.b, G: two@c.d;\r\n"
                     "Message-Id: <1@x>\r\n\r\n"),
        S("(NIL \"a \\\"b\\\" \\\\ c\" ((\"F. X.\" NIL \"f\" \"x.org\")) "
          "((\"F. X.\" NIL \"f\" \"x.org\")) "
          "((\"F. X.\" NIL \"f\" \"x.org\")) "
          "((NIL NIL \"one\" \"a.b\")(NIL NIL \"G\" NIL)"
          "(NIL NIL \"two\" \"c.d\")(NIL NIL NIL NIL)) "
          "NIL NIL NIL \"<1@x>\")"));
    check_envelope(S("Subject: \xc3\xa4\r\n\r\n"),
        S("(NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL)"));
}

static void check_body(str message, bool extended, str want)
{
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 1 << 16);
    structure_body(&b, &a, message, mime_parse(&a, message), extended);
    check_str(buf_str(&b), want);
    arena_reset(&a);
}

TEST(structure_body)
{
    check_body(S("Subject: x\n\na\nb\n"), false,
               S("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
                 "\"7bit\" 6 2)"));
    check_body(S("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                 "--b\r\nContent-Type: image/png; name=\"x y\"\r\n"
                 "Content-Transfer-Encoding: base64\r\n"
                 "Content-Disposition: attachment; filename=x\r\n"
                 "Content-Language: de, en\r\n"
                 "\r\nAAAA\r\n"
                 "--b\r\nContent-Type: message/rfc822\r\n\r\n"
                 "Subject: in\r\n\r\nhi\r\n--b--\r\n"), true,
        S("((\"image\" \"png\" (\"name\" \"x y\") NIL NIL \"base64\" 4 NIL "
          "(\"attachment\" (\"filename\" \"x\")) (\"de\" \"en\") NIL)"
          "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 "
          "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
          "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
          "2 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)"
          " \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"));
    check_body(S("Content-Type: multipart/mixed; boundary=b\n\nnone\n"),
               false,
               S("((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
                 "\"7bit\" 0 0) \"mixed\")"));
}
