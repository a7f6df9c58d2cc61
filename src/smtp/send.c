/* SPDX-License-Identifier: ISC
 *
 * A transaction as a client.
 */
#include "smtp/client.h"

#include "smtp/dot.h"
#include "smtp/wire.h"

enum { OUT_MARK = 64 * 1024 };

static bool pipelines(const struct smtp_peer *p)
{
    return p->pipelining && p->manners.pipeline;
}

static void put_mail(struct smtp_peer *p, const struct smtp_transaction *x)
{
    const struct envelope *e = x->envelope;
    struct buf b;

    buf_init(&b, NULL, 16 * 1024);
    buf_fmt(&b, "MAIL FROM:<%.*s>", STR(x->sender));
    if (p->size)
        buf_fmt(&b, " SIZE=%" PRIu64, x->size);
    if (p->eightbit && (e->flags & ENVELOPE_8BIT))
        buf_add(&b, S(" BODY=8BITMIME"));
    if (p->utf8 && (e->flags & ENVELOPE_SMTPUTF8))
        buf_add(&b, S(" SMTPUTF8"));
    if (p->dsn && e->ret != RET_UNSAID)
        buf_add(&b, e->ret == RET_FULL ? S(" RET=FULL") : S(" RET=HDRS"));
    if (p->dsn && !str_empty(e->envid)) {
        buf_add(&b, S(" ENVID="));
        xtext_encode(&b, e->envid);
    }
    buf_add(&b, S("\r\n"));
    conn_put(p->conn, buf_str(&b));
    buf_free(&b);
}

static void put_notify(struct buf *b, int notify)
{
    static const struct { int bit; str word; } words[] = {
        { NOTIFY_NEVER, S_INIT("NEVER") },
        { NOTIFY_SUCCESS, S_INIT("SUCCESS") },
        { NOTIFY_FAILURE, S_INIT("FAILURE") },
        { NOTIFY_DELAY, S_INIT("DELAY") },
    };
    bool first = true;

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (notify & words[i].bit) {
            buf_add(b, first ? S(" NOTIFY=") : S(","));
            buf_add(b, words[i].word);
            first = false;
        }
}

/* What the client said of it, else how it came to us (RFC 3461 4.2). */
static void put_orcpt(struct buf *b, const struct recipient *r)
{
    if (!str_empty(r->orcpt)) {
        buf_add(b, S(" ORCPT="));
        orcpt_encode(b, r->orcpt);
    } else if (!str_empty(r->original) && str_is_ascii(r->original)) {
        struct arena a;
        arena_init(&a, 0);
        buf_add(b, S(" ORCPT=rfc822;"));
        xtext_encode(b, address_shown(r->original, &a));
        arena_reset(&a);
    }
}

static void put_rcpt(struct smtp_peer *p, const struct smtp_transaction *x,
                     size_t i)
{
    const struct recipient *r = x->rcpts[i];
    struct buf b;

    buf_init(&b, NULL, 16 * 1024);
    buf_fmt(&b, "RCPT TO:<%.*s>",
            STR(p->manners.quote ? address_external(&r->address, x->arena)
                                 : r->address.text));
    if (p->dsn) {
        put_notify(&b, r->notify);
        put_orcpt(&b, r);
    }
    buf_add(&b, S("\r\n"));
    conn_put(p->conn, buf_str(&b));
    buf_free(&b);
}

void smtp_send_envelope(struct smtp_peer *p, struct smtp_transaction *x)
{
    p->n_used++;
    x->rcpt = arena_array(x->arena, struct smtp_answer, x->n_rcpts);
    x->ends = arena_array(x->arena, struct smtp_answer, x->n_rcpts);
    put_mail(p, x);
    if (!pipelines(p))
        return;
    for (size_t i = 0; i < x->n_rcpts; i++)
        put_rcpt(p, x, i);
    conn_put(p->conn, S("DATA\r\n"));
}

static err read_mail(struct task *t, struct smtp_peer *p,
                     struct smtp_transaction *x)
{
    const struct wire_question q = {
        .command = "MAIL FROM command", .classes = "245",
        .limit_s = p->timeouts.mail_s, .alone = true,
    };

    p->stage = "sending MAIL FROM";
    return wire_ask(t, p, &q, x->arena, &x->mail);
}

static err read_rcpt(struct task *t, struct smtp_peer *p,
                     struct smtp_transaction *x, size_t i)
{
    const struct wire_question q = {
        .command = "RCPT TO command", .classes = "245",
        .limit_s = p->timeouts.rcpt_s, .alone = !pipelines(p),
    };

    p->stage = "sending RCPT TO";
    TRY(wire_ask(t, p, &q, x->arena, &x->rcpt[i]));
    if (x->rcpt[i].reply.code / 100 != 2)
        return OK;
    if (x->mail.reply.code / 100 == 2)
        x->n_accepted++;
    else
        p->broken = true; /* of which mail?  Not even a dot is sent */
    return OK;
}

/* Any 3xx asks for the text.  A 2xx would be the answer to something else. */
static err read_data(struct task *t, struct smtp_peer *p,
                     struct smtp_transaction *x)
{
    const struct wire_question q = {
        .command = "DATA command", .classes = "345",
        .limit_s = p->timeouts.data_init_s, .alone = !pipelines(p),
    };

    p->stage = "sending DATA command";
    TRY(wire_ask(t, p, &q, x->arena, &x->data));
    x->go = x->data.reply.code / 100 == 3 && !p->broken;
    return OK;
}

err smtp_read_envelope(struct task *t, struct smtp_peer *p,
                       struct smtp_transaction *x)
{
    bool pipelined = pipelines(p);

    TRY(read_mail(t, p, x));
    p->dirty = true;
    if (p->broken || (!pipelined && x->mail.reply.code / 100 != 2))
        return OK;
    for (size_t i = 0; i < x->n_rcpts; i++) {
        if (!pipelined)
            put_rcpt(p, x, i);
        TRY(read_rcpt(t, p, x, i));
        if (p->broken)
            return OK;
    }
    if (!pipelined && x->n_accepted == 0)
        return OK;
    if (!pipelined)
        conn_put(p->conn, S("DATA\r\n"));
    return read_data(t, p, x);
}

/* Adds a piece with its dots doubled; lines longer than line_max are broken,
 * the rest of one beginning with a blank.  *column: bytes of the line so
 * far. */
static void put_piece(const struct smtp_peer *p, str piece, size_t *column,
                      bool *line, struct buf *to)
{
    size_t most = p->manners.line_max ? p->manners.line_max : SIZE_MAX;
    size_t at = 0, from = 0;

    while (at < piece.n) {
        size_t lf = str_chr(str_skip(piece, at), '\n');
        size_t n = lf == STR_NONE ? piece.n - at : lf + 1;
        size_t end = n - (lf != STR_NONE); /* without CR LF */
        if (end > 0 && piece.p[at + end - 1] == '\r')
            end--;
        if (*column + end > most) {
            size_t fit = most > *column ? most - *column : 0;
            dot_encode(to, str_of(piece.p + from, at + fit - from), line);
            buf_add(to, S("\r\n "));
            *column = 1;
            at = from = at + fit;
            continue;
        }
        *column = lf == STR_NONE ? *column + end : 0;
        at += n;
    }
    dot_encode(to, str_skip(piece, from), line);
}

err smtp_send_text(struct task *t, struct smtp_peer *p,
                   struct smtp_transaction *x)
{
    bool line = true;
    size_t column = 0;
    str piece = S("");
    struct buf b;
    err e = OK;

    if (!x->go) { /* nobody wants it: be ready for the next */
        if (!p->broken)
            TRY(smtp_probe(t, p));
        return OK;
    }
    p->stage = "sending message body";
    buf_init(&b, NULL, 256 * 1024);
    while (x->n_accepted > 0 && !e
           && !(e = x->text.next(t, x->text.self, &piece))) {
        buf_clear(&b);
        put_piece(p, piece, &column, &line, &b);
        conn_put(p->conn, buf_str(&b));
        e = conn_drain(t, p->conn, after_s(t, p->timeouts.data_text_s));
    }
    buf_free(&b);
    if (e && e != ERR_END) {
        p->broken = true; /* half a message: only silence undoes it */
        return e;
    }
    if (!smtp_is_quiet(p))
        return OK; /* C1: what it says is heard without a dot */
    x->is_ended = true;
    conn_put(p->conn, line ? S(".\r\n") : S("\r\n.\r\n"));
    return OK;
}

err smtp_read_end(struct task *t, struct smtp_peer *p,
                  struct smtp_transaction *x)
{
    const struct wire_question q = {
        .command = "end of DATA command",
        .classes = x->is_ended ? "245" : "45",
        .limit_s = p->timeouts.data_done_s,
    };
    if (!x->go)
        return OK;
    if (x->is_ended)
        p->stage = "sending end of data -- message may be sent more than "
                   "once";
    if (!p->lmtp || !x->is_ended)
        TRY(wire_ask(t, p, &q, x->arena, &x->end));
    for (size_t i = 0; p->lmtp && i < x->n_rcpts; i++) {
        if (x->rcpt[i].reply.code / 100 != 2)
            continue;
        if (!x->is_ended)
            x->ends[i] = x->end; /* one word for all */
        else if (p->broken)
            return why(t, ERR_END, "lost connection"); /* after 421 */
        else
            TRY(wire_ask(t, p, &q, x->arena, &x->ends[i]));
    }
    p->broken |= !x->is_ended;
    p->dirty = false;
    return OK;
}
