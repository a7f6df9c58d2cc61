/* SPDX-License-Identifier: ISC
 *
 * The peer that mail is relayed to: it is slow, refuses for now or for ever,
 * breaks off, and holds what it is given against the ledger.
 */
#include "test/world/mail.h"

enum { IN_MAX = 1 << 20 };

struct visitor {
    struct world_mail *w;
    struct sock *s;
    struct buf in;
    struct arena memory;    /* of the transaction */
    when began, text_began; /* the next may come with a text */
    bool in_mail, null_sender;
    str rcpts[ARRIVAL_RCPTS];
    size_t n_rcpts;
    struct addressee *done[ARRIVAL_RCPTS * 4]; /* of this connection */
    size_t n_done;
};

static bool hostile(struct task *t, const struct visitor *v, uint64_t n)
{
    return !v->w->calm && one_in(t, n);
}

static err line(struct task *t, struct visitor *v, str *out)
{
    for (;;) {
        str have = buf_str(&v->in), one;
        size_t n;
        char *to;
        if (line_cut(&have, &one)) {
            *out = arena_str(&v->memory, str_trim(one));
            buf_shift(&v->in, one.n + 1);
            return OK;
        }
        to = buf_room(&v->in, 8192);
        if (!to)
            return ERR_LIMIT;
        TRY(sock_read(t, v->s, to, 8192, after_s(t, 400), &n));
        v->in.n += n;
    }
}

static err say_line(struct task *t, struct visitor *v, const char *text)
{
    if (hostile(t, v, 60))
        TRY(task_sleep(t, after_ms(t, (int64_t)below(t, 50000))));
    if (hostile(t, v, 150))
        return ERR_END;
    return sock_write_str(t, v->s, str_from(text), after_s(t, 60));
}

static str in_brackets(str s)
{
    size_t from = str_chr(s, '<'), to = str_rchr(s, '>');

    if (from == STR_NONE || to == STR_NONE || to < from)
        return S("");
    return str_head(str_skip(s, from + 1), to - from - 1);
}

static err on_rcpt(struct task *t, struct visitor *v, str cmd)
{
    str address = in_brackets(cmd);
    struct addressee *a = addressee_find(v->w, address);

    if (!v->in_mail)
        return say_line(t, v, "503 5.5.1 MAIL first\r\n");
    if (v->n_rcpts == ARRIVAL_RCPTS || hostile(t, v, 25))
        return say_line(t, v, "450 4.2.1 later\r\n");
    if (a && hostile(t, v, 25)) {
        a->rejected = true;
        return say_line(t, v, "550 5.1.1 nobody of that name\r\n");
    }
    v->rcpts[v->n_rcpts++] = arena_str(&v->memory, address);
    return say_line(t, v, "250 2.1.5 ok\r\n");
}

static err read_text(struct task *t, struct visitor *v, struct buf *text)
{
    str one;

    for (;;) {
        TRY(line(t, v, &one));
        if (str_eq(one, S(".")))
            return OK;
        if (one.n && one.p[0] == '.')
            one = str_skip(one, 1);
        buf_add(text, one);
        buf_add(text, S("\r\n"));
        if (hostile(t, v, 3000))
            return ERR_END;
    }
}

static void on_text(struct task *t, struct visitor *v, str text)
{
    struct arrival a = { .w = v->w, .began = v->began,
                         .null_sender = v->null_sender,
                         .rcpts = v->rcpts, .n_rcpts = v->n_rcpts };

    arrived(t, &a, text);
    for (size_t i = 0; i < a.n_to && v->n_done < ARRIVAL_RCPTS * 4; i++)
        v->done[v->n_done++] = a.to[i];
}

static err on_data(struct task *t, struct visitor *v)
{
    struct buf text;
    err e;

    if (v->n_rcpts == 0)
        return say_line(t, v, "554 5.5.1 no recipients\r\n");
    v->text_began = rt_now(t);
    TRY(say_line(t, v, "354 go on\r\n"));
    buf_init(&text, NULL, 1 << 20);
    e = read_text(t, v, &text);
    if (!e && hostile(t, v, 30)) {
        e = say_line(t, v, "451 4.3.0 later\r\n");
    } else if (!e) {
        if (hostile(t, v, 40))
            e = task_sleep(t, after_ms(t, (int64_t)below(t, 60000)));
        if (!e)
            on_text(t, v, buf_str(&text));
        if (!e && hostile(t, v, 60))
            e = ERR_END; /* taken, but nobody hears of it */
        if (!e)
            e = say_line(t, v, "250 2.0.0 taken\r\n");
        for (size_t i = 0; i < v->n_rcpts && !e; i++) {
            struct addressee *a = addressee_find(v->w, v->rcpts[i]);
            if (a)
                a->delivered = rt_now(t); /* only now it can be known */
        }
    }
    buf_free(&text);
    v->n_rcpts = 0;
    v->in_mail = false;
    return e;
}

static void confirm(struct task *t, struct visitor *v)
{
    for (size_t i = 0; i < v->n_done; i++)
        v->done[i]->confirmed = rt_now(t);
}

static err serve_command(struct task *t, struct visitor *v, str cmd)
{
    if (str_istarts(cmd, S("EHLO")))
        return say_line(t, v, one_in(t, 3)
                        ? "250-peer\r\n250-PIPELINING\r\n250 SIZE 1000000"
                          "\r\n" : "250-peer\r\n250 PIPELINING\r\n");
    if (str_istarts(cmd, S("MAIL"))) {
        v->n_rcpts = 0;
        v->in_mail = false;
        v->began = v->text_began ? v->text_began : rt_now(t);
        v->null_sender = str_empty(in_brackets(cmd));
        if (hostile(t, v, 40))
            return say_line(t, v, "451 4.3.2 later\r\n");
        v->in_mail = true;
        return say_line(t, v, "250 2.1.0 ok\r\n");
    }
    if (str_istarts(cmd, S("RCPT")))
        return on_rcpt(t, v, cmd);
    if (str_ieq(cmd, S("DATA")))
        return on_data(t, v);
    if (str_ieq(cmd, S("QUIT"))) {
        confirm(t, v);
        err_ignore(say_line(t, v, "221 bye\r\n")); /* as it likes */
        return ERR_END;
    }
    v->n_rcpts = 0;
    v->in_mail = false;
    return say_line(t, v, "250 ok\r\n");
}

static err visit(struct task *t, void *arg)
{
    struct visitor *v = arg;
    err e = say_line(t, v, hostile(t, v, 30) ? "421 4.3.2 not now\r\n"
                                             : "220 peer ESMTP\r\n");
    str cmd;

    while (!e) {
        e = line(t, v, &cmd);
        if (!e)
            e = serve_command(t, v, cmd);
        if (v->n_rcpts == 0)
            arena_reset(&v->memory);
    }
    sock_close(v->s);
    buf_free(&v->in);
    arena_reset(&v->memory);
    heap_free(v);
    return e == ERR_STOPPED ? e : OK;
}

err receiver_run(struct task *t, void *arg)
{
    struct receiver *r = arg;
    struct task_group g;
    err e = OK;

    group_open(t, &g);
    while (!e) {
        struct visitor *v;
        struct endpoint peer;
        struct sock *s;
        e = sock_accept(t, r->listener, NEVER, &s, &peer);
        if (e)
            break;
        v = heap_new(struct visitor);
        v->w = r->w;
        v->s = s;
        arena_init(&v->memory, 0);
        buf_init(&v->in, NULL, IN_MAX);
        group_go(&g, "visit", visit, v);
    }
    group_close(t, &g);
    return e == ERR_STOPPED ? OK : e;
}
