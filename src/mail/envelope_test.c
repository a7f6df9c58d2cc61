/* SPDX-License-Identifier: ISC
 *
 * Envelopes and queue ids.
 */
#include "mail/envelope.h"
#include "mail/queue_id.h"

#include "test/unit/check.h"

static void sample(struct arena *a, struct envelope *e)
{
    struct recipient r = { .notify = NOTIFY_DELAY, .orcpt = S("rfc822;o@p"),
                           .original = S("orig@x"),
                           .transport = S("smtp:[127.0.0.1]:10025") };

    *e = (struct envelope){ .arrival_us = 1795489910123456, .flags = 5,
                            .ret = RET_HDRS, .size = 1234, .hops = 3 };
    check_ok(address_of(S("sender@example.com"), a, &e->sender));
    e->client.name = S("host.example");
    e->client.port = 25;
    e->client.tls = S("TLSv1.3");
    e->envid = S("id");
    check_ok(address_of(S("a b@example.com"), a, &r.address));
    vec_push(a, &e->recipients, r);
    r = (struct recipient){ 0 };
    check_ok(address_of(S("second"), a, &r.address));
    vec_push(a, &e->recipients, r);
}

TEST(mail_envelope_pack)
{
    struct arena a, b;
    struct envelope e, back, copy;
    struct buf packed, again;

    arena_init(&a, 0);
    arena_init(&b, 0);
    sample(&a, &e);
    buf_init(&packed, &a, 10000);
    envelope_pack(&e, &packed);
    check_ok(envelope_unpack(buf_str(&packed), &b, &back));
    envelope_copy(&back, &b, &copy);
    check_int(copy.arrival_us, e.arrival_us);
    check_str(copy.sender.domain, S("example.com"));
    check_str(copy.recipients.p[0].address.local, S("a b"));
    check_str(copy.recipients.p[0].transport, S("smtp:[127.0.0.1]:10025"));
    check_int(copy.recipients.n, 2);
    buf_init(&again, &a, 10000);
    envelope_pack(&copy, &again);
    check_str(buf_str(&again), buf_str(&packed));
    for (size_t n = 0; n < packed.n; n++)
        check_int(envelope_unpack(str_head(buf_str(&packed), n), &b, &back),
                  ERR_CORRUPT);
    arena_reset(&a);
    arena_reset(&b);
}

TEST(mail_envelope_lies)
{
    struct arena a;
    struct envelope e, back;
    struct buf packed;

    arena_init(&a, 0);
    sample(&a, &e);
    e.envid = S("x\nBcc: y");
    buf_init(&packed, &a, 10000);
    envelope_pack(&e, &packed);
    check_int(envelope_unpack(buf_str(&packed), &a, &back), ERR_CORRUPT);
    e.envid = S("");
    e.sender.text = S("a@b c");
    buf_clear(&packed);
    envelope_pack(&e, &packed);
    check_int(envelope_unpack(buf_str(&packed), &a, &back), ERR_CORRUPT);
    arena_reset(&a);
}

TEST(mail_queue_id)
{
    static const uint64_t numbers[] = { 1, 50, 51, 0x54a1b2, UINT64_MAX };
    uint64_t n;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct queue_id s = queue_id_make(numbers[i], 1795489910123456, false);
        struct queue_id l = queue_id_make(numbers[i], 1795489910123456, true);
        check(queue_id_number(queue_id_str(&s), &n) && n == numbers[i]);
        check(queue_id_number(queue_id_str(&l), &n) && n == numbers[i]);
    }
    check_str(str_from(queue_id_make(0x54a1b2, 50239239447, false).text),
              S("3A75754A1B2"));
    check(!queue_id_number(S(""), &n));
    check(!queue_id_number(S("00000"), &n));
    check(!queue_id_number(S("000000"), &n));
    check(!queue_id_number(S("GGGGGG"), &n));
    check(!queue_id_number(S("../../x"), &n));
    check(!queue_id_valid(S("a/b")));
    check(queue_id_valid(S("4FgTdq3rLnz2bT")));
}
