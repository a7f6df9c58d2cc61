/* SPDX-License-Identifier: ISC
 *
 * Connections: an input buffer that is borrowed only while there is input,
 * an output buffer that leaves before anybody sleeps.
 *
 * I1  in_at <= in_n <= IN_SIZE; in is NULL when both are zero.
 * I2  Before a read waits, all output has been written.
 */
#include "net/conn.h"

#include "net/session.h"

enum {
    IN_SIZE = 32 * 1024,
    OUT_MARK = 16 * 1024,
    OUT_MAX = 64 * 1024 * 1024,
};

struct conn {
    struct sock *sock;
    struct arena *arena;
    struct tls_session *tls;
    struct tls_facts facts;
    char *in;
    size_t in_at, in_n;
    struct buf out;
    size_t out_at;
    bool closed, split;
    struct conn_counts counts;
};

static void conn_done(void *arg)
{
    conn_close(arg);
}

struct conn *conn_new(struct arena *a, struct sock *s)
{
    struct conn *c = arena_new(a, struct conn);

    c->sock = s;
    c->arena = a;
    buf_init(&c->out, NULL, OUT_MAX);
    arena_own(a, conn_done, c);
    return c;
}

void conn_close(struct conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    if (c->tls)
        tls_session_close(c->tls);
    sock_close(c->sock);
    heap_free(c->in);
    c->in = NULL;
    buf_free(&c->out);
}

struct conn_counts conn_counts(const struct conn *c)
{
    return c->counts;
}

struct sock *conn_sock(struct conn *c)
{
    return c->sock;
}

bool conn_pending(const struct conn *c)
{
    return c->in_n > c->in_at;
}

size_t conn_discard(struct conn *c)
{
    size_t n = c->in_n - c->in_at;

    heap_free(c->in);
    c->in = NULL;
    c->in_at = c->in_n = 0;
    return n;
}

/* --- output -------------------------------------------------------------- */

void conn_put(struct conn *c, str bytes)
{
    buf_add(&c->out, bytes);
}

void conn_fmt(struct conn *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vfmt(&c->out, fmt, ap);
    va_end(ap);
}

static err write_some(struct task *t, struct conn *c, when until)
{
    str left = str_skip(buf_str(&c->out), c->out_at);
    bool want_read = false;
    size_t n = 0;
    err e = c->tls ? tls_session_write(c->tls, left, &n, &want_read)
                   : sock_write_some(c->sock, left, &n);

    if (e)
        return why(t, e, "lost connection");
    c->out_at += n;
    c->counts.out += n;
    if (n > 0)
        return OK;
    return want_read ? sock_wait_readable(t, c->sock, until)
                     : sock_wait_writable(t, c->sock, until);
}

err conn_flush(struct task *t, struct conn *c, when until)
{
    if (c->closed)
        return why(t, ERR_END, "lost connection");
    if (c->out.over)
        return why(t, ERR_LIMIT, "too much output");
    while (c->out_at < c->out.n)
        TRY(write_some(t, c, until));
    c->out_at = 0;
    if (c->out.cap > OUT_MARK)
        buf_free(&c->out);
    buf_clear(&c->out);
    return OK;
}

err conn_drain(struct task *t, struct conn *c, when until)
{
    task_breathe(t);            /* it stands in every loop that answers */
    return c->out.n > OUT_MARK ? conn_flush(t, c, until) : OK;
}

/* --- input --------------------------------------------------------------- */

static err read_some(struct conn *c, char *to, size_t max, size_t *n,
                     bool *want_write)
{
    *want_write = false;
    return c->tls ? tls_session_read(c->tls, to, max, n, want_write)
                  : sock_read_some(c->sock, to, max, n);
}

err conn_look(struct conn *c)
{
    bool want_write;
    size_t n = 0;
    err e;

    if (conn_pending(c))
        return OK;
    if (c->closed)
        return ERR_END;
    if (!c->in)
        c->in = heap_resize(NULL, IN_SIZE);
    c->in_at = c->in_n = 0;
    e = read_some(c, c->in, IN_SIZE, &n, &want_write);
    c->in_n = n;
    c->counts.in += n;
    if (n == 0)
        conn_discard(c);
    return n > 0 ? OK : e;
}

/* Adds to the buffer; at least one byte. */
static err fill(struct task *t, struct conn *c, when until)
{
    if (c->closed)
        return why(t, ERR_END, "lost connection");
    if (c->in_at > 0) {
        c->in_n -= c->in_at;
        if (c->in_n)
            memmove(c->in, c->in + c->in_at, c->in_n);
        c->in_at = 0;
    }
    for (;;) {
        bool want_write;
        size_t n = 0;
        err e;

        if (!c->in)
            c->in = heap_resize(NULL, IN_SIZE);
        e = read_some(c, c->in + c->in_n, IN_SIZE - c->in_n, &n, &want_write);
        if (n > 0) {
            c->in_n += n;
            c->counts.in += n;
            return OK;
        }
        if (e)
            return why(t, e, "lost connection");
        if (c->in_n == 0)
            conn_discard(c); /* an idle connection holds no buffer */
        if (c->out.n && !c->split)
            TRY(conn_flush(t, c, until)); /* I2 */
        TRY(want_write && !c->split ? sock_wait_writable(t, c->sock, until)
                       : sock_wait_readable(t, c->sock, until));
    }
}

err conn_line(struct task *t, struct conn *c, size_t max, when until,
              str *line, enum line_end *end)
{
    size_t seen = 0;

    must(max > 0 && max <= IN_SIZE - 2);
    for (;;) {
        str have = { c->in ? c->in + c->in_at : "", c->in_n - c->in_at };
        size_t lf = str_chr(str_skip(have, seen), '\n');

        if (lf != STR_NONE && (lf += seen) <= max + 1) {
            bool cr = lf > 0 && have.p[lf - 1] == '\r';
            if (lf - cr <= max) {
                *line = str_head(have, lf - cr);
                *end = cr ? LINE_CRLF : LINE_LF;
                c->in_at += lf + 1;
                return OK;
            }
        }
        if (have.n > max + 1 || lf != STR_NONE) {
            *line = str_head(have, max);
            *end = LINE_CUT;
            c->in_at += max;
            return OK;
        }
        seen = have.n;
        TRY(fill(t, c, until));
    }
}

err conn_piece(struct task *t, struct conn *c, size_t max, when until,
               str *piece)
{
    size_t n;

    if (!conn_pending(c))
        TRY(fill(t, c, until));
    n = c->in_n - c->in_at;
    if (n > max)
        n = max;
    *piece = (str){ c->in + c->in_at, n };
    c->in_at += n;
    return OK;
}

void conn_unread(struct conn *c, size_t n)
{
    must(n <= c->in_at);
    c->in_at -= n;
}

err conn_wait(struct task *t, struct conn *c, when until)
{
    return conn_pending(c) ? OK : fill(t, c, until);
}

void conn_feed(struct conn *c, str bytes)
{
    must(!c->in && bytes.n <= IN_SIZE);
    if (bytes.n == 0)
        return;
    c->in = heap_resize(NULL, IN_SIZE);
    memcpy(c->in, bytes.p, bytes.n);
    c->in_at = 0;
    c->in_n = bytes.n;
}

void conn_split(struct conn *c)
{
    c->split = true;
}

str conn_take(struct conn *c, struct arena *a)
{
    str taken = arena_str(a, str_of(c->in ? c->in + c->in_at : "",
                                    c->in_n - c->in_at));

    conn_discard(c);
    return taken;
}

struct sock *conn_release(struct conn *c)
{
    struct sock *s = c->sock;

    must(!c->tls && !c->closed && !conn_pending(c) && c->out.n == 0);
    c->sock = NULL;
    conn_close(c);
    return s;
}

/* --- TLS ----------------------------------------------------------------- */

static err tls_start(struct task *t, struct conn *c, struct tls_context *ctx,
                     bool server, str name, when until)
{
    must(!c->tls);
    TRY(conn_flush(t, c, until));
    if (conn_pending(c))
        return why(t, ERR_PEER, "data before the TLS handshake");
    TRY(tls_session_open(t, c->arena, ctx, c->sock, server, name, until,
                         &c->tls));
    tls_session_facts(c->tls, c->arena, &c->facts);
    return OK;
}

err conn_tls_accept(struct task *t, struct conn *c, struct tls_context *ctx,
                    when until)
{
    return tls_start(t, c, ctx, true, S(""), until);
}

err conn_tls_connect(struct task *t, struct conn *c, struct tls_context *ctx,
                     str server_name, when until)
{
    return tls_start(t, c, ctx, false, server_name, until);
}

const struct tls_facts *conn_tls(const struct conn *c)
{
    return &c->facts;
}
