/* SPDX-License-Identifier: ISC
 *
 * Dots and line ends, in one piece and cut everywhere.
 */
#include "smtp/dot.h"

#include "test/unit/check.h"

static str decode(struct arena *a, str wire, size_t piece, str *left)
{
    struct dot_decoder d = { DOT_LINE, false };
    struct buf out;

    buf_init(&out, a, 1 << 16);
    while (wire.n && d.state != DOT_END) {
        str in = str_head(wire, piece);
        str got;
        wire = str_skip(wire, in.n);
        while ((got = dot_decode(&d, &in)).n)
            buf_add(&out, got);
        *left = arena_cat(a, in, wire);
        check(in.n == 0 || d.state == DOT_END);
    }
    check_int(d.state, DOT_END);
    return buf_str(&out);
}

TEST(dot_decodes)
{
    static const struct { str wire, text, left; } cases[] = {
        { S_INIT(".\r\n"), S_INIT(""), S_INIT("") },
        { S_INIT("a\r\n.\r\nQUIT\r\n"), S_INIT("a\r\n"), S_INIT("QUIT\r\n") },
        { S_INIT("..a\r\n...\r\n.b\r\n.\r\n"), S_INIT(".a\r\n..\r\nb\r\n"),
          S_INIT("") },
        { S_INIT("a\n.\nb\r\n.\r\n"), S_INIT("a\r\n\r\nb\r\n"), S_INIT("") },
        { S_INIT("a\n.\r\nb\r\n.\r\n"), S_INIT("a\r\n\r\nb\r\n"),
          S_INIT("") },
        { S_INIT("a\r\n.\nb\r\n.\r\n"), S_INIT("a\r\n\r\nb\r\n"),
          S_INIT("") },
        { S_INIT("a\rb\r\r\n.\r\n"), S_INIT("a b \r\n"), S_INIT("") },
        { S_INIT("a\r\n.\rb\r\n.\r\n"), S_INIT("a\r\n b\r\n"), S_INIT("") },
        { S_INIT("\r\n\n\r\n.\r\n"), S_INIT("\r\n\r\n\r\n"), S_INIT("") },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t piece = 1; piece < 30; piece++) {
            struct arena a;
            str left = S("");
            arena_init(&a, 0);
            check_str(decode(&a, cases[i].wire, piece, &left),
                      cases[i].text);
            check_str(left, cases[i].left);
            arena_reset(&a);
        }
}

TEST(dot_encodes)
{
    struct arena a;
    struct buf b;
    bool line = true;

    arena_init(&a, 0);
    buf_init(&b, &a, 1000);
    dot_encode(&b, S(".a\r\n.\r\nb.\r\n"), &line);
    dot_encode(&b, S(".c"), &line);
    dot_encode(&b, S(".d\r\n"), &line);
    check_str(buf_str(&b), S("..a\r\n..\r\nb.\r\n..c.d\r\n"));
    check(line);
    arena_reset(&a);
}
