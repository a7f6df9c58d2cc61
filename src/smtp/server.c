/* SPDX-License-Identifier: ISC
 *
 * The whole life of a client in one loop; the state is the place in the text.
 *
 * I1  Replies go out in the order of commands; they are coalesced until there
 *     is no more input (net/conn.h).
 * I2  What was pipelined before a TLS handshake is thrown away (RFC 3207
 *     section 4.2: STARTTLS injection).
 */
#include "smtp/server.h"

enum { PEEK_MAX = 100 };

when smtp_until(struct task *t, const struct smtp_session *s)
{
    if (s->o.hello_timeout_s && str_empty(s->helo))
        return after_s(t, s->o.hello_timeout_s);
    return after_s(t, s->o.timeout_s);
}

const char *smtp_verb_name(enum smtp_verb v)
{
    static const char *const names[] = {
#define VERB(name) #name,
#include "smtp/verbs.def"
#undef VERB
    };
    return v < N_VERBS ? names[v] : "UNKNOWN";
}

static enum smtp_verb verb_of(str word)
{
    for (enum smtp_verb v = 0; v < N_VERBS; v++)
        if (str_ieq(word, str_from(smtp_verb_name(v))))
            return v;
    return N_VERBS;
}

static void put_reply(struct smtp_session *s, struct reply r)
{
    str rest = r.text, line;
    bool more = str_cut(&rest, '\n', &line);

    while (more) {
        str next;
        bool after = str_cut(&rest, '\n', &next);
        conn_fmt(s->conn, "%03d%c", r.code, after ? '-' : ' ');
        if (r.dsn[0])
            conn_fmt(s->conn, "%s ", r.dsn);
        conn_put(s->conn, line);
        conn_put(s->conn, S("\r\n"));
        line = next;
        more = after;
    }
}

void smtp_note(struct task *t, struct smtp_session *s, enum smtp_note n,
               str text)
{
    if (s->site->note)
        s->site->note(t, s, n, text);
}

/* Refusals as they are sent: soft, and with what is added to them. */
static struct reply dressed(struct task *t, struct smtp_session *s,
                            struct reply r)
{
    if (s->o.soft_bounce && r.code >= 500) {
        r.code -= 100;
        if (r.dsn[0] == '5')
            r.dsn[0] = '4';
    }
    return r.code >= 400 && s->site->footer ? s->site->footer(t, s, r) : r;
}

/* Replies are ASCII unless the client was offered more (RFC 5321 4.2). */
static str in_ascii(struct arena *a, str text)
{
    struct buf b;

    buf_init(&b, a, text.n);
    for (size_t i = 0; i < text.n; i++)
        buf_byte(&b, (unsigned char)text.p[i] < 128 ? text.p[i] : ' ');
    return buf_str(&b);
}

void smtp_say(struct task *t, struct smtp_session *s, struct reply r)
{
    if (r.code == 0)
        return; /* what there was to say has been said */
    r = dressed(t, s, r);
    if (!s->o.offer_utf8 && !str_is_ascii(r.text))
        r.text = in_ascii(&s->scratch, r.text);
    if (s->n_all[s->verb] < UINT16_MAX)
        s->n_all[s->verb]++;
    if (r.code < 400 && s->n_good[s->verb] < UINT16_MAX)
        s->n_good[s->verb]++;
    if (r.code >= 400)
        s->n_errors++;
    if (r.code == 421 || r.code == 521 || r.code == 221)
        s->over = true;
    put_reply(s, r);
}

/* Commands that cost a client nothing and us something count as junk. */
static bool junk(enum smtp_verb v)
{
    return v == VERB_HELO || v == VERB_EHLO || v == VERB_LHLO
           || v == VERB_NOOP || v == VERB_VRFY || v == VERB_ETRN
           || v == VERB_RSET;
}

static struct reply too_many_errors(struct smtp_session *s)
{
    return reply_fmt(&s->scratch, 421, "4.7.0",
                     "%.*s Error: too many errors", STR(s->o.hostname));
}

/* A client that errs often waits. */
static err slow_down(struct task *t, struct smtp_session *s)
{
    if (s->over || s->n_errors == 0)
        return OK;
    if (s->n_errors >= s->o.errors_hard) {
        smtp_note(t, s, SMTP_NOTE_ERRORS, S(""));
        smtp_say(t, s, too_many_errors(s));
        return OK;
    }
    if (s->n_errors < s->o.errors_soft || s->o.error_sleep_s <= 0)
        return OK;
    TRY(conn_flush(t, s->conn, smtp_until(t, s)));
    return task_sleep(t, after_s(t, s->o.error_sleep_s));
}

/* Commands that RFC 2920 wants at the end of what is sent at once; without
 * EHLO that is all of them. */
static bool must_be_last(const struct smtp_session *s, enum smtp_verb v)
{
    if (!s->esmtp || !s->o.offer_pipelining)
        return v < N_VERBS && v != VERB_QUIT;
    return v == VERB_HELO || v == VERB_EHLO || v == VERB_LHLO
           || v == VERB_DATA || v == VERB_VRFY || v == VERB_NOOP;
}

/* Looks whether commands came before their time. */
static err note_pipelining(struct task *t, struct smtp_session *s)
{
    str piece;

    if (s->pipelined || !conn_pending(s->conn) || !must_be_last(s, s->verb))
        return OK;
    TRY(conn_piece(t, s->conn, PEEK_MAX, smtp_until(t, s), &piece));
    s->pipelined = true;
    smtp_note(t, s, SMTP_NOTE_PIPELINING, arena_str(&s->scratch, piece));
    conn_unread(s->conn, piece.n);
    return OK;
}

/* What is answered whatever the state; code 0: nothing. */
static struct reply at_once(struct task *t, struct smtp_session *s, str line,
                            str verb)
{
    struct reply r = { 0 };

    if (str_empty(verb))
        return REPLY(500, "5.5.2", "Error: bad syntax");
    if (s->o.offer_utf8 && !utf8_valid(line))
        return REPLY(500, "5.5.2", "Error: bad UTF-8 syntax");
    if (s->site->special)
        r = s->site->special(t, s, verb, line);
    if (r.code == 221)
        smtp_note(t, s, SMTP_NOTE_BAD_COMMAND, line);
    if (r.code == 0 && s->denied && s->verb != VERB_QUIT)
        return reply_fmt(&s->scratch, 503, "5.7.0",
                         "Error: access denied for %.*s", STR(s->peer));
    return r;
}

static err handle(struct task *t, struct smtp_session *s, str line)
{
    struct scan sc = scan_of(str_head(line, str_chr(line, 0)));
    struct reply r;
    str verb, rest;

    scan_blanks(&sc);
    verb = scan_until(&sc, S(" \t"));
    scan_blanks(&sc);
    rest = str_rtrim(scan_rest(&sc));
    s->verb = verb_of(verb);
    r = at_once(t, s, line, verb);
    if (r.code) {
        smtp_say(t, s, r);
        return slow_down(t, s);
    }
    if (junk(s->verb) && s->n_junk++ > s->o.junk_max)
        s->n_errors++;
    TRY(note_pipelining(t, s));
    if (s->pipelined && s->o.forbid_pipelining) {
        s->over = true;
        smtp_say(t, s, REPLY(554, "5.5.0",
                             "Error: SMTP protocol synchronization"));
    } else if (smtp_needs_tls(s, s->verb)) {
        smtp_say(t, s, REPLY(530, "5.7.0",
                             "Must issue a STARTTLS command first"));
    } else if (s->verb == VERB_DATA) {
        TRY(smtp_on_data(t, s, rest));
    } else if (s->verb == VERB_BDAT) {
        TRY(smtp_on_bdat(t, s, rest));
    } else {
        smtp_say(t, s, smtp_command(t, s, s->verb, rest));
    }
    return slow_down(t, s);
}

/* One command line.  One that is too long is cut: what follows the limit is
 * skipped, the rest is the command. */
static err command_line(struct task *t, struct smtp_session *s, str *line)
{
    enum line_end end;
    str more;

    TRY(conn_line(t, s->conn, s->o.line_max, smtp_until(t, s), line, &end));
    if (end != LINE_CUT)
        return OK;
    *line = arena_str(&s->scratch, *line);
    smtp_note(t, s, SMTP_NOTE_LONG_LINE, str_head(*line, 30));
    while (end == LINE_CUT)
        TRY(conn_line(t, s->conn, s->o.line_max, smtp_until(t, s), &more,
                      &end));
    return OK;
}

err smtp_tls_start(struct task *t, struct smtp_session *s,
                   struct tls_context *ctx)
{
    err e = conn_tls_accept(t, s->conn, ctx,
                            after_s(t, s->o.starttls_timeout_s));

    if (e == ERR_STOPPED)
        return e;
    s->tls_started = !e;
    s->tls_failed = e != OK;
    smtp_note(t, s, e ? SMTP_NOTE_TLS_FAILED : SMTP_NOTE_TLS,
              !e ? S("") : e == ERR_LATE ? S("Connection timed out")
                         : str_from(task_why(t)));
    return e;
}

static err loop(struct task *t, struct smtp_session *s)
{
    str line;

    while (!s->over) {
        arena_reset(&s->scratch);
        TRY(command_line(t, s, &line));
        s->after_message = false;
        TRY(handle(t, s, line));
        s->where = s->verb < N_VERBS ? smtp_verb_name(s->verb) : "UNKNOWN";
        if (arena_over(s->memory)) {
            smtp_say(t, s, reply_fmt(&s->scratch, 421, "4.3.0",
                                     "%.*s Error: session too large",
                                     STR(s->o.hostname)));
        }
    }
    return OK;
}

/* Says goodbye to a client that took too long; then the connection ends. */
static void say_late(struct task *t, struct smtp_session *s)
{
    struct reply r = reply_fmt(&s->scratch, 421, "4.4.2",
                               "%.*s Error: timeout exceeded",
                               STR(s->o.hostname));

    put_reply(s, r);
    err_ignore(conn_flush(t, s->conn, after_s(t, 5))); /* it may be gone */
}

err smtp_serve(struct task *t, struct smtp_session *s,
               struct tls_context *wrapped)
{
    err e = OK;

    arena_init(&s->scratch, 4 * 1024 * 1024);
    s->where = "CONNECT";
    s->verb = N_VERBS;
    if (wrapped)
        e = smtp_tls_start(t, s, wrapped);
    if (!e) {
        struct reply r = s->site->greet(t, s);
        put_reply(s, dressed(t, s, r));
        s->denied = r.code >= 400;
        s->over = r.code == 421 || r.code == 521;
        e = loop(t, s);
    }
    if (s->tls_failed)
        e = ERR_END;
    else if (e == ERR_LATE)
        say_late(t, s);
    else if (!e)
        err_ignore(conn_flush(t, s->conn, smtp_until(t, s))); /* it left */
    smtp_transaction_end(t, s);
    arena_reset(&s->scratch);
    return e;
}

err smtp_challenge(struct task *t, struct smtp_session *s, str challenge,
                   str *response)
{
    struct buf b;
    str line;
    enum line_end end;

    buf_init(&b, &s->scratch, 16 * 1024);
    base64_encode(&b, challenge);
    conn_fmt(s->conn, "334 %.*s\r\n", STR(buf_str(&b)));
    TRY(conn_line(t, s->conn, 12288, smtp_until(t, s), &line, &end));
    line = str_rtrim(line);
    if (str_eq(line, S("*")))
        return ERR_DENIED;
    buf_clear(&b);
    if (end == LINE_CUT || !base64_decode(&b, line))
        return ERR_SYNTAX;
    *response = arena_str(&s->scratch, buf_str(&b));
    return OK;
}
