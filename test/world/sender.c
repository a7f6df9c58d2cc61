/* SPDX-License-Identifier: ISC
 *
 * Clients: they send letters, one after another, and note what they were
 * promised.  A reply that does not come leaves it open.
 */
#include "test/world/mail.h"

#include <stdio.h>

enum { PATIENCE_S = 90, LETTERS_MAX = 6 };

/* By the default transport, another one, and the deliver role. */
static const char *const domains[] = { "dest.test", "other.test", "box.test" };
enum { N_DOMAINS = sizeof(domains) / sizeof(*domains) };

struct client {
    struct world_mail *w;
    struct sock *s;
    char in[2048];
    size_t n;
};

struct letter *letter_find(struct world_mail *w, uint64_t id)
{
    return id > 0 && id <= w->letters.n ? w->letters.p[id - 1] : NULL;
}

void letter_text(const struct letter *l, struct buf *to)
{
    size_t start = to->n;
    uint64_t x = l->id * 2654435761u + 1;

    buf_fmt(to, "X-Sim: %" PRIu64 "\r\nSubject: letter\r\n"
            "From: sender@origin.test\r\nTo: reader@dest.test\r\n"
            "Date: Mon, 5 Jan 2026 08:00:00 +0000\r\n"
            "Message-Id: <%" PRIu64 "@origin.test>\r\n\r\n", l->id, l->id);
    while (to->n - start < l->size) {
        size_t n = 1 + x % 70;
        if (x % 11 == 0)
            buf_byte(to, '.'); /* dots are to be stuffed */
        for (size_t i = 0; i < n; i++)
            buf_byte(to, (char)('a' + (x >> i % 50) % 26));
        buf_add(to, S("\r\n"));
        x = x * 6364136223846793005u + 1442695040888963407u;
        x ^= x >> 33;
    }
}

static struct letter *letter_new(struct task *t, struct world_mail *w)
{
    struct letter *l = arena_new(&w->memory, struct letter);

    l->n_rcpts = one_in(t, 3) ? 1 + (int)below(t, RCPTS_MAX) : 1;
    l->size = one_in(t, 12) ? (uint32_t)below(t, 150000)
                            : 50 + (uint32_t)below(t, 3000);
    vec_push(&w->memory, &w->letters, l);
    l->id = w->letters.n;
    return l;
}

bool line_cut(str *rest, str *line)
{
    return str_chr(*rest, '\n') != STR_NONE && str_cut(rest, '\n', line);
}

/* A whole reply; its code. */
static err reply(struct task *t, struct client *c, int *code)
{
    when until = after_s(t, PATIENCE_S);

    for (;;) {
        str have = str_of(c->in, c->n), line;
        uint64_t value;
        size_t n;
        while (line_cut(&have, &line)) {
            bool last = line.n >= 4 && line.p[3] != '-';
            if (line.n < 4 || !str_uint(str_head(line, 3), 999, &value))
                return ERR_PEER;
            if (!last)
                continue;
            memmove(c->in, have.p, have.n);
            c->n = have.n;
            *code = (int)value;
            return OK;
        }
        if (c->n == sizeof(c->in))
            return ERR_LIMIT;
        TRY(sock_read(t, c->s, c->in + c->n, sizeof(c->in) - c->n, until,
                      &n));
        c->n += n;
    }
}

static err command(struct task *t, struct client *c, int *code,
                   const char *text)
{
    TRY(sock_write_str(t, c->s, str_from(text), after_s(t, PATIENCE_S)));
    return reply(t, c, code);
}

static void dot_stuffed(const struct letter *l, struct buf *to)
{
    struct buf text;
    str rest, line;

    buf_init(&text, NULL, 1 << 20);
    letter_text(l, &text);
    rest = buf_str(&text);
    while (line_cut(&rest, &line)) {
        if (line.n && line.p[0] == '.')
            buf_byte(to, '.');
        buf_add(to, line);
        buf_byte(to, '\n');
    }
    buf_free(&text);
}

/* In pieces, sometimes slowly. */
static err send_text(struct task *t, struct client *c, const struct letter *l)
{
    struct buf b;
    bool slow = one_in(t, 15);
    err e = OK;

    buf_init(&b, NULL, 1 << 20);
    dot_stuffed(l, &b);
    for (str left = buf_str(&b); left.n > 0 && !e;) {
        size_t n = 1 + below(t, 30000);
        e = sock_write_str(t, c->s, str_head(left, n),
                           after_s(t, PATIENCE_S));
        left = str_skip(left, n);
        if (slow && !e)
            e = task_sleep(t, after_ms(t, (int64_t)below(t, 8000)));
    }
    buf_free(&b);
    return e;
}

static err send_letter(struct task *t, struct client *c)
{
    struct letter *l = letter_new(t, c->w);
    char text[200];
    int code, n_taken = 0;

    snprintf(text, sizeof(text), "MAIL FROM:<s%" PRIu64 "@origin.test>\r\n",
             l->id);
    TRY(command(t, c, &code, text));
    for (int i = 0; i < l->n_rcpts && code == 250; i++) {
        snprintf(text, sizeof(text), "RCPT TO:<r%" PRIu64 ".%d@%s>\r\n",
                 l->id, i, domains[(l->id + (uint64_t)i) % N_DOMAINS]);
        TRY(command(t, c, &code, text));
        n_taken += code == 250;
    }
    if (code != 250 || n_taken < l->n_rcpts) {
        c->w->r->tally->refused++;
        return command(t, c, &code, "RSET\r\n");
    }
    TRY(command(t, c, &code, "DATA\r\n"));
    if (code != 354)
        return OK;
    TRY(send_text(t, c, l));
    if (one_in(t, 40))
        return ERR_END; /* changes its mind */
    l->sent = true;
    TRY(command(t, c, &code, ".\r\n"));
    l->promised = code == 250;
    c->w->r->tally->sealed += l->promised;
    c->w->r->tally->refused += !l->promised;
    return OK;
}

static err session(struct task *t, struct client *c)
{
    uint64_t n = 1 + below(t, LETTERS_MAX);
    int code;

    TRY(reply(t, c, &code));
    TRY(command(t, c, &code, "EHLO client.sim.test\r\n"));
    for (uint64_t i = 0; i < n && !c->w->closing; i++)
        TRY(send_letter(t, c));
    return command(t, c, &code, "QUIT\r\n");
}

err sender_run(struct task *t, void *arg)
{
    struct world_mail *w = arg;

    while (!w->closing) {
        struct client c = { .w = w };
        err e = sock_connect(t, &w->relay_at, NULL, after_s(t, 30), &c.s);
        if (!e) {
            e = session(t, &c);
            sock_close(c.s);
        }
        if (e == ERR_STOPPED)
            return e;
        TRY(task_sleep(t, after_ms(t, 100 + (int64_t)below(t, 4000))));
    }
    return OK;
}
