/* SPDX-License-Identifier: ISC
 *
 * Postfix' queue files: what is in them, and that every cut is seen.
 */
#include "role/tool/foreign.h"

#include "test/unit/check.h"

#define REC(type, size, text) type size text

/* As cleanup writes one, with a recipient that is done. */
static const char whole[] =
    REC("C", "\x5f", "             10             100               3"
                     "               0              10               0")
    REC("T", "\x11", "1795894848 698548")
    REC("A", "\x0f", "envelope_id=a+b")
    REC("A", "\x0b", "ret_flags=2")
    REC("S", "\x05", "a b@x")
    REC("A", "\x0d", "encoding=8bit")
    REC("A", "\x0f", "notify_flags=12")
    REC("A", "\x18", "dsn_orig_rcpt=rfc822;o@y")
    REC("O", "\x03", "o@y")
    REC("R", "\x03", "r@y")
    REC("O", "\x03", "d@y")
    REC("D", "\x03", "d@y")
    REC("R", "\x03", "s@y")
    "M\0"
    REC("N", "\x04", "S: x")
    "N\0"
    REC("L", "\x03", "one")
    REC("N", "\x04", " two")
    "X\0E";

TEST(foreign_whole)
{
    struct foreign_mail m;
    struct envelope *e = &m.envelope;
    struct arena a;

    arena_init(&a, 0);
    check_ok(foreign_read(str_of(whole, sizeof(whole)), &a, &m));
    check_str(m.text, S("S: x\r\n\r\none two\r\n"));
    check(e->arrival_us == INT64_C(1795894848698548));
    check_str(e->envid, S("a+b"));
    check_int(e->ret, RET_HDRS);
    check_str(e->sender.text, S("a b@x"));
    check(e->flags & ENVELOPE_8BIT);
    check(!(e->flags & ENVELOPE_SMTPUTF8));
    check_int(e->recipients.n, 2);
    check_str(e->recipients.p[0].address.text, S("r@y"));
    check_str(e->recipients.p[0].original, S("o@y"));
    check_str(e->recipients.p[0].orcpt, S("rfc822;o@y"));
    check_int(e->recipients.p[0].notify, NOTIFY_FAILURE | NOTIFY_DELAY);
    check_str(e->recipients.p[1].address.text, S("s@y"));
    check_str(e->recipients.p[1].original, S("s@y"));
    check_int(e->recipients.p[1].notify, 0);
    arena_reset(&a);
}

TEST(foreign_cut)
{
    struct foreign_mail m;
    struct arena a;

    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        arena_init(&a, 0);
        check(foreign_read(str_of(whole, n), &a, &m) == ERR_CORRUPT);
        arena_reset(&a);
    }
}

TEST(foreign_jumps)
{
    /* on to the recipient behind the text and back, and for ever */
    static const char jumps[] = "S\0p\x02" "16R\1bM\0p\x01" "0XxE\0";
    static const char circle[] = "S\0p\x01" "2M\0E\0";
    struct foreign_mail m;
    struct arena a;

    arena_init(&a, 0);
    check(foreign_read(str_of(jumps, sizeof(jumps)), &a, &m) == ERR_CORRUPT);
    check(foreign_read(str_of(circle, sizeof(circle)), &a, &m)
          == ERR_CORRUPT);
    arena_reset(&a);
}
