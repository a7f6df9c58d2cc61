/* SPDX-License-Identifier: ISC
 *
 * For the tests of this room: the queue manager at the other end of the port
 * for mail that deliveries make, played by the test.
 */
#ifndef ROLE_DELIVER_QUEUE_FIXTURE_H
#define ROLE_DELIVER_QUEUE_FIXTURE_H

#include "role/deliver/fixture.h"

/* Numbers for messages. */
static inline void stage_numbers(struct task *t, struct stage *s,
                                 uint64_t first, uint32_t n)
{
    struct buf b;

    buf_init(&b, &s->a, 64);
    pack_u64(&b, first);
    pack_u32(&b, n);
    check_ok(port_send(t, s->queue, &(struct frame){
                 .type = FACE_NUMBERS, .body = buf_str(&b), .fd = -1 }));
}

/* The next message that is submitted: its number. */
static inline uint64_t stage_submission(struct task *t, struct stage *s,
                                        struct envelope *env, str *body)
{
    struct frame f = { .fd = -1 };
    struct buf b;
    err e;

    buf_init(&b, &s->a, 1 << 20);
    while (!(e = port_recv(t, s->queue, after_s(t, 20), &f))) {
        if (f.type == FACE_DATA)
            buf_add(&b, f.body);
        if (f.type == FACE_END)
            break;
    }
    check_ok(e);
    if (e)
        return 0;
    check_ok(envelope_unpack(arena_str(&s->a, f.body), &s->a, env));
    *body = buf_str(&b);
    return f.id;
}

static inline void stage_ack(struct task *t, struct stage *s,
                             uint64_t number, enum face_status status)
{
    char c = (char)status;

    check_ok(port_send(t, s->queue, &(struct frame){
                 .type = FACE_ACK, .id = number, .body = str_of(&c, 1),
                 .fd = -1 }));
}

#endif
