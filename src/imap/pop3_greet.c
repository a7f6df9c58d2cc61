/* SPDX-License-Identifier: ISC
 *
 * POP3 before login: USER, PASS, AUTH, STLS, CAPA, NOOP, QUIT (RFC 1939,
 * 2449, 2595, 5034).
 */
#include "imap/login.h"

enum { LINE_LEN_MAX = 1024, BAD_MAX = 20 };

static void tell(struct login *l, str text)
{
    conn_put(l->conn, text);
    conn_put(l->conn, S("\r\n"));
}

/* The same, as the last word of a command. */
static err put(struct login *l, str text)
{
    tell(l, text);
    return OK;
}

static void put_capabilities(struct login *l)
{
    str mechs = l->door->mechanisms, mech;

    conn_put(l->conn, S("+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
                        "PIPELINING\r\nAUTH-RESP-CODE\r\n"));
    if (l->door->tls && !conn_tls(l->conn)->on)
        conn_put(l->conn, S("STLS\r\n"));
    if (login_allowed(l)) {
        conn_put(l->conn, S("USER\r\nSASL"));
        while (str_token(&mechs, S(" ,\t"), &mech))
            conn_fmt(l->conn, " %.*s", STR(mech));
        conn_put(l->conn, S("\r\n"));
    }
    conn_put(l->conn, S(".\r\n"));
}

static err refuse(struct task *t, struct login *l, err e)
{
    switch (e) {
    case ERR_DENIED:
        tell(l, S("-ERR [AUTH] Authentication failed."));
        break;
    case ERR_SYNTAX:
        tell(l, S("-ERR Invalid authentication data."));
        break;
    case ERR_ABSENT:
        tell(l, S("-ERR Unsupported authentication mechanism."));
        return OK;          /* nothing was tried */
    case ERR_END:
    case ERR_LATE:
    case ERR_STOPPED:
        return e;
    default:
        tell(l, S("-ERR [SYS/TEMP] Temporary authentication failure."));
        break;
    }
    if (!login_failed(t, l, e))
        return OK;
    TRY(conn_flush(t, l->conn, login_until(t, l)));
    return ERR_END;
}

static bool needs_privacy(struct login *l)
{
    if (!login_allowed(l))
        tell(l, S("-ERR [AUTH] Plaintext authentication disallowed on "
                  "non-secure (SSL/TLS) connections."));
    return !login_allowed(l);
}

static err on_pass(struct task *t, struct login *l, str *user, str secret)
{
    str name;
    err e;

    if (!user->n)
        return put(l, S("-ERR No username given."));
    if (needs_privacy(l))
        return OK;
    l->method = S("USER");
    e = l->door->check(t, l, *user, secret, &name);
    *user = S("");
    if (e)
        return refuse(t, l, e);
    l->user = arena_str(l->memory, name);
    return OK;
}

static err on_auth(struct task *t, struct login *l, str rest)
{
    str mechs = l->door->mechanisms, mech, initial, name;
    bool has_initial;
    err e;

    if (!str_token(&rest, S(" "), &mech)) {
        conn_put(l->conn, S("+OK\r\n"));
        while (str_token(&mechs, S(" ,\t"), &mech))
            conn_fmt(l->conn, "%.*s\r\n", STR(mech));
        return put(l, S("."));
    }
    if (needs_privacy(l))
        return OK;
    l->method = arena_str(l->memory, mech);
    has_initial = str_token(&rest, S(" "), &initial);
    e = l->door->sasl(t, l, mech, has_initial ? &initial : NULL, &name);
    if (e)
        return refuse(t, l, e);
    l->user = arena_str(l->memory, name);
    return OK;
}

static err on_stls(struct task *t, struct login *l)
{
    if (conn_tls(l->conn)->on)
        return put(l, S("-ERR TLS is already active."));
    if (!l->door->tls)
        return put(l, S("-ERR TLS support isn't enabled."));
    tell(l, S("+OK Begin TLS negotiation now."));
    conn_discard(l->conn);      /* what was pipelined is not the client's */
    return login_tls(t, l);
}

static err on_line(struct task *t, struct login *l, str line, str *user)
{
    str verb = str_head(line, str_chr(line, ' '));
    str rest = str_skip(line, verb.n + 1);

    if (str_ieq(verb, S("CAPA"))) {
        put_capabilities(l);
    } else if (str_ieq(verb, S("NOOP"))) {
        tell(l, S("+OK"));
    } else if (str_ieq(verb, S("USER"))) {
        if (needs_privacy(l))
            return OK;
        *user = arena_str(l->memory, str_trim(rest));
        tell(l, user->n ? S("+OK") : S("-ERR Missing username."));
    } else if (str_ieq(verb, S("PASS"))) {
        return on_pass(t, l, user, arena_str(&l->scratch, rest));
    } else if (str_ieq(verb, S("AUTH"))) {
        return on_auth(t, l, arena_str(&l->scratch, rest));
    } else if (str_ieq(verb, S("STLS"))) {
        return on_stls(t, l);
    } else if (str_ieq(verb, S("QUIT"))) {
        tell(l, S("+OK Logging out"));
        TRY(conn_flush(t, l->conn, login_until(t, l)));
        return ERR_END;
    } else {
        l->n_bad++;
        tell(l, S("-ERR Unknown command."));
    }
    return OK;
}

err pop3_greet(struct task *t, struct login *l, bool wrapped)
{
    str user = S("");
    err e = OK;

    l->is_pop3 = true;
    login_begin(t, l);
    if (wrapped) {
        must(l->door->tls);
        TRY(login_tls(t, l));
    }
    conn_fmt(l->conn, "+OK %.*s ready.\r\n", STR(l->product));
    while (!e && !l->user.n) {
        enum line_end end;
        str line;

        arena_reset(&l->scratch);
        e = rt_now(t) >= l->end
                ? ERR_LATE
                : conn_line(t, l->conn, LINE_LEN_MAX, l->end, &line, &end);
        if (e == ERR_LATE) {
            tell(l, S("-ERR Disconnected for inactivity."));
            err_ignore(conn_flush(t, l->conn, after_s(t, 5)));
        }
        if (!e && end == LINE_CUT)
            l->n_bad = BAD_MAX;
        else if (!e)
            e = on_line(t, l, line, &user);
        if (!e && l->n_bad >= BAD_MAX) {
            tell(l, S("-ERR Too many bad commands."));
            err_ignore(conn_flush(t, l->conn, after_s(t, 5)));
            e = ERR_END;
        }
    }
    arena_reset(&l->scratch);
    return e;
}
