/* SPDX-License-Identifier: ISC
 *
 * 8-bit mail in seven bits.
 */
#include "mail/downgrade.h"

#include "test/unit/check.h"

static void becomes(str in, str want)
{
    struct arena a;
    struct buf out;

    arena_init(&a, 0);
    buf_init(&out, &a, 1 << 20);
    mime_downgrade(in, &a, &out);
    check_str(buf_str(&out), want);
    arena_reset(&a);
}

TEST(downgrade_text)
{
    becomes(S("Subject: x\r\nContent-Transfer-Encoding: 8bit\r\n"
              "MIME-Version: 1.0\r\n\r\nGr\xc3\xbc = x \r\n\tT\t\r\nend"),
            S("Subject: x\r\nMIME-Version: 1.0\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
              "Gr=C3=BC =3D x=20\r\n\tT=09\r\nend"));
    becomes(S("Subject: x\r\n\r\n\xc3\xbc\r\n"),
            S("Subject: x\r\n\r\n\xc3\xbc\r\n"));
    becomes(S("Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"),
            S("Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"));
    becomes(S(""), S(""));
}

TEST(downgrade_parts)
{
    becomes(S("Content-Type: multipart/mixed; boundary=b\r\n"
              "Content-Transfer-Encoding: 8bit\r\n\r\npre\r\n"
              "--b\r\n\r\nplain\r\n"
              "--b\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\r\n"
              "--b--\r\npost\r\n"),
            S("Content-Type: multipart/mixed; boundary=b\r\n"
              "Content-Transfer-Encoding: 7bit\r\n\r\npre\r\n"
              "--b\r\n\r\nplain\r\n"
              "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
              "=FF\r\n"
              "--b--\r\npost\r\n"));
    becomes(S("Content-Type: message/rfc822\r\n"
              "Content-Transfer-Encoding: 8bit\r\n\r\n"
              "Subject: in\r\nContent-Transfer-Encoding: 8bit\r\n\r\n=\r\n"),
            S("Content-Type: message/rfc822\r\n"
              "Content-Transfer-Encoding: 7bit\r\n\r\n"
              "Subject: in\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n=3D\r\n"));
}

TEST(downgrade_long_lines)
{
    struct arena a;
    struct buf in, out;
    str line, rest;

    arena_init(&a, 0);
    buf_init(&in, &a, 4096);
    buf_init(&out, &a, 1 << 16);
    for (int i = 0; i < 300; i++)
        buf_add(&in, i % 3 ? S("x") : S("\xe4"));
    quoted_printable_encode(buf_str(&in), &out);
    for (rest = buf_str(&out); str_cut(&rest, '\n', &line);)
        check(line.n <= 77); /* with its CR */
    arena_reset(&a);
}
