/* SPDX-License-Identifier: ISC
 *
 * The pure parts of postmap and postalias.
 */
#include "role/tool/postmap.h"

#include "test/unit/check.h"

static str alias(struct arena *a, const char *line)
{
    str name, value;
    const char *trouble = postalias_line(a, str_from(line), &name, &value);

    if (trouble)
        return str_from(trouble);
    return arena_fmt(a, "%.*s=%.*s", STR(name), STR(value));
}

TEST(tool_postalias_line)
{
    static const char *const cases[][2] = {
        { "a: b", "a=b" },
        { "a: b,c@d,\n  \"|cmd x y\", :include:/f",
          "a=b, c@d, \"|cmd x y\", :include:/f" },
        { "a: a\"b c\"d", "a=a \"b c\" d" },
        { "a: a , b ,, c,", "a=a, b, , c, " },
        { "a: a   b", "a=a b" },
        { "a: a\\,b", "a=\"a,b\"" },
        { "a: \\root", "a=root" },
        { "a: \"x\\y\\\"z\\\\\"", "a=\"xy\\\"z\\\\\"" },
        { "a: a (c(d)e\\)f) b", "a=a (c(d)e\\)f) b" },
        { "a: foo (comment) bar, <baz@x>", "a=foo (comment) bar, <baz@x>" },
        { "a: |\"x y\"", "a=|\"x y\"" },
        { "a: user@[1.2.3.4] b", "a=user@[1.2.3.4] b" },
        { "a: \"unt", "a=\"unt\"" },
        { "a: (unt", "a=(unt" },
        { "a: b . c", "a=b.c" },
        { "a:: x", "a=:x" },
        { "\"q n\": x", "q n=x" },
        { "a\"b\"c: x", "a b c=x" },
        { "\"a@b\": x", "a@b=x" },
        { "a@b: x", "name must be local" },
        { "a,b: x", "need name:value pair" },
        { "novalue:", "need name:value pair" },
        { "nothing", "need name:value pair" },
        { ": x", "need name:value pair" },
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_str(alias(&a, cases[i][0]), str_from(cases[i][1]));
    arena_reset(&a);
}

/* The keys with "|" between. */
static str cut(struct arena *a, const char *message, bool headers,
               bool bodies, bool mime)
{
    struct postmap_keys keys;
    struct buf out;

    buf_init(&out, a, 10000);
    postmap_message(a, str_from(message), headers, bodies, mime, &keys);
    for (size_t i = 0; i < keys.n; i++) {
        if (i)
            buf_byte(&out, '|');
        buf_add(&out, keys.p[i]);
    }
    return buf_str(&out);
}

TEST(tool_postmap_message)
{
    static const char message[] =
        "From: a\nSubject: b\n c\n"
        "Content-Type: multipart/mixed; boundary=x\n\npre\n--x\n"
        "Content-Type: text/plain\n\nbody\n--x\n"
        "Content-Type: message/rfc822\n\nTo: n\n\nnested\n--x--\nepi\n";
    struct arena a;

    arena_init(&a, 0);
    check_str(cut(&a, message, true, false, false),
              S("From: a|Subject: b\n c|Content-Type: multipart/mixed; "
                "boundary=x"));
    check_str(cut(&a, message, true, false, true),
              S("From: a|Subject: b\n c|Content-Type: multipart/mixed; "
                "boundary=x|Content-Type: text/plain|"
                "Content-Type: message/rfc822|To: n"));
    check_str(cut(&a, message, false, true, true),
              S("|pre|--x||body|--x|||nested|--x--|epi"));
    check_str(cut(&a, "no header\na: b\n", true, false, false), S(""));
    check_str(cut(&a, "no header\na: b\n", false, true, false),
              S("|no header|a: b"));
    check_str(cut(&a, "a: b\nno header\nc: d\n", false, true, false),
              S("|no header|c: d"));
    check_str(cut(&a, "", true, true, true), S(""));
    arena_reset(&a);
}
