/* SPDX-License-Identifier: ISC
 *
 * Answers of a server, whatever it sends.
 *
 *     reply = *( code "-" text ) code [ " " text ]
 *
 * A1  Only the answer to a command is taken for it.  What is there before a
 *     command has left, and no other is out, answers something else: a refusal
 *     is believed, anything else is wrong, and the connection is not used
 *     again.
 * A2  The last line's code counts.  Lines of any length are read, and as many
 *     as come until REPLY_MAX; less is kept of the text.
 * A3  A line without a code is passed over; but whoever sends one has only
 *     NOISE_S for the reply, and then it was not SMTP.
 * A4  An enhanced code is the last line's, and of its class; else none is.
 */
#include "smtp/wire.h"

enum {
    LINE_MOST = 4096,       /* read at a time */
    TEXT_KEPT = 1536,       /* so that a line of the log holds it */
    WRONG_KEPT = 500,
    REPLY_MAX = 4 * 1024 * 1024,
    NOISE_S = 10,
};

/* A reply that is being read. */
struct reading {
    struct smtp_peer *p;
    when until;
    struct buf line, text;
    size_t size;            /* of all lines so far */
    bool noise;             /* some had no code */
};

static err wrong(struct task *t, const struct reading *r,
                 const struct smtp_answer *ans)
{
    struct smtp_peer *p = r->p;

    p->broken = true;
    p->is_noise = r->noise;
    p->wrong = (struct smtp_answer){
        .reply = { .code = ans->reply.code,
                   .text = arena_str(p->memory, str_head(ans->reply.text,
                                                         WRONG_KEPT)) },
        .command = ans->command,
    };
    return why(t, ERR_PEER, "protocol error: \"%.*s\"",
               STR(str_head(ans->reply.text, 80)));
}

/* A line, or the beginning of a long one. */
static err read_line(struct task *t, struct reading *r, str *out)
{
    enum line_end end;
    str piece;

    buf_clear(&r->line);
    do {
        TRY(conn_line(t, r->p->conn, LINE_MOST, r->until, &piece, &end));
        if (r->line.n == 0)
            buf_add(&r->line, piece);
        r->size += piece.n + 1;
    } while (end == LINE_CUT && r->size <= REPLY_MAX);
    *out = str_rtrim(buf_str(&r->line));
    return OK;
}

static bool has_code(str line)
{
    return line.n >= 3 && is_digit(line.p[0]) && is_digit(line.p[1])
           && is_digit(line.p[2])
           && (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');
}

static void set_code(struct reply *r, str line)
{
    str text = str_trim(str_skip(line, 4));
    size_t n = dsn_span(text);

    r->code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10
              + (line.p[2] - '0');
    r->dsn[0] = 0;
    if (n > 0 && text.p[0] == line.p[0]) {
        memcpy(r->dsn, text.p, n); /* A4 */
        r->dsn[n] = 0;
    }
}

/* Lines up to the last, which *last is. */
static err read_lines(struct task *t, struct reading *r,
                      void (*each)(struct smtp_peer *, str), str *last)
{
    for (bool first = true;; first = false) {
        bool good;
        str line;
        TRY(read_line(t, r, &line));
        good = has_code(line);
        if (!first)
            buf_byte(&r->text, ' ');
        buf_add(&r->text, str_head(line, TEXT_KEPT - r->text.n));
        if (r->size > REPLY_MAX)
            return why(t, ERR_LIMIT, "a reply without end");
        if (!good && !r->noise) {
            r->noise = true; /* A3 */
            if (after_s(t, NOISE_S) < r->until)
                r->until = after_s(t, NOISE_S);
        }
        if (good && each && !first && line.p[0] == '2')
            each(r->p, str_skip(line, 4));
        if (good && (line.n == 3 || line.p[3] == ' ')) {
            *last = line;
            return OK;
        }
    }
}

err wire_ask(struct task *t, struct smtp_peer *p,
             const struct wire_question *q, struct arena *a,
             struct smtp_answer *out)
{
    struct smtp_answer ans = { .command = q->command };
    struct reading r = { .p = p, .until = after_s(t, q->limit_s) };
    bool early = q->alone && !smtp_is_quiet(p);
    err e;
    str last;

    out->command = q->command;
    buf_init(&r.line, a, LINE_MOST);
    buf_init(&r.text, a, TEXT_KEPT);
    e = read_lines(t, &r, q->each, &last);
    ans.reply.text = buf_str(&r.text);
    if (e == ERR_LIMIT
        || (r.noise && (e == ERR_LATE || e == ERR_END)))
        return wrong(t, &r, &ans);
    TRY(e);
    set_code(&ans.reply, last);
    r.noise &= early; /* else the code is what is wrong with it */
    if (str_chr(str_from(q->classes), last.p[0]) == STR_NONE
        || (early && ans.reply.code < 400))
        return wrong(t, &r, &ans);
    if (early || ans.reply.code == 421)
        p->broken = true; /* A1 */
    *out = ans;
    return OK;
}

bool smtp_is_quiet(struct smtp_peer *p)
{
    return !p->broken && !conn_look(p->conn) && !conn_pending(p->conn);
}
