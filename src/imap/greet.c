/* SPDX-License-Identifier: ISC
 *
 * IMAP before login: CAPABILITY, STARTTLS, LOGIN, AUTHENTICATE, ID, NOOP,
 * LOGOUT.  A client that is not logged in has a fixed small budget.
 *
 * I1  What was pipelined behind STARTTLS is thrown away (STARTTLS injection).
 * I2  A name or password never appears in a reply.
 */
#include "imap/login.h"

#include "imap/command.h"
#include "imap/imap.h"

enum { BAD_MAX = 20 };

/* Room for an ID of 30 fields with values of 1,024 bytes (RFC 2971). */
static const struct imap_limits limits = { 40 * 1024, 4 * 1024, 0 };

static void put_capabilities(struct login *l)
{
    str mechs = l->door->mechanisms, mech;

    /* all of them: some clients never ask again after login */
    conn_put(l->conn, S("CAPABILITY " IMAP_CAPABILITIES));
    if (l->door->tls && !conn_tls(l->conn)->on)
        conn_put(l->conn, S(" STARTTLS"));
    if (!login_allowed(l))
        conn_put(l->conn, S(" LOGINDISABLED"));
    else
        while (str_token(&mechs, S(" ,\t"), &mech))
            conn_fmt(l->conn, " AUTH=%.*s", STR(mech));
}

static void reply(struct login *l, const struct imap_command *cmd, str text)
{
    conn_fmt(l->conn, "%.*s %.*s\r\n", STR(cmd->tag), STR(text));
}

/* How a failed attempt is answered; ERR_END when there were too many. */
static err refuse(struct task *t, struct login *l,
                  const struct imap_command *cmd, err e)
{
    switch (e) {
    case ERR_DENIED:
        reply(l, cmd, S("NO [AUTHENTICATIONFAILED] Authentication failed."));
        break;
    case ERR_SYNTAX:
        reply(l, cmd, S("BAD Invalid authentication data."));
        break;
    case ERR_ABSENT:
        reply(l, cmd, S("NO Unsupported authentication mechanism."));
        return OK;          /* nothing was tried */
    case ERR_END:
    case ERR_LATE:
    case ERR_STOPPED:
        return e;
    default:
        reply(l, cmd, S("NO [UNAVAILABLE] Temporary authentication "
                        "failure."));
        break;
    }
    if (!login_failed(t, l, e))
        return OK;
    conn_put(l->conn, S("* BYE Too many authentication failures.\r\n"));
    TRY(conn_flush(t, l->conn, login_until(t, l)));
    return ERR_END;
}

static err success(struct login *l, const struct imap_command *cmd, str name)
{
    l->user = arena_str(l->memory, name);
    l->tag = arena_str(l->memory, cmd->tag);
    return OK;
}

static bool needs_privacy(struct login *l, const struct imap_command *cmd)
{
    if (login_allowed(l))
        return false;
    conn_put(l->conn, S("* BAD [ALERT] Plaintext authentication not allowed "
                        "without SSL/TLS, but your client did it anyway. If "
                        "anyone was listening, the password was exposed."
                        "\r\n"));
    reply(l, cmd, S("NO [PRIVACYREQUIRED] Plaintext authentication "
                    "disallowed on non-secure (SSL/TLS) connections."));
    return true;
}

static err on_login(struct task *t, struct login *l,
                    struct imap_command *cmd)
{
    str user, secret, name;
    err e;

    if (!args_space(&cmd->args) || !args_astring(&cmd->args, &user)
        || !args_space(&cmd->args) || !args_astring(&cmd->args, &secret)
        || !args_end(&cmd->args)) {
        reply(l, cmd, S("BAD Error in IMAP command LOGIN: Invalid "
                        "arguments."));
        return OK;
    }
    if (needs_privacy(l, cmd))
        return OK;
    l->method = S("LOGIN");
    e = l->door->check(t, l, user, secret, &name);
    return e ? refuse(t, l, cmd, e) : success(l, cmd, name);
}

static err on_authenticate(struct task *t, struct login *l,
                           struct imap_command *cmd)
{
    str mech, initial = S(""), name;
    bool has_initial = false;
    err e;

    if (args_space(&cmd->args) && args_atom(&cmd->args, &mech)
        && args_more(&cmd->args)) {
        has_initial = true;
        initial = str_rtrim(scan_rest(&cmd->args.in));
    }
    if (cmd->args.error || (!has_initial && !args_end(&cmd->args))) {
        reply(l, cmd, S("BAD Error in IMAP command AUTHENTICATE: Invalid "
                        "arguments."));
        return OK;
    }
    if (needs_privacy(l, cmd))
        return OK;
    l->method = arena_str(l->memory, mech);
    e = l->door->sasl(t, l, mech, has_initial ? &initial : NULL, &name);
    return e ? refuse(t, l, cmd, e) : success(l, cmd, name);
}

static err on_starttls(struct task *t, struct login *l,
                       struct imap_command *cmd)
{
    if (!l->door->tls || conn_tls(l->conn)->on) {
        reply(l, cmd, conn_tls(l->conn)->on
                          ? S("BAD TLS is already active.")
                          : S("BAD TLS support isn't enabled."));
        return OK;
    }
    reply(l, cmd, S("OK Begin TLS negotiation now."));
    conn_discard(l->conn);      /* I1 */
    return login_tls(t, l);
}

static err on_command(struct task *t, struct login *l,
                      struct imap_command *cmd)
{
    str name = cmd->name;

    if (str_eq(name, S("CAPABILITY"))) {
        conn_put(l->conn, S("* "));
        put_capabilities(l);
        conn_put(l->conn, S("\r\n"));
        reply(l, cmd, S("OK Capability completed."));
    } else if (str_eq(name, S("NOOP"))) {
        reply(l, cmd, S("OK NOOP completed."));
    } else if (str_eq(name, S("LOGOUT"))) {
        conn_put(l->conn, S("* BYE Logging out\r\n"));
        reply(l, cmd, S("OK Logout completed."));
        TRY(conn_flush(t, l->conn, login_until(t, l)));
        return ERR_END;
    } else if (str_eq(name, S("ID"))) {
        if (!imap_id_read(&cmd->args) || !args_end(&cmd->args)) {
            reply(l, cmd, S("BAD Error in IMAP command ID: Invalid "
                            "arguments."));
            return OK;
        }
        conn_fmt(l->conn, "* ID (\"name\" \"%.*s\")\r\n", STR(l->product));
        reply(l, cmd, S("OK ID completed."));
    } else if (str_eq(name, S("STARTTLS"))) {
        return on_starttls(t, l, cmd);
    } else if (str_eq(name, S("LOGIN"))) {
        return on_login(t, l, cmd);
    } else if (str_eq(name, S("AUTHENTICATE"))) {
        return on_authenticate(t, l, cmd);
    } else {
        l->n_bad++;
        reply(l, cmd, S("BAD Error in IMAP command received by server."));
    }
    return OK;
}

static err greeting(struct task *t, struct login *l, bool wrapped)
{
    if (wrapped) {
        must(l->door->tls);
        TRY(login_tls(t, l));
    }
    conn_put(l->conn, S("* OK ["));
    put_capabilities(l);
    conn_fmt(l->conn, "] %.*s ready.\r\n", STR(l->product));
    return OK;
}

err imap_greet(struct task *t, struct login *l, bool wrapped)
{
    struct imap_limits lim = limits;

    login_begin(t, l);
    TRY(greeting(t, l, wrapped));
    while (!l->user.n) {
        struct imap_command cmd;
        err e;

        arena_reset(&l->scratch);
        /* a client that always has something to say gets no more time */
        lim.idle_s = (l->end - rt_now(t)) / 1000000 + 1;
        e = rt_now(t) >= l->end
                ? ERR_LATE
                : imap_command_read(t, l->conn, &l->scratch, &lim, &cmd);
        if (e == ERR_SYNTAX) {
            l->n_bad++;
            reply(l, &cmd, cmd.too_long
                      ? S("BAD Too long argument.")
                      : S("BAD Error in IMAP command received by server."));
            e = OK;
        } else if (e == ERR_LATE) {
            conn_put(l->conn, S("* BYE Disconnected for inactivity.\r\n"));
            err_ignore(conn_flush(t, l->conn, after_s(t, 5)));
        } else if (!e && cmd.body.there && !cmd.body.sync) {
            e = ERR_END;        /* a message, and nobody to take it */
        } else if (!e) {
            e = on_command(t, l, &cmd);
        }
        if (!e && l->n_bad >= BAD_MAX) {
            conn_put(l->conn, S("* BYE Too many invalid IMAP commands."
                                "\r\n"));
            err_ignore(conn_flush(t, l->conn, after_s(t, 5)));
            e = ERR_END;
        }
        if (e) {
            arena_reset(&l->scratch);
            return e;
        }
    }
    arena_reset(&l->scratch);
    return OK;
}
