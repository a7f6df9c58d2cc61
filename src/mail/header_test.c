/* SPDX-License-Identifier: ISC
 *
 * Reading headers in pieces of any size, writing fields.
 */
#include "mail/header.h"

#include "test/unit/check.h"

static struct arena arena;

/* Feeds text in pieces and writes down what comes out. */
static str events(str text, size_t piece_max, size_t limit)
{
    struct header_reader r;
    struct header_field f;
    struct buf b;
    enum header_event e = HEADER_MORE;

    buf_init(&b, &arena, 100000);
    header_reader_init(&r, &arena, limit);
    while (text.n && (e == HEADER_MORE || e == HEADER_FIELD)) {
        str piece = str_head(text, piece_max);
        size_t before = piece.n;
        e = header_read(&r, &piece, &f);
        text = str_skip(text, before - piece.n);
        if (e == HEADER_FIELD)
            buf_fmt(&b, "{%.*s=%.*s%s}", STR(f.name), STR(f.value),
                    f.cut ? "..." : "");
    }
    while (e == HEADER_MORE || e == HEADER_FIELD) {
        e = header_finish(&r, &f);
        if (e == HEADER_FIELD)
            buf_fmt(&b, "{%.*s=%.*s%s}", STR(f.name), STR(f.value),
                    f.cut ? "..." : "");
    }
    buf_fmt(&b, "%s(%.*s)%.*s", e == HEADER_END ? "END" : "BODY", STR(f.raw),
            STR(text));
    return buf_str(&b);
}

/* The same of a reader that knows lines of mbox files. */
static str mbox_events(str text, size_t piece_max)
{
    struct header_reader r;
    struct header_field f;
    struct buf b;
    enum header_event e = HEADER_MORE;

    buf_init(&b, &arena, 10000);
    header_reader_init(&r, &arena, 1000);
    r.mbox_lines = true;
    while (text.n && (e == HEADER_MORE || e == HEADER_FIELD)) {
        str piece = str_head(text, piece_max);
        size_t before = piece.n;
        e = header_read(&r, &piece, &f);
        text = str_skip(text, before - piece.n);
        if (e == HEADER_FIELD)
            buf_fmt(&b, "{%.*s}", STR(f.raw));
    }
    buf_fmt(&b, "%s(%.*s)%.*s", e == HEADER_END ? "END" : "BODY", STR(f.raw),
            STR(text));
    return buf_str(&b);
}

TEST(mail_header_mbox_lines)
{
    arena_init(&arena, 0);
    for (size_t n = 1; n < 20; n++) {
        check_str(mbox_events(S("From a Mon\n>>From b\nA: c\n\nx"), n),
                  S("{X-Mailbox-Line: From a Mon\n}"
                    "{X-Mailbox-Line: >>From b\n}{A: c\n}END(\n)x"));
        check_str(mbox_events(S("A: c\nFrom a\nB: d\n"), n),
                  S("{A: c\n}BODY(From a)\nB: d\n"));
        check_str(mbox_events(S("From: a\n\n"), n), S("{From: a\n}END(\n)"));
        check_str(mbox_events(S("Frown a\n"), n), S("BODY(Frown a)\n"));
    }
    arena_reset(&arena);
}

static void all_pieces(const char *text, const char *want)
{
    for (size_t n = 1; n < 30; n++)
        check_str(events(str_from(text), n, 1000), str_from(want));
}

TEST(mail_header_read)
{
    arena_init(&arena, 0);
    all_pieces("A: b\r\nC:d\r\n\r\nbody", "{A=b}{C=d}END(\r\n)body");
    all_pieces("A: b\nC:d\n\nbody", "{A=b}{C=d}END(\n)body");
    all_pieces("A: b\r\n c\r\n\td\r\n\r\n", "{A=b\r\n c\r\n\td}END(\r\n)");
    all_pieces("A : b\n\n", "{A=b}END(\n)");
    all_pieces("A:\n\n", "{A=}END(\n)");
    all_pieces("A: b\nno header\nx", "{A=b}BODY(no h)eader\nx");
    all_pieces("\r\nbody", "END(\r\n)body");
    all_pieces("", "END()");
    all_pieces("A: b", "{A=b}END()");
    all_pieces("A: b\n", "{A=b}END()");
    all_pieces("A: b\nabc", "{A=b}BODY(abc)");
    all_pieces(":x\n\n", "BODY(:)x\n\n");
    all_pieces(" x: y\n\n", "BODY( )x: y\n\n");
    all_pieces("\rx\n\n", "BODY(\rx)\n\n");
    all_pieces("A: b\n\xc3: d\n", "{A=b}BODY(\xc3): d\n");
    arena_reset(&arena);
}

TEST(mail_header_limit)
{
    struct buf b;
    str got;

    arena_init(&arena, 0);
    buf_init(&b, &arena, 10000);
    buf_add(&b, S("A: 12345678901234567890123456789012345678901234567890"
                  "123456789012345678901234567890\n"));
    buf_add(&b, S(" second line is too long for what is left of it....."
                  "......\nB: c\n\n"));
    got = events(buf_str(&b), 7, 128);
    check(str_ends(got, S("567890...}{B=c}END(\n)")));

    buf_clear(&b);
    buf_add(&b, S("A: "));
    for (int i = 0; i < 5000; i++)
        buf_byte(&b, 'x');
    buf_add(&b, S("\n\n"));
    got = events(buf_str(&b), 1000, 128);
    check_int(got.n, 128 - 5 + 3 + 4 + 6);
    for (int i = 0; i < 3000; i++)
        buf_byte(&b, 'y');
    got = events(str_skip(buf_str(&b), 5010), 50, 128);
    check(str_starts(got, S("BODY(yyy")));
    arena_reset(&arena);
}

TEST(mail_header_known)
{
    check_int(header_find(S("resent-TO")), HEADER_RESENT_TO);
    check_int(header_find(S("X-Foo")), HEADER_OTHER);
    check_str(header_name(HEADER_MESSAGE_ID), S("Message-ID"));
    check_int(header_classes(HEADER_RESENT_CC),
              HEADER_HAS_RECIPIENT | HEADER_IS_RESENT);
}

TEST(mail_header_write)
{
    struct buf b;

    arena_init(&arena, 0);
    buf_init(&b, &arena, 10000);
    header_put(&b, S("Subject"), S("x\r\nBcc: evil\n\n\0y"));
    check_str(buf_str(&b), S("Subject: x  Bcc: evil   y\r\n"));
    buf_clear(&b);
    header_put(&b, S("To"), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com, "
                              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@example.com"));
    check_str(buf_str(&b),
              S("To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com,\r\n"
                " bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@example.com\r\n"));
    check_str(header_unfold(S("a,\r\n  b\t c \r\n"), &arena),
              S("a, b\t c"));
    buf_clear(&b);
    header_fmt(&b, S("X-N"), "%d", 5);
    check_str(buf_str(&b), S("X-N: 5\r\n"));
    arena_reset(&arena);
}
