/* SPDX-License-Identifier: ISC
 *
 * MIME: trees, values, words, encodings, the wire.
 */
#include "mail/charset.h"
#include "mail/mime.h"
#include "mail/mime_text.h"
#include "test/unit/check.h"

static str part_body(str m, const struct mime_part *p)
{
    return str_head(str_skip(m, p->body.at), p->body.size);
}

static const struct mime_part *at(const struct mime_part *root, uint32_t a,
                                  uint32_t b, uint32_t c)
{
    uint32_t path[3] = { a, b, c };

    return mime_part_find(root, path, c ? 3 : b ? 2 : 1);
}

TEST(mime_plain)
{
    struct arena a;
    str m = S("From: a@b\r\nSubject: x\r\n y\r\n\r\nline 1\r\nline 2");
    struct mime_part *p;
    struct mime_field f;
    str header;

    arena_init(&a, 0);
    p = mime_parse(&a, m);
    check_int(p->kind, MIME_LEAF);
    check_int(p->header.size, mime_header_size(m));
    check_int(p->header.lines, 4);
    check_int(p->body.lines, 1);
    check_int(p->body.bare, 0);
    check_str(part_body(m, p), S("line 1\r\nline 2"));
    check(at(p, 1, 0, 0) == p);
    check(!at(p, 2, 0, 0));
    check(!at(p, 1, 1, 0));
    header = str_head(m, p->header.size);
    check(mime_field_next(&header, &f));
    check_str(f.name, S("From"));
    check(mime_field_next(&header, &f));
    check_str(f.value, S(" x\r\n y"));
    check_str(mime_unfold(&a, f.value), S("x y"));
    check(!mime_field_next(&header, &f));
    check_str(header, S("\r\n"));
    arena_reset(&a);
}

TEST(mime_no_body_no_header)
{
    struct arena a;
    struct mime_part *p;

    arena_init(&a, 0);
    p = mime_parse(&a, S(""));
    check_int(p->header.size + p->body.size, 0);
    p = mime_parse(&a, S("Subject: only\n"));
    check_int(p->header.size, 14);
    check_int(p->header.bare, 1);
    check_int(p->body.size, 0);
    p = mime_parse(&a, S("\nbody"));
    check_int(p->header.size, 1);
    check_int(p->body.size, 4);
    arena_reset(&a);
}

static const char nested[] =
    "Content-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n"
    "preamble\r\n"
    "--out er\r\n\r\n"
    "first\r\n\r\n"
    "--out er\r\n"
    "Content-Type: multipart/alternative; boundary=in\r\n\r\n"
    "--in\r\nContent-Type: text/html\r\n\r\n<p>\r\n"
    "--in\r\n\r\n"                          /* not closed */
    "--inside is no boundary\r\n"
    "--out er \t\r\n"
    "Content-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\n"
    "Content-Type: multipart/digest; boundary=dig\r\n\r\n"
    "--dig\r\n\r\nSubject: d1\r\n\r\nd1 body\r\n"
    "--dig--\r\n"
    "--out er--\r\nepilogue\r\n--out er\r\n";

TEST(mime_nested)
{
    struct arena a;
    str m = str_from(nested);
    const struct mime_part *root, *p;
    size_t n = 0;

    arena_init(&a, 0);
    root = mime_parse(&a, m);
    check_int(root->n, 3);
    check_str(part_body(m, at(root, 1, 0, 0)), S("first\r\n"));
    check_int(at(root, 1, 0, 0)->body.lines, 1);
    check_str(part_body(m, at(root, 2, 1, 0)), S("<p>"));
    check_str(part_body(m, at(root, 2, 2, 0)),
              S("--inside is no boundary"));
    p = at(root, 3, 0, 0);
    check_int(p->kind, MIME_MESSAGE);
    check_int(p->first->kind, MIME_MULTIPART);
    p = at(root, 3, 1, 0);
    check_int(p->kind, MIME_MESSAGE);           /* a digest's default */
    check_str(part_body(m, at(root, 3, 1, 1)), S("d1 body"));
    check(!at(root, 4, 0, 0));
    check(!at(root, 1, 1, 0));
    for (p = root; p; p = mime_part_after(p))
        n++;
    check_int(n, 9);
    arena_reset(&a);
}

TEST(mime_bounds)
{
    struct arena a;
    struct buf m;
    const struct mime_part *p;
    size_t depth = 0, n = 0;

    arena_init(&a, 0);
    buf_init(&m, &a, 1 << 20);
    for (int i = 0; i < 300; i++)
        buf_fmt(&m, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
                i, i);
    for (p = mime_parse(&a, buf_str(&m)); p; p = p->first)
        depth++;
    check_int(depth, MIME_DEPTH_MAX);
    buf_clear(&m);
    buf_add(&m, S("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (int i = 0; i < 20000; i++)
        buf_add(&m, S("--b\n\n\n"));
    for (p = mime_parse(&a, buf_str(&m)); p; p = mime_part_after(p))
        n++;
    check_int(n, MIME_PARTS_MAX);
    buf_clear(&m);
    for (int i = 0; i < 300; i++)
        buf_add(&m, S("Content-Type: message/rfc822\n\n"));
    for (p = mime_parse(&a, buf_str(&m)), depth = 0; p; p = p->first)
        depth++;
    check_int(depth, MIME_DEPTH_MAX);
    arena_reset(&a);
}

TEST(mime_values)
{
    struct arena a;
    struct mime_value v;
    str out;

    arena_init(&a, 0);
    check(mime_value_parse(&a, S(" text/plain (x(y)) ; charset = \"a\\\"b\";"
                                 "format=flowed; junk; name=a b"), &v));
    check_str(v.head, S("text"));
    check_str(v.sub, S("plain"));
    check_int(v.n, 3);
    check_str(v.params[0].value, S("a\"b"));
    check_str(v.params[1].name, S("format"));
    check_str(v.params[2].value, S("a"));
    check(!mime_value_parse(&a, S(" (nothing) "), &v));

    check(mime_value_parse(&a, S("attachment; filename*0*=us-ascii'en'a%20b;"
                                 " filename*1=\"c%20\"; filename*2*=%2e"),
                           &v));
    check(mime_param_find(&a, &v, S("filename"), &out));
    check_str(out, S("a bc%20."));
    check(mime_value_parse(&a, S("a; filename*=iso-8859-1''%e4"), &v));
    check(mime_param_find(&a, &v, S("filename"), &out));
    check_str(out, S("\xc3\xa4"));
    check(mime_value_parse(&a, S("a; filename=\"=?utf-8?q?=C3=A4?=\""), &v));
    check(mime_param_find(&a, &v, S("FILENAME"), &out));
    check_str(out, S("\xc3\xa4"));
    check(!mime_param_find(&a, &v, S("name"), &out));
    arena_reset(&a);
}

static void check_words(str in, str want)
{
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, &a, 4096);
    mime_words_decode(&b, in);
    check_str(buf_str(&b), want);
    arena_reset(&a);
}

TEST(mime_words)
{
    check_words(S("plain text"), S("plain text"));
    check_words(S("=?utf-8?Q?a_b=3F?= c"), S("a b? c"));
    check_words(S("x =?iso-8859-1?q?=e4?=\r\n =?iso-8859-1?q?=f6?= y"),
                S("x \xc3\xa4\xc3\xb6 y"));
    check_words(S("=?utf-8?B?w6Q=?="), S("\xc3\xa4"));
    /* a character cut in two */
    check_words(S("=?utf-8?Q?=C3?= =?UTF-8?Q?=A4?="), S("\xc3\xa4"));
    check_words(S("=?utf-8*de?Q?=C3=A4?="), S("\xc3\xa4"));
    check_words(S("=?windows-1251?Q?=CF?= ok"), S("\xd0\x9f ok"));
    check_words(S("=?iso-2022-jp?B?GyRCJCIbKEI=?="), S("\xe3\x81\x82"));
    check_words(S("=?broken?Q?x"), S("=?broken?Q?x"));
    check_words(S("=?utf-8?X?x?= z"), S("=?utf-8?X?x?= z"));
    check_words(S("a\xff z"), S("a\xef\xbf\xbd z"));
    check_words(S("a =?utf-8?q?" "?= b"), S("a  b"));
}

static void check_decode(enum mime_encoding e, str in, str want)
{
    /* in all ways of cutting it in two */
    for (size_t i = 0; i <= in.n; i++) {
        struct mime_decoder d = mime_decoder_of(e);
        struct buf b;
        buf_init(&b, NULL, 4096);
        mime_decode(&d, str_head(in, i), &b);
        mime_decode(&d, str_skip(in, i), &b);
        mime_decode_end(&d, &b);
        check_str(buf_str(&b), want);
        buf_free(&b);
    }
}

TEST(mime_decoding)
{
    check_decode(MIME_BASE64, S("aGVs\r\nbG8gd29y bGQ="), S("hello world"));
    check_decode(MIME_BASE64, S("aGVsbG8*"), S("hello"));
    check_decode(MIME_BASE64, S("aGU=trailing"), S("he"));
    check_decode(MIME_QUOTED, S("a=3Db=\r\nc  \r\nd=E4 e"),
                 S("a=bc\r\nd\xe4 e"));
    check_decode(MIME_QUOTED, S("x=zz =  \nnext=\n"), S("x=zz next"));
    check_decode(MIME_QUOTED, S("end  "), S("end"));
    check_decode(MIME_IDENTITY, S("a=3D"), S("a=3D"));
}

TEST(mime_wire)
{
    str m = S("A: b\nC: d\r\n\nx\n\ny\r\nz\n");
    str want = S("A: b\r\nC: d\r\n\r\nx\r\n\r\ny\r\nz\r\n");
    struct mime_span all = mime_span_of(m);

    check_int(all.size + all.bare, want.n);
    for (size_t from = 0; from <= want.n + 1; from++) {
        for (size_t max = 0; max <= want.n; max++) {
            struct mime_wire w = mime_wire_of(m, &all);
            char room[7];
            struct buf b;
            str piece;
            buf_init(&b, NULL, 100);
            mime_wire_skip(&w, from);
            mime_wire_limit(&w, max);
            check_int(w.left, str_head(str_skip(want, from), max).n);
            while ((piece = mime_wire_next(&w, room, sizeof(room))).n)
                buf_add(&b, piece);
            check_str(buf_str(&b), str_head(str_skip(want, from), max));
            buf_free(&b);
        }
    }
}

TEST(mime_charsets)
{
    struct arena a;
    struct charset *c;
    struct buf b;
    str cut = S("\xe2\x82\xac");

    arena_init(&a, 0);
    buf_init(&b, &a, 100);
    c = charset_open(&a, S("utf-8"));
    for (size_t i = 0; i < cut.n; i++)
        charset_convert(c, str_head(str_skip(cut, i), 1), i == 2, &b);
    check_str(buf_str(&b), cut);
    buf_clear(&b);
    charset_convert(c, S("a\xe2\x82"), false, &b);
    charset_convert(c, S(""), true, &b);
    check_str(buf_str(&b), S("a\xef\xbf\xbd\xef\xbf\xbd"));
    check(!charset_open(&a, S("no-such-charset")));
    check(!charset_open(&a, S("utf-16//IGNORE")));
    check(charset_known(S("Shift_JIS")));
    check_int(charset_fold(0xc4), 0xe4);
    check_int(charset_fold(0x100), 0x101);
    check_int(charset_fold(0x179), 0x17a);
    check_int(charset_fold(0x410), 0x430);
    check_int(charset_fold(0x3a3), 0x3c3);
    arena_reset(&a);
}

TEST(mime_search)
{
    struct arena a;
    str m = S("Subject: =?utf-8?q?=C3=84pfel?=\n"
              "Content-Type: text/plain; charset=iso-8859-1\n"
              "Content-Transfer-Encoding: quoted-printable\n\n"
              "Gr=FC=\n=DFe aus K=D6LN\n");
    struct mime_part *p;
    struct mime_needle n;

    arena_init(&a, 0);
    p = mime_parse(&a, m);
    n = mime_needle_of(&a, S("gr\xc3\xbc\xc3\x9f"), S(""));
    check(mime_message_holds(m, p, &n, false));
    n = mime_needle_of(&a, S("k\xf6ln"), S("iso-8859-1"));
    check(mime_message_holds(m, p, &n, false));
    n = mime_needle_of(&a, S("\xc3\xa4PFEL"), S("utf-8"));
    check(!mime_message_holds(m, p, &n, false));
    check(mime_message_holds(m, p, &n, true));
    check(mime_value_holds(S("=?utf-8?q?=C3=84pfel?="), &n));
    arena_reset(&a);
}
