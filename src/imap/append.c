/* SPDX-License-Identifier: ISC
 *
 * APPEND (RFC 3501 section 6.3.11, RFC 4315, MULTIAPPEND of RFC 3502).
 * Messages flow from the connection into files; none is held in memory.
 *
 * What is wrong is found out before the client is asked for the message
 * where that can be; a message that comes unasked (LITERAL+) is thrown away
 * then.
 */
#include "imap/session.h"

enum { PIECE = 16 * 1024, SKIP_MAX = 1 << 30, LINE_MAX_ = 8 * 1024 };

struct appending {
    struct imap *im;
    struct imap_command *cmd;
    struct append *ap;
    str name;
    err failed;             /* the first thing that went wrong */
    str refusal;            /* an answer already known */
    bool asked;             /* the client was told to send the message */
    bool binary;            /* the message comes as literal8 */
    bool after_cr;          /* of that: the last byte was CR */
};

/* Mailboxes know lines; a LF that ends none would come back as CR LF.  What
 * may be any bytes is refused rather than changed (RFC 3516 section 4). */
static void check_binary(struct appending *p, str piece)
{
    size_t at;

    while ((at = str_chr(piece, '\n')) != STR_NONE) {
        bool bare = at ? piece.p[at - 1] != '\r' : !p->after_cr;
        if (bare)
            p->refusal = S("NO [UNKNOWN-CTE] Lines must end with CR LF");
        p->after_cr = false;
        piece = str_skip(piece, at + 1);
    }
    if (piece.n)
        p->after_cr = piece.p[piece.n - 1] == '\r';
}

/* The client is asked for a literal it waits with. */
static err ask(struct task *t, struct imap *im,
               const struct imap_literal *body)
{
    if (!body->sync)
        return OK;
    conn_put(im->conn, S("+ OK\r\n"));
    return conn_flush(t, im->conn, imap_until(t, im));
}

static err skip_bytes(struct task *t, struct imap *im, uint64_t size)
{
    str piece;

    if (size > SKIP_MAX)
        return why(t, ERR_END, "unwanted literal of %" PRIu64 " bytes",
                   size);
    while (size) {
        TRY(conn_piece(t, im->conn, size < PIECE ? (size_t)size : PIECE,
                       imap_until(t, im), &piece));
        size -= piece.n;
    }
    return OK;
}

/* The rest of a line that nobody wants any more, with its literals. */
static err skip_rest(struct task *t, struct imap *im)
{
    struct imap_literal lit;

    for (;;) {
        enum line_end end;
        str line;

        TRY(conn_line(t, im->conn, LINE_MAX_, imap_until(t, im), &line,
                      &end));
        if (end == LINE_CUT)
            continue;
        if (!imap_literal_find(line, &lit) || lit.sync)
            return OK;
        TRY(skip_bytes(t, im, lit.size));
    }
}

/* Remembers the first failure; true if there was one now or before. */
static bool fails(struct appending *p, err e)
{
    if (!p->failed)
        p->failed = e;
    return p->failed != OK || p->refusal.n;
}

static err body_in(struct task *t, struct appending *p, uint64_t size)
{
    when until;
    str piece;

    while (size) {
        until = imap_until(t, p->im);
        TRY(conn_piece(t, p->im->conn, size < PIECE ? (size_t)size : PIECE,
                       until, &piece));
        size -= piece.n;
        if (p->binary)
            check_binary(p, piece);
        if (!p->failed)
            p->failed = append_piece(t, p->ap, piece);
    }
    if (!p->failed)
        p->failed = append_end(t, p->ap);
    return OK;
}

/* "(\Seen) "date" {123}": the arguments of one message. */
static bool take_plan(struct args *x, struct append_plan *plan, bool *binary)
{
    struct flag_list flags = { 0 };

    *plan = (struct append_plan){ 0 };
    if (args_peek(x) == '(') {
        args_flags(x, &flags);
        args_space(x);
    }
    if (args_peek(x) == '"') {
        args_date_time(x, &plan->date_s);
        args_space(x);
    }
    plan->flags = flags.flags;
    plan->keywords = flags.keywords;
    plan->n_keywords = flags.n_keywords;
    *binary = args_maybe(x, '~');
    return args_peek(x) == '{' || args_fail(x, "Invalid arguments");
}

/* One message, its arguments in x and its bytes still to come. */
static err one_message(struct task *t, struct appending *p, struct args *x,
                       const struct imap_literal *body)
{
    struct imap *im = p->im;
    struct append_plan plan;

    p->after_cr = false;
    if (!fails(p, OK) && !take_plan(x, &plan, &p->binary)) {
        p->cmd->args.error = x->error;
        p->failed = ERR_SYNTAX;
    } else if (!fails(p, OK)) {
        plan.size = body->size;
        if (im->o->message_max && body->size > im->o->message_max)
            p->refusal = S("NO [TOOBIG] Message is larger than allowed.");
        else if (!fails(p, OK))
            p->failed = append_begin(t, p->ap, &plan);
    }
    p->asked = !fails(p, OK);
    if (p->asked) {
        TRY(ask(t, im, body));
        return body_in(t, p, body->size);
    }
    return body->sync ? OK : skip_bytes(t, im, body->size);
}

/* What follows a message: the end of the command, or (MULTIAPPEND) the
 * arguments of another, read into line. */
static err next_message(struct task *t, struct appending *p,
                        struct imap_literal *body, str *line)
{
    enum line_end end;
    str piece;

    *body = (struct imap_literal){ 0 };
    TRY(conn_line(t, p->im->conn, LINE_MAX_, imap_until(t, p->im), &piece,
                  &end));
    if (end == LINE_CUT) {
        p->cmd->args.error = "Too long argument";
        fails(p, ERR_SYNTAX);
        return skip_rest(t, p->im);
    }
    *line = arena_str(&p->im->scratch, piece);
    if (!str_trim(*line).n)
        return OK;
    if (imap_literal_find(*line, body) && str_starts(*line, S(" ")))
        return OK;
    p->cmd->args.error = "Extra arguments";
    fails(p, ERR_SYNTAX);
    if (body->there && !body->sync) {   /* it is on its way: no command */
        TRY(skip_bytes(t, p->im, body->size));
        TRY(skip_rest(t, p->im));
    }
    *body = (struct imap_literal){ 0 };
    return OK;
}

static err messages_in(struct task *t, struct appending *p)
{
    struct imap_literal body = p->cmd->body;
    struct args x = p->cmd->args;
    str line;

    while (body.there) {
        struct imap_literal now = body;

        if (now.size == 0 && !fails(p, OK))
            p->refusal = S("NO [CANNOT] Can't save a zero byte message.");
        TRY(one_message(t, p, &x, &now));
        if (fails(p, OK) && now.sync && !p->asked)
            return OK;      /* the client never sends it */
        TRY(next_message(t, p, &body, &line));
        if (body.there)
            x = args_of(&p->im->scratch,
                        str_skip(line, str_span(line, S(" "))));
    }
    return OK;
}

static err answer(struct task *t, struct appending *p)
{
    struct imap *im = p->im;
    struct copied done;

    if (p->refusal.n)
        return imap_done(t, im, p->cmd, p->refusal);
    if (p->failed == ERR_SYNTAX && p->cmd->args.error)
        return imap_bad(t, im, p->cmd);
    if (p->failed == ERR_ABSENT && store_name_valid(im->st, p->name))
        return imap_done(t, im, p->cmd,
                         arena_fmt(&im->scratch, "NO [TRYCREATE] Mailbox "
                                   "doesn't exist: %.*s", STR(p->name)));
    if (!p->failed)
        p->failed = append_commit(t, p->ap, &done);
    if (p->failed)
        return imap_failed(t, im, p->cmd,
                           p->failed == ERR_ABSENT ? ERR_SYNTAX : p->failed);
    if (im->view)
        TRY(imap_tell(t, im, true));
    conn_fmt(im->conn, "%.*s OK [APPENDUID %" PRIu32 " ", STR(p->cmd->tag),
             done.uid_validity);
    imap_put_set(im, done.to, done.n);
    conn_put(im->conn, S("] Append completed.\r\n"));
    return OK;
}

err imap_on_append(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct appending p = { .im = im, .cmd = cmd };
    struct args *x = &cmd->args;
    err e;

    args_space(x);
    args_astring(x, &p.name);
    args_space(x);
    if (!x->error && !cmd->body.there)
        args_fail(x, "Missing message literal");
    if (x->error) {
        if (cmd->body.there && !cmd->body.sync) {
            TRY(skip_bytes(t, im, cmd->body.size));
            TRY(skip_rest(t, im));
        }
        return imap_bad(t, im, cmd);
    }
    p.failed = append_open(t, im->st, p.name, &im->scratch, &p.ap);
    e = messages_in(t, &p);
    if (!e)
        e = answer(t, &p);
    append_cancel(t, p.ap);     /* nothing is left of it after a commit */
    return e;
}
