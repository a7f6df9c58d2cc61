/* SPDX-License-Identifier: ISC
 *
 * From the door to a reader.
 */
#include "role/imapd/imapd.h"

enum { READER_WAIT_S = 15, ASK_AGAIN_S = 5, TEXT_MAX = 4096,
       INPUT_MAX = 32 * 1024 };

void reader_start_pack(const struct reader_start *s, struct buf *to)
{
    pack_u8(to, s->pop3);
    pack_str(to, s->pass);
    pack_str(to, s->tag);
    pack_str(to, s->home);
    pack_str(to, s->location);
    pack_u64(to, s->quota);
    pack_str(to, s->client);
    pack_str(to, s->input);
    pack_i64(to, s->idle_s);
    pack_u64(to, s->message_max);
}

err reader_start_unpack(str packed, struct reader_start *out)
{
    struct unpack u = unpack_of(packed);
    struct reader_start s = { .pop3 = unpack_u8(&u) != 0 };

    s.pass = unpack_str(&u, PASS_SIZE_MAX);
    s.tag = unpack_str(&u, TEXT_MAX);
    s.home = unpack_str(&u, TEXT_MAX);
    s.location = unpack_str(&u, TEXT_MAX);
    s.quota = unpack_u64(&u);
    s.client = unpack_str(&u, TEXT_MAX);
    s.input = unpack_str(&u, INPUT_MAX);
    s.idle_s = unpack_i64(&u);
    s.message_max = unpack_u64(&u);
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    *out = s;
    return OK;
}

static struct reader_port *reader_get(struct imapd *d, uint32_t uid)
{
    struct reader_port *r = map_get(&d->readers, str_of(&uid, sizeof(uid)));

    if (!r) {
        r = arena_new(d->role->memory, struct reader_port);
        r->uid = uid;
        map_put(&d->readers, str_of(&r->uid, sizeof(r->uid)), r);
    }
    return r;
}

static void ask(struct task *t, struct imapd *d, struct reader_port *r,
                str pass)
{
    r->asked = rt_now(t);
    if (d->role->control)
        port_answer(d->role->control, &(struct frame){
                        .type = CONTROL_WANT, .body = pass, .fd = -1 });
}

err reader_hand(struct task *t, struct imapd *d, uint32_t uid,
                const struct reader_start *s, int fd)
{
    struct reader_port *r = reader_get(d, uid);
    when until = after_s(t, READER_WAIT_S);
    struct buf b;
    err e;

    while (!r->port) {
        if (!r->asked
            || rt_now(t) - r->asked > (when)ASK_AGAIN_S * 1000000)
            ask(t, d, r, s->pass);
        TRY(bell_wait(t, &d->reader_came, until));
    }
    buf_init(&b, NULL, PORT_BODY_MAX);
    reader_start_pack(s, &b);
    e = port_send(t, r->port, &(struct frame){ .type = READER_SESSION,
                                               .body = buf_str(&b),
                                               .fd = fd });
    buf_free(&b);
    return e;
}
