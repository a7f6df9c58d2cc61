/* SPDX-License-Identifier: ISC
 *
 * The asking side of public/qmgr.
 */
#include "role/tool/queue_talk.h"

#include "spool/face.h"

enum { ANSWER_S = 600, CONNECT_S = 30 };

str queue_path(const struct conf *c, struct arena *a, str name)
{
    return arena_fmt(a, "%.*s/%.*s", STR(conf_str(c, P_queue_directory)),
                     STR(name));
}

err queue_talk_open(struct task *t, const struct conf *c,
                    struct queue_talk *out)
{
    struct endpoint at;
    struct sock *s;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = endpoint_unix(queue_path(c, &a, S("public/qmgr")), &at);
    arena_reset(&a);
    if (e)
        return why(t, e, "the queue directory's path is too long");
    TRY(sock_connect(t, &at, NULL, after_s(t, CONNECT_S), &s));
    *out = (struct queue_talk){ .port = NULL };
    return port_open(t, s, &out->port);
}

void queue_talk_close(struct queue_talk *q)
{
    port_close(q->port);
    q->port = NULL;
}

static err send_question(struct task *t, struct queue_talk *q, char verb,
                         str argument)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, argument.n + 16);
    buf_byte(&b, verb);
    if (verb != 'l' && verb != 'f')
        pack_str(&b, argument);
    e = port_send(t, q->port, &(struct frame){ .type = FACE_ADMIN,
                                               .id = ++q->asked,
                                               .body = buf_str(&b),
                                               .fd = -1 });
    buf_free(&b);
    return e;
}

err queue_talk_ask(struct task *t, struct queue_talk *q, char verb,
                   str argument, queue_talk_fn *fn, void *self, uint32_t *n)
{
    struct frame f;

    TRY(send_question(t, q, verb, argument));
    for (;;) {
        if (port_recv(t, q->port, after_s(t, ANSWER_S), &f))
            return why(t, ERR_END, "the queue manager went away");
        fd_close(f.fd);
        if (f.type == FACE_ROWS_END) {
            struct unpack u = unpack_of(f.body);
            uint32_t count = unpack_u32(&u);
            err e = (err)unpack_u8(&u);
            if (!unpack_end(&u))
                return why(t, ERR_PEER, "a bad answer of the queue manager");
            *n = count;
            return e ? why(t, e, "the queue manager says: %s", err_name(e))
                     : OK;
        }
        if (f.type == FACE_DAMAGE) {
            if (q->memory)
                q->damage = arena_str(q->memory, f.body);
            continue;
        }
        if (f.type != FACE_ROW)
            return why(t, ERR_PEER, "a bad answer of the queue manager");
        if (fn)
            TRY(fn(t, self, f.body));
    }
}
