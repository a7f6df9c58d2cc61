/* SPDX-License-Identifier: ISC
 *
 * Opening a connection as a client: greeting, hello, TLS, AUTH.
 */
#include "smtp/client.h"

#include "smtp/wire.h"

/* The answer to a command that was put and not yet sent. */
static err ask(struct task *t, struct smtp_peer *p, int64_t limit_s,
               const char *command, struct arena *a, struct smtp_answer *out)
{
    const struct wire_question q = { .command = command, .classes = "245",
                                     .limit_s = limit_s, .alone = true };

    return wire_ask(t, p, &q, a, out);
}

/* "220 host.example ESMTP Postfix": the word stands after the name. */
static bool says_esmtp(str text)
{
    str word;

    for (int i = 0; str_token(&text, S(" \t-"), &word); i++)
        if (i >= 2 && str_ieq(word, S("ESMTP")))
            return true;
    return false;
}

err smtp_read_greeting(struct task *t, struct smtp_peer *p, struct arena *a,
                       struct smtp_answer *out)
{
    const struct wire_question q = { .command = "connection",
                                     .classes = "245",
                                     .limit_s = p->timeouts.greeting_s };

    p->stage = "receiving the initial server greeting";
    TRY(wire_ask(t, p, &q, a, out));
    p->says_esmtp = says_esmtp(out->reply.text);
    return OK;
}

static void on_offer(struct smtp_peer *p, str line)
{
    struct scan sc = scan_of(line);
    str word = scan_until(&sc, S(" ="));

    for (size_t i = 0; i < p->manners.n_ignored; i++)
        if (str_ieq(word, p->manners.ignored[i]))
            return;
    if (str_ieq(word, S("PIPELINING")))
        p->pipelining = true;
    else if (str_ieq(word, S("8BITMIME")))
        p->eightbit = true;
    else if (str_ieq(word, S("DSN")))
        p->dsn = true;
    else if (str_ieq(word, S("SMTPUTF8")))
        p->utf8 = true;
    else if (str_ieq(word, S("STARTTLS")))
        p->starttls = true;
    else if (str_ieq(word, S("CHUNKING")))
        p->chunking = true;
    else if (str_ieq(word, S("AUTH")))
        p->auth_mechs = arena_str(p->memory, str_skip(scan_rest(&sc), 1));
    else if (str_ieq(word, S("SIZE"))) {
        p->size = true;
        scan_blanks(&sc);
        if (!scan_uint(&sc, UINT64_MAX, &p->size_max))
            p->size_max = 0;
    }
}

err smtp_say_helo(struct task *t, struct smtp_peer *p, struct arena *a,
                  struct smtp_answer *out)
{
    bool ehlo = p->lmtp || (!p->manners.ehlo_never
                            && (p->manners.ehlo_always || p->says_esmtp));

    p->esmtp = p->pipelining = p->size = p->eightbit = p->dsn = p->utf8 =
        p->starttls = p->chunking = false;
    p->auth_mechs = S("");
    if (ehlo) {
        const struct wire_question q = {
            .command = p->lmtp ? "LHLO command" : "EHLO command",
            .classes = "245", .limit_s = p->timeouts.helo_s, .alone = true,
            .each = on_offer,
        };
        p->stage = p->lmtp ? "performing the LHLO handshake"
                           : "performing the EHLO handshake";
        conn_fmt(p->conn, "%s %.*s\r\n", p->lmtp ? "LHLO" : "EHLO",
                 STR(p->helo));
        TRY(wire_ask(t, p, &q, a, out));
        p->esmtp = out->reply.code / 100 == 2;
        if (p->esmtp || p->lmtp || p->broken)
            return OK;
    }
    p->stage = "performing the HELO handshake";
    conn_fmt(p->conn, "HELO %.*s\r\n", STR(p->helo));
    return ask(t, p, p->timeouts.helo_s, "HELO command", a, out);
}

err smtp_start_tls(struct task *t, struct smtp_peer *p,
                   struct tls_context *ctx, str server_name, struct arena *a,
                   struct smtp_answer *out)
{
    p->stage = "performing the TLS handshake";
    conn_put(p->conn, S("STARTTLS\r\n"));
    TRY(ask(t, p, p->timeouts.starttls_s, "STARTTLS command", a, out));
    if (out->reply.code != 220)
        return OK;
    p->in_tls = true;
    if (conn_discard(p->conn) > 0)
        return why(t, ERR_PEER, "data after the reply to STARTTLS");
    TRY(conn_tls_connect(t, p->conn, ctx, server_name,
                         after_s(t, p->timeouts.starttls_s)));
    p->in_tls = false;
    return OK;
}

static bool offers(const struct smtp_peer *p, str mech)
{
    str rest = p->auth_mechs, word;

    while (str_token(&rest, S(" "), &word))
        if (str_ieq(word, mech))
            return true;
    return false;
}

bool smtp_knows_auth(const struct smtp_peer *p)
{
    return offers(p, S("PLAIN")) || offers(p, S("LOGIN"));
}

static void put_base64(struct smtp_peer *p, str prefix, str s)
{
    struct buf b;

    buf_init(&b, NULL, 16 * 1024);
    buf_add(&b, prefix);
    base64_encode(&b, s);
    buf_add(&b, S("\r\n"));
    conn_put(p->conn, buf_str(&b));
    buf_free(&b);
}

/* An answer to a step of AUTH: 334 asks for the next. */
static err ask_auth(struct task *t, struct smtp_peer *p, const char *command,
                    struct arena *a, struct smtp_answer *out)
{
    const struct wire_question q = { .command = command, .classes = "2345",
                                     .limit_s = p->timeouts.helo_s,
                                     .alone = true };

    return wire_ask(t, p, &q, a, out);
}

err smtp_say_auth(struct task *t, struct smtp_peer *p, str user, str password,
                  struct arena *a, struct smtp_answer *out)
{
    const char *command = "AUTH LOGIN command";

    p->stage = "performing SASL authentication";
    if (offers(p, S("PLAIN"))) {
        str both = arena_fmt(a, "%c%.*s%c%.*s", 0, STR(user), 0,
                             STR(password));
        put_base64(p, S("AUTH PLAIN "), both);
        return ask_auth(t, p, "AUTH PLAIN command", a, out);
    }
    if (!offers(p, S("LOGIN")))
        return why(t, ERR_ABSENT, "no mechanism available");
    conn_put(p->conn, S("AUTH LOGIN\r\n"));
    TRY(ask_auth(t, p, command, a, out));
    if (out->reply.code == 334) {
        put_base64(p, S(""), user);
        TRY(ask_auth(t, p, command, a, out));
    }
    if (out->reply.code == 334) {
        put_base64(p, S(""), password);
        TRY(ask_auth(t, p, command, a, out));
    }
    return OK;
}

err smtp_probe(struct task *t, struct smtp_peer *p)
{
    struct arena a;
    struct smtp_answer answer;
    err e;

    arena_init(&a, 0);
    p->stage = "sending RSET";
    conn_put(p->conn, S("RSET\r\n"));
    e = ask(t, p, p->timeouts.rset_s, "RSET command", &a, &answer);
    if (!e && answer.reply.code != 250)
        e = why(t, ERR_PEER, "RSET is not known there");
    p->broken |= e != OK;
    arena_reset(&a);
    p->dirty = false;
    return e;
}

void smtp_quit(struct task *t, struct smtp_peer *p, bool wait)
{
    struct arena a;
    struct smtp_answer answer;

    if (p->broken)
        return;
    p->broken = true;
    p->stage = "sending QUIT";
    conn_put(p->conn, S("QUIT\r\n"));
    if (conn_flush(t, p->conn, after_s(t, p->timeouts.quit_s)) || !wait)
        return;
    arena_init(&a, 0);
    err_ignore(ask(t, p, p->timeouts.quit_s, "QUIT command", &a, &answer));
    arena_reset(&a);
}
