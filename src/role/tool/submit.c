/* SPDX-License-Identifier: ISC
 *
 * A submission is one SMTP transaction; recipients that must wait make the
 * whole message wait, so that nothing is sent twice.
 */
#include "role/tool/submit.h"

#include "mail/esmtp.h"
#include "role/tool/queue_talk.h"

#include <unistd.h>

enum { CONNECT_S = 30, STEP_S = 300, DONE_S = 600, LINE_MAX_ = 4096,
       PIECE = 64 * 1024, BOUNCE_MAX = 500,
       AT_ONCE = 100 }; /* so many answers fit into the socket */

struct reader {
    str left;
};

static err next_piece(struct task *t, void *self, str *piece)
{
    struct reader *r = self;

    (void)t;
    if (str_empty(r->left))
        return ERR_END;
    *piece = str_head(r->left, PIECE);
    r->left = str_skip(r->left, PIECE);
    return OK;
}

err submit_connect(struct task *t, const struct conf *c, struct sock **out)
{
    struct endpoint at;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = endpoint_unix(queue_path(c, &a, S("public/pickup")), &at);
    arena_reset(&a);
    if (e)
        return why(t, e, "the queue directory's path is too long");
    return sock_connect(t, &at, NULL, after_s(t, CONNECT_S), out);
}

static void judge(struct submit_result *r, struct reply reply)
{
    r->reply = reply;
    r->outcome = reply.code / 100 == 5 ? SUBMIT_REFUSED : SUBMIT_LATER;
}

/* Says whose mail it is.  Any answer will do. */
static err say_whose(struct task *t, struct smtp_peer *p,
                     const struct submit_mail *m)
{
    enum line_end end;
    str line;

    if (!m->for_other && !(m->envelope->flags & ENVELOPE_NO_REWRITE))
        return OK;
    conn_fmt(p->conn, "XPICKUP UID=%u%s",
             m->for_other ? m->uid : (uint32_t)getuid(),
             m->envelope->flags & ENVELOPE_NO_REWRITE ? " GATEWAY" : "");
    if (m->since_us > 0)
        conn_fmt(p->conn, " SINCE=%" PRId64, m->since_us);
    if (!str_empty(m->bounce)) {
        struct buf b;
        buf_init(&b, p->memory, LINE_MAX_);
        xtext_encode(&b, str_head(m->bounce, BOUNCE_MAX));
        conn_fmt(p->conn, " BOUNCE=%.*s", STR(buf_str(&b)));
    }
    conn_put(p->conn, S("\r\n"));
    do
        TRY(conn_line(t, p->conn, LINE_MAX_, after_s(t, STEP_S), &line,
                      &end));
    while (line.n > 3 && line.p[3] == '-');
    return OK;
}

static err hello(struct task *t, struct smtp_peer *p, struct arena *a,
                 struct submit_result *out)
{
    struct smtp_answer answer;

    TRY(smtp_read_greeting(t, p, a, &answer));
    if (answer.reply.code == 220)
        TRY(smtp_say_helo(t, p, a, &answer));
    if (answer.reply.code / 100 == 2)
        return OK;
    judge(out, answer.reply);
    out->outcome = SUBMIT_LATER; /* refusing us is not about the mail */
    return ERR_PEER;
}

/* Looks at the answers before the text is sent; false: no text. */
static bool envelope_good(const struct smtp_transaction *x, struct arena *a,
                          struct submit_result *out)
{
    if (x->mail.reply.code / 100 != 2) {
        judge(out, x->mail.reply);
        return false;
    }
    for (size_t i = 0; i < x->n_rcpts; i++) {
        struct reply r = x->rcpt[i].reply;
        if (r.code / 100 == 2)
            continue;
        judge(out, r);
        if (r.code / 100 != 5)
            return false;
        vec_push(a, &out->refused, (uint32_t)i);
        out->refused_with = r;
    }
    if (x->n_accepted == 0)
        return false;
    if (!x->go)
        judge(out, x->data.reply);
    return x->go;
}

static err transaction(struct task *t, struct smtp_peer *p,
                       const struct submit_mail *m, struct arena *a,
                       struct submit_result *out)
{
    const struct envelope *env = m->envelope;
    struct reader reader = { m->text };
    size_t n = env->recipients.n;
    const struct recipient **rcpts = arena_array(a, const struct recipient *,
                                                 n);
    struct smtp_transaction x = {
        .sender = address_external(&env->sender, a),
        .envelope = env,
        .rcpts = rcpts,
        .n_rcpts = n,
        .size = m->source.next ? m->source_size : m->text.n,
        .text = m->source.next ? m->source
                               : (struct smtp_text){ &reader, next_piece },
        .arena = a,
    };

    for (size_t i = 0; i < n; i++)
        rcpts[i] = &env->recipients.p[i];
    smtp_send_envelope(p, &x);
    TRY(smtp_read_envelope(t, p, &x));
    if (!envelope_good(&x, a, out))
        return ERR_PEER;
    TRY(smtp_send_text(t, p, &x));
    TRY(smtp_read_end(t, p, &x));
    judge(out, x.end.reply);
    if (x.end.reply.code / 100 == 2)
        out->outcome = SUBMIT_TAKEN;
    return OK;
}

void submit(struct task *t, const struct conf *c,
            const struct submit_mail *m, struct arena *a,
            struct submit_result *out)
{
    struct smtp_peer p = {
        .memory = a,
        .timeouts = { STEP_S, STEP_S, STEP_S, STEP_S, STEP_S, STEP_S, STEP_S,
                      DONE_S, STEP_S, 1 },
        .manners = { .pipeline = m->envelope->recipients.n <= AT_ONCE,
                     .ehlo_always = true, .quote = true },
        .helo = conf_str(c, P_myhostname),
    };
    struct sock *s;
    err e = submit_connect(t, c, &s);

    *out = (struct submit_result){ .outcome = SUBMIT_LATER };
    if (e) {
        out->outcome = e == ERR_DENIED ? SUBMIT_DENIED : SUBMIT_DOWN;
        out->reason = arena_str(a, str_from(task_why(t)));
        return;
    }
    p.conn = conn_new(a, s);
    e = hello(t, &p, a, out);
    if (!e)
        e = say_whose(t, &p, m);
    if (!e)
        e = transaction(t, &p, m, a, out);
    if (e && out->reply.code == 0)
        out->reason = arena_fmt(a, "%s while %s", task_why(t), p.stage);
    if (!e)
        smtp_quit(t, &p, false);
    conn_close(p.conn);
}
