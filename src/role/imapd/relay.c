/* SPDX-License-Identifier: ISC
 *
 * From TLS to plaintext and back: a task for each direction.
 */
#include "role/imapd/imapd.h"

enum { PIECE = 16 * 1024 };

struct relayed {
    struct conn *c;
    struct sock *plain;
};

static err up(struct task *t, void *arg)
{
    struct relayed *r = arg;
    str piece;
    err e;

    while (!(e = conn_piece(t, r->c, PIECE, NEVER, &piece)))
        TRY(sock_write_str(t, r->plain, piece, NEVER));
    sock_shutdown(r->plain);
    return e == ERR_END ? OK : e;
}

static err down(struct task *t, void *arg)
{
    struct relayed *r = arg;
    char *bytes = NULL;
    size_t n;
    err e = OK;

    while (!e) {
        e = sock_wait_readable(t, r->plain, NEVER);
        bytes = heap_resize(bytes, PIECE); /* none while idle */
        if (!e)
            e = sock_read(t, r->plain, bytes, PIECE, NEVER, &n);
        if (!e) {
            conn_put(r->c, str_of(bytes, n));
            e = conn_flush(t, r->c, NEVER);
        }
        heap_free(bytes);
        bytes = NULL;
    }
    return e;
}

void relay(struct task *t, struct conn *c, struct sock *plain)
{
    struct relayed r = { c, plain };
    struct task_group g;

    conn_split(c);
    group_open(t, &g);
    group_go(&g, "up", up, &r);
    group_go(&g, "down", down, &r);
    /* the reader's end is the session's; a client that left is told to it */
    while (g.n == 2 && !bell_wait(t, &g.ended, NEVER))
        continue;
    if (g.n == 1 && !g.first)
        err_ignore(group_wait(t, &g, after_s(t, 10))); /* last words */
    group_close(t, &g);
}
