/* SPDX-License-Identifier: ISC
 *
 * Connections: lines, pieces, TLS.
 */
#include "net/conn.h"

#include "net/tls.h"
#include "test/unit/check.h"

struct ends {
    struct arena mem[2];
    struct conn *c[2];
};

static void ends_open(struct task *t, struct ends *e)
{
    struct sock *a, *b;
    int fd;

    check_ok(sock_pair(t, &a, &fd));
    check_ok(sock_adopt(t, fd, &b));
    arena_init(&e->mem[0], 0);
    arena_init(&e->mem[1], 0);
    e->c[0] = conn_new(&e->mem[0], a);
    e->c[1] = conn_new(&e->mem[1], b);
}

static void ends_close(struct ends *e)
{
    arena_reset(&e->mem[0]);
    arena_reset(&e->mem[1]);
}

static str line_of(struct task *t, struct conn *c, size_t max,
                   enum line_end want)
{
    str line = S("");
    enum line_end end = LINE_CUT;

    check_ok(conn_line(t, c, max, after_s(t, 5), &line, &end));
    check_int(end, want);
    return line;
}

TASK_TEST(conn_lines)
{
    struct ends e;
    str line;
    enum line_end end;

    ends_open(t, &e);
    conn_put(e.c[0], S("one\r\ntwo\n\r\nthirteen bytes\r\nabc"));
    check_ok(conn_flush(t, e.c[0], after_s(t, 5)));
    check_str(line_of(t, e.c[1], 10, LINE_CRLF), S("one"));
    check_str(line_of(t, e.c[1], 10, LINE_LF), S("two"));
    check_str(line_of(t, e.c[1], 10, LINE_CRLF), S(""));
    check_str(line_of(t, e.c[1], 10, LINE_CUT), S("thirteen b"));
    check_str(line_of(t, e.c[1], 10, LINE_CRLF), S("ytes"));
    check(conn_pending(e.c[1]));
    conn_close(e.c[0]);
    check_int(conn_line(t, e.c[1], 10, after_s(t, 5), &line, &end), ERR_END);
    ends_close(&e);
}

TASK_TEST(conn_line_at_limit)
{
    struct ends e;

    ends_open(t, &e);
    conn_put(e.c[0], S("0123456789\r\n0123456789\n0123456789x\n"));
    check_ok(conn_flush(t, e.c[0], after_s(t, 5)));
    check_str(line_of(t, e.c[1], 10, LINE_CRLF), S("0123456789"));
    check_str(line_of(t, e.c[1], 10, LINE_LF), S("0123456789"));
    check_str(line_of(t, e.c[1], 10, LINE_CUT), S("0123456789"));
    check_str(line_of(t, e.c[1], 10, LINE_LF), S("x"));
    ends_close(&e);
}

struct tls_side {
    struct conn *c;
    struct tls_context *ctx;
};

static err serve_tls(struct task *t, void *arg)
{
    struct tls_side *s = arg;
    str line;
    enum line_end end;

    TRY(conn_tls_accept(t, s->c, s->ctx, after_s(t, 5)));
    while (!conn_line(t, s->c, 1000, after_s(t, 5), &line, &end))
        conn_fmt(s->c, "got %.*s\r\n", STR(line));
    return OK;
}

TASK_TEST(conn_tls)
{
    struct ends e;
    struct arena a;
    str key, cert;
    struct tls_options o = { 0 };
    struct tls_pair pair;
    struct tls_side side;
    struct tls_context *client;
    struct task_group g;

    arena_init(&a, 0);
    ends_open(t, &e);
    check_ok(tls_self_signed(t, &a, S("mail.example"), 30, &key, &cert));
    pair = (struct tls_pair){ cert, key };
    o.pairs = &pair;
    o.n_pairs = 1;
    o.protocols = S(">=TLSv1.2, !SSLv3");
    check_ok(tls_server_new(t, &a, &o, &side.ctx));
    side.c = e.c[1];
    o = (struct tls_options){ .ca_pem = cert };
    check_ok(tls_client_new(t, &a, &o, &client));
    group_open(t, &g);
    group_go(&g, "server", serve_tls, &side);
    check_ok(conn_tls_connect(t, e.c[0], client, S("mail.example"),
                              after_s(t, 5)));
    check(conn_tls(e.c[0])->on);
    check(conn_tls(e.c[0])->peer_verified);
    check_str(conn_tls(e.c[0])->protocol, S("TLSv1.3"));
    check_str(conn_tls(e.c[0])->peer_name, S("mail.example"));
    for (int i = 0; i < 20; i++) {
        conn_put(e.c[0], S("hello\r\n"));
        check_str(line_of(t, e.c[0], 100, LINE_CRLF), S("got hello"));
    }
    conn_close(e.c[0]);
    check_ok(group_wait(t, &g, after_s(t, 5)));
    group_close(t, &g);
    ends_close(&e);
    o.protocols = S("TLSv9");
    check_int(tls_client_new(t, &a, &o, &client), ERR_SYNTAX);
    arena_reset(&a);
}
