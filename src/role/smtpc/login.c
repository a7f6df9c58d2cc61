/* SPDX-License-Identifier: ISC
 *
 * Logging in at a server: smtp_sasl_password_maps is asked for the host, then
 * for the next hop as it was said; its answer is "user:password".  Mechanisms
 * are PLAIN and LOGIN, which smtp_sasl_security_options forbids as long as it
 * has noplaintext.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

static void failed(struct open_failure *f, const struct client_settings *l,
                   const struct line *n, struct arena *a, str text)
{
    memcpy(f->dsn, l->auth_soft ? "4.7.8" : "5.7.8", 6);
    f->permanent = !l->auth_soft;
    f->relay = arena_str(a, n->relay);
    f->text = text;
}

static bool has(const struct conf_items *list, str word)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_ieq(list->p[i], word))
            return true;
    return false;
}

static err find_password(struct task *t, const struct client_settings *l,
                         const struct line *n, struct arena *a, str *value)
{
    str keys[] = { n->target.host, n->target.site };
    err e = ERR_ABSENT;

    if (l->auth_broken)
        return ERR_IO;
    for (size_t i = 0; i < 2 && e == ERR_ABSENT; i++)
        if (!str_empty(keys[i]))
            e = maps_find(t, &l->passwords, keys[i], a, value);
    return e;
}

err line_login(struct task *t, const struct client_settings *l,
               struct line *n, struct arena *a, struct open_failure *f)
{
    struct smtp_answer answer;
    str value, user;
    size_t colon;
    err e = find_password(t, l, n, a, &value);

    if (e == ERR_ABSENT || e == ERR_STOPPED)
        return e == ERR_ABSENT ? OK : e;
    if (e) {
        failed(f, l, n, a, S("SASL password table lookup error"));
        memcpy(f->dsn, "4.3.0", 6);
        f->permanent = false;
        return OK;
    }
    if (str_empty(n->peer.auth_mechs))
        return OK; /* it wants no login */
    if (has(conn_tls(n->peer.conn)->on ? &l->auth_tls_options
                                       : &l->auth_options,
            S("noplaintext"))) {
        failed(f, l, n, a,
               arena_fmt(a, "SASL authentication failed: server %.*s offered "
                         "no compatible authentication mechanisms for this "
                         "type of connection security", STR(n->name)));
        return OK;
    }
    if (!smtp_knows_auth(&n->peer)) {
        failed(f, l, n, a,
               arena_fmt(a, "SASL authentication failed: server %.*s offered "
                         "no mechanism that is known here", STR(n->name)));
        return OK;
    }
    colon = str_chr(value, ':');
    user = str_head(value, colon);
    TRY(smtp_say_auth(t, &n->peer, user,
                      colon == STR_NONE ? S("") : str_skip(value, colon + 1),
                      a, &answer));
    if (answer.reply.code / 100 != 2)
        failed(f, l, n, a,
               arena_fmt(a, "SASL authentication failed; server %.*s said: "
                         "%.*s", STR(n->name), STR(answer.reply.text)));
    return OK;
}
