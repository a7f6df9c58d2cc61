/* SPDX-License-Identifier: ISC
 *
 * From TLS to plaintext and back: a task more for the way up.
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

    while (!(e = conn_piece(t, r->c, PIECE, NEVER, &piece))
           && !(e = sock_write_str(t, r->plain, piece, NEVER)))
        continue;
    sock_shutdown(r->plain);    /* the reader ends, and so does down */
    return e == ERR_END ? OK : e;
}

static err down(struct task *t, struct relayed *r)
{
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
    err_ignore(down(t, &r));    /* the reader's end is the session's */
    group_close(t, &g);
}
