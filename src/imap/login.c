/* SPDX-License-Identifier: ISC
 *
 * What IMAP and POP3 share before login.
 */
#include "imap/login.h"

enum { ANSWER_MAX = 12288 };

void login_begin(struct task *t, struct login *l)
{
    l->end = after_s(t, l->idle_s);
    arena_init(&l->scratch, 0);
}

when login_until(struct task *t, const struct login *l)
{
    (void)t;
    return l->end;
}

bool login_allowed(const struct login *l)
{
    return l->door->plaintext_allowed || conn_tls(l->conn)->on;
}

void login_note(struct task *t, struct login *l, const char *event, str text)
{
    if (l->door->note)
        l->door->note(t, l, event, text);
}

bool login_failed(struct task *t, struct login *l, err e)
{
    /* whoever bans for failures must not do so for ours */
    login_note(t, l, "failed",
               e == ERR_DENIED ? S("authentication failure")
               : e == ERR_SYNTAX ? S("invalid authentication data")
               : S("Connection lost to authentication server"));
    return ++l->n_failures >= l->failures_max;
}

err login_tls(struct task *t, struct login *l)
{
    err e = conn_tls_accept(t, l->conn, l->door->tls, login_until(t, l));

    if (!e)
        return OK;
    l->tls_failed = true;
    login_note(t, l, "TLS handshake failed", str_from(task_why(t)));
    return ERR_END;
}

err login_challenge(struct task *t, struct login *l, str challenge,
                    str *answer)
{
    enum line_end end;
    str line;

    conn_fmt(l->conn, "+ %.*s\r\n", STR(challenge));
    TRY(conn_line(t, l->conn, ANSWER_MAX, login_until(t, l), &line, &end));
    if (end == LINE_CUT)
        return why(t, ERR_END, "answer is too long");
    if (str_eq(line, S("*")))
        return ERR_DENIED;
    *answer = arena_str(&l->scratch, line);
    return OK;
}
