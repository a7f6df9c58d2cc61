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

when smtp_until(struct task *t, const struct smtp_session *s)
{
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
        if (r.dsn[0] && s->o.offer_codes)
            conn_fmt(s->conn, "%s ", r.dsn);
        conn_put(s->conn, line);
        conn_put(s->conn, S("\r\n"));
        line = next;
        more = after;
    }
}

void smtp_say(struct task *t, struct smtp_session *s, struct reply r)
{
    if (r.code == 0)
        return; /* what there was to say has been said */
    if (s->n_all[s->verb] < UINT16_MAX)
        s->n_all[s->verb]++;
    if (r.code < 400 && s->n_good[s->verb] < UINT16_MAX)
        s->n_good[s->verb]++;
    if (r.code >= 400) {
        s->n_errors++;
        if (s->site->refused)
            s->site->refused(t, s, str_from(smtp_verb_name(s->verb)), r);
    }
    if (r.code == 421 || r.code == 221)
        s->over = true;
    put_reply(s, r);
}

/* Commands that cost a client nothing and us something count as junk. */
static bool junk(const struct smtp_session *s, enum smtp_verb v)
{
    switch (v) {
    case VERB_NOOP:
    case VERB_VRFY:
    case VERB_ETRN:
    case VERB_HELP:
        return true;
    case VERB_RSET:
        return !s->mail;
    default:
        return false;
    }
}

static struct reply too_many_errors(struct smtp_session *s)
{
    return reply_fmt(&s->scratch, 421, "4.7.0",
                     "%.*s Error: too many errors", STR(s->o.hostname));
}

/* A client that errs often waits. */
static err slow_down(struct task *t, struct smtp_session *s)
{
    uint32_t n = s->n_errors + (s->n_junk > s->o.junk_max
                                    ? s->n_junk - s->o.junk_max : 0);

    if (s->over || n == 0)
        return OK;
    if (n >= s->o.errors_hard) {
        smtp_say(t, s, too_many_errors(s));
        return OK;
    }
    if (n < s->o.errors_soft)
        return OK;
    TRY(conn_flush(t, s->conn, smtp_until(t, s)));
    return task_sleep(t, after_s(t, s->o.error_sleep_s));
}

/* HTTP and friends, which knock here through browsers. */
static bool forbidden(str verb)
{
    static const str words[] = { S_INIT("CONNECT"), S_INIT("GET"),
                                 S_INIT("POST"), S_INIT("USER") };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_ieq(verb, words[i]))
            return true;
    return str_ends(verb, S(":")); /* a header field */
}

static err handle(struct task *t, struct smtp_session *s, str line)
{
    struct scan sc = scan_of(line);
    str verb;
    uint32_t n_errors = s->n_errors;

    scan_blanks(&sc);
    verb = scan_until(&sc, S(" \t"));
    scan_blanks(&sc);
    s->verb = verb_of(verb);
    if (s->verb == VERB_DATA)
        TRY(smtp_on_data(t, s, str_rtrim(scan_rest(&sc))));
    else if (s->verb == VERB_BDAT)
        TRY(smtp_on_bdat(t, s, str_rtrim(scan_rest(&sc))));
    else if (str_empty(verb))
        smtp_say(t, s, REPLY(500, "5.5.2", "Error: bad syntax"));
    else if (s->verb == N_VERBS && forbidden(verb))
        smtp_say(t, s, REPLY(221, "2.7.0",
                             "Error: I can break rules, too. Goodbye."));
    else
        smtp_say(t, s, smtp_command(t, s, s->verb,
                                    str_rtrim(scan_rest(&sc))));
    if (junk(s, s->verb))
        s->n_junk++;
    return s->n_errors > n_errors || s->n_junk > s->o.junk_max
               ? slow_down(t, s) : OK;
}

/* One command line.  The rest of one that is too long is skipped. */
static err command_line(struct task *t, struct smtp_session *s, str *line)
{
    enum line_end end;
    bool cut = false;

    for (;;) {
        TRY(conn_line(t, s->conn, s->o.line_max, smtp_until(t, s), line,
                      &end));
        if (end != LINE_CUT && !cut)
            return OK;
        if (end != LINE_CUT) {
            s->verb = N_VERBS;
            smtp_say(t, s, REPLY(500, "5.5.2", "Error: line too long"));
            cut = false;
        } else {
            cut = true;
        }
    }
}

static err tls_start(struct task *t, struct smtp_session *s,
                     struct tls_context *ctx)
{
    err e;

    s->where = "STARTTLS";
    conn_discard(s->conn); /* I2 */
    e = conn_tls_accept(t, s->conn, ctx, after_s(t, s->o.starttls_timeout_s));
    TRY(e);
    s->tls_started = true;
    return OK;
}

static err loop(struct task *t, struct smtp_session *s)
{
    str line;

    while (!s->over) {
        arena_reset(&s->scratch);
        TRY(command_line(t, s, &line));
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
        e = tls_start(t, s, wrapped);
    if (!e) {
        struct reply r = s->site->greet(t, s);
        put_reply(s, r);
        s->over = r.code == 421;
        e = loop(t, s);
    }
    if (e == ERR_LATE)
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
