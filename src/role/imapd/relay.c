/* SPDX-License-Identifier: ISC
 *
 * From TLS to plaintext and back.  One task waits for both sides; only while
 * a side does not take what the other gave, a second one carries what goes
 * up, so that neither waits for the other.
 *
 * I1  At rest nothing is on its way: neither side waits for us.
 * I2  Nothing that was read is lost: the second task is only stopped while
 *     it waits for the client.
 */
#include "role/imapd/imapd.h"

enum { PIECE = 16 * 1024, BUSY_S = 2 };

struct relayed {
    struct conn *c;
    struct sock *plain;
    bool up_over;       /* the client says no more */
    bool up_writes;     /* I2 */
};

/* What there is of the client's, without waiting; *all is false when the
 * reader does not take all of it now. */
static err up_some(struct task *t, struct relayed *r, bool *all)
{
    str piece;
    size_t n = 0;
    err e = conn_piece(t, r->c, PIECE, rt_now(t), &piece);

    *all = true;
    if (e == ERR_LATE)
        return OK;
    if (e == ERR_END) {
        r->up_over = true;
        sock_shutdown(r->plain);    /* the reader ends, and so do we */
        return OK;
    }
    TRY(e);
    TRY(sock_write_some(r->plain, piece, &n));
    conn_unread(r->c, piece.n - n);
    *all = n == piece.n;
    return OK;
}

/* What there is of the reader's into the client's output. */
static err down_some(struct relayed *r)
{
    char *bytes = heap_resize(NULL, PIECE); /* none while idle */
    size_t n = 0;
    err e = sock_read_some(r->plain, bytes, PIECE, &n);

    conn_put(r->c, str_of(bytes, n));
    heap_free(bytes);
    return e;
}

static err up(struct task *t, void *arg)
{
    struct relayed *r = arg;
    str piece;
    err e = OK;

    while (!e && !(e = conn_piece(t, r->c, PIECE, NEVER, &piece))) {
        r->up_writes = true;
        e = sock_write_str(t, r->plain, piece, NEVER);
        r->up_writes = false;
    }
    if (e == ERR_STOPPED)
        return e;
    r->up_over = true;
    sock_shutdown(r->plain);
    return OK;
}

/* Both ways at once, until there was nothing for a while. */
static err busy(struct task *t, struct relayed *r)
{
    struct task_group g;
    err e = OK;

    group_open(t, &g);
    if (!r->up_over)
        group_go(&g, "up", up, r);
    for (;;) {
        e = conn_flush(t, r->c, NEVER);
        if (!e)
            e = sock_wait_readable(t, r->plain, after_s(t, BUSY_S));
        if (e == ERR_LATE && !r->up_writes) {
            e = OK;
            break;
        }
        if (!e)
            e = down_some(r);
        if (e && e != ERR_LATE)
            break;
    }
    group_close(t, &g);
    return e;
}

/* One round at rest. */
static err carry(struct task *t, struct relayed *r)
{
    bool all = true;
    err e;

    TRY(r->up_over ? sock_wait_readable(t, r->plain, NEVER)
                   : sock_wait_either(t, conn_sock(r->c), r->plain, NEVER));
    if (sock_readable(r->plain)) {
        TRY(down_some(r));
        e = conn_flush(t, r->c, rt_now(t));
        if (e == ERR_LATE)
            return busy(t, r);
        TRY(e);
    }
    if (!r->up_over && sock_readable(conn_sock(r->c)))
        TRY(up_some(t, r, &all));
    return all ? OK : busy(t, r);
}

void relay(struct task *t, struct conn *c, struct sock *plain)
{
    struct relayed r = { .c = c, .plain = plain };

    conn_split(c);
    while (!carry(t, &r))
        continue; /* the reader's end is the session's */
}
