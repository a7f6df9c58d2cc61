/* SPDX-License-Identifier: ISC
 *
 * Records and their offsets, as Postfix' postcat prints a message of its own.
 */
#include "role/tool/queue_file.h"

#include "test/unit/check.h"

static void check_put(int show, uint64_t from, str want)
{
    struct envelope e = { .arrival_us = 1795494716447215,
                          .flags = ENVELOPE_LOCAL };
    struct recipient r = { .orcpt = S("rfc822;c@example.org"),
                           .original = S("c@example.org") };
    struct queue_file f = { .name = S("deferred/X"), .envelope = &e,
                            .text = S("A: b\r\n\r\nx\r\n") };
    bool done = true;
    struct arena a;
    struct buf to;

    arena_init(&a, 0);
    check_ok(address_of(S("me@example.com"), &a, &e.sender));
    check_ok(address_of(S("c@example.org"), &a, &r.address));
    vec_push(&a, &e.recipients, r);
    f.done = &done;
    buf_init(&to, &a, 1 << 20);
    queue_file_put(&f, show, from, 0, &to);
    check_str(buf_str(&to), want);
    arena_reset(&a);
}

TEST(queue_file_all)
{
    int all = SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;

    check_put(all | SHOW_OFFSETS | SHOW_TYPES, 0, S(
"*** ENVELOPE RECORDS deferred/X ***\n"
"        0  67 message_size:              11             247               1 "
"              0              11               0\n"
"       97  84 message_arrival_time: Tue Nov 24 04:31:56 2026\n"
"      116  65 create_time: Tue Nov 24 04:31:56 2026\n"
"      140  65 named_attribute: rewrite_context=local\n"
"      163  83 sender: me@example.com\n"
"      179  65 named_attribute: dsn_orig_rcpt=rfc822;c@example.org\n"
"      215  79 original_recipient: c@example.org\n"
"      230  68 done_recipient: c@example.org\n"
"      245  77 *** MESSAGE CONTENTS deferred/X ***\n"
"      247  78 A: b\n"
"      253  78 \n"
"      255  78 x\n"
"      258  88 *** HEADER EXTRACTED deferred/X ***\n"
"      260  69 *** MESSAGE FILE END deferred/X ***\n"));
    check_put(all, 250, S("\nx\n"
                          "*** HEADER EXTRACTED deferred/X ***\n"
                          "*** MESSAGE FILE END deferred/X ***\n"));
}

TEST(queue_file_parts)
{
    check_put(SHOW_HEADER, 0, S("A: b\n"));
    check_put(SHOW_BODY, 0, S("\nx\n"));
    check_put(SHOW_BODY | SHOW_NAMES, 0,
              S("regular_text: \nregular_text: x\n"));
}
