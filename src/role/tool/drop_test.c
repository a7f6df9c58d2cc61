/* SPDX-License-Identifier: ISC
 *
 * The format of maildrop files: every damage is seen.
 */
#include "role/tool/drop.h"

#include "test/unit/check.h"

static void sample(struct arena *a, struct buf *file)
{
    struct envelope e = { .arrival_us = 1234567, .flags = ENVELOPE_LOCAL,
                          .envid = S("id"), .size = 12 };
    struct recipient r = { .notify = NOTIFY_DELAY };

    check_ok(address_of(S("me@example.com"), a, &e.sender));
    check_ok(address_of(S("a b@example.net"), a, &r.address));
    r.original = r.address.text;
    vec_push(a, &e.recipients, r);
    buf_init(file, a, 1 << 20);
    drop_pack(&e, S("A: b\r\n\r\nx\r\n"), file);
    check(!file->over);
}

TEST(drop_and_back)
{
    struct arena a;
    struct envelope e;
    struct buf file;
    str text;

    arena_init(&a, 0);
    sample(&a, &file);
    check_ok(drop_unpack(buf_str(&file), &a, &e, &text));
    check_str(text, S("A: b\r\n\r\nx\r\n"));
    check_str(e.sender.text, S("me@example.com"));
    check_int(e.recipients.n, 1);
    check_str(e.recipients.p[0].address.text, S("a b@example.net"));
    check_int(e.recipients.p[0].notify, NOTIFY_DELAY);
    check_str(e.envid, S("id"));
    arena_reset(&a);
}

TEST(drop_damage)
{
    struct arena a;
    struct envelope e;
    struct buf file;
    str text;

    arena_init(&a, 0);
    sample(&a, &file);
    for (size_t n = 0; n < file.n; n++) {
        check_int(drop_unpack(str_head(buf_str(&file), n), &a, &e, &text),
                  ERR_END);
        file.p[n] = (char)(file.p[n] ^ 0x10);
        check(drop_unpack(buf_str(&file), &a, &e, &text) != OK);
        file.p[n] = (char)(file.p[n] ^ 0x10);
    }
    buf_byte(&file, 'x');
    check(drop_unpack(buf_str(&file), &a, &e, &text) != OK);
    arena_reset(&a);
}
