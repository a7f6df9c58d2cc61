/* SPDX-License-Identifier: ISC
 *
 * Opening a connection: targets in turn, until one lets us in.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"

enum { TARGETS_MAX = 5 };

static void set_dsn(struct open_failure *f, const char *dsn)
{
    for (size_t i = 0; i + 1 < sizeof(f->dsn) && dsn[i]; i++)
        f->dsn[i] = dsn[i];
}

static void refused(struct open_failure *f, const struct line *n,
                    const struct smtp_answer *ans, struct arena *a)
{
    const struct reply *r = &ans->reply;

    f->permanent = r->code / 100 == 5;
    if (r->dsn[0])
        set_dsn(f, r->dsn);
    else
        set_dsn(f, f->permanent ? "5.0.0" : "4.0.0");
    f->relay = arena_str(a, n->relay);
    f->text = arena_fmt(a, "host %.*s refused to talk to me: %.*s",
                        STR(n->relay), STR(r->text));
}

static void broke(struct task *t, struct open_failure *f,
                  const struct line *n, err e, struct arena *a)
{
    f->permanent = false;
    set_dsn(f, "4.4.2");
    f->relay = arena_str(a, n->relay);
    if (e == ERR_LATE)
        f->text = arena_fmt(a, "conversation with %.*s timed out while %s",
                            STR(n->relay), n->peer.stage);
    else if (e == ERR_END)
        f->text = arena_fmt(a, "lost connection with %.*s while %s",
                            STR(n->relay), n->peer.stage);
    else
        f->text = arena_fmt(a, "%.*s: %s while %s", STR(n->relay),
                            task_why(t), n->peer.stage);
}

/* "host[addr]:port" for log lines. */
static void name_line(struct line *n)
{
    struct arena *a = &n->memory;

    if (n->target.at.kind == ENDPOINT_UNIX)
        n->relay = arena_fmt(a, "%.*s[%s]", STR(n->target.host),
                             n->target.at.path);
    else
        n->relay = arena_fmt(a, "%.*s[%.*s]:%u", STR(n->target.host),
                             STR(endpoint_address(&n->target.at, a)),
                             n->target.at.port);
}

/* Turns to TLS if both sides want it. */
static err start_tls(struct task *t, const struct client_settings *l,
                     struct line *n, struct arena *a,
                     struct smtp_answer *answer, bool *refuse)
{
    *refuse = false;
    if (l->tls == TLS_NONE || !l->tls_context)
        return OK;
    if (!n->peer.starttls) {
        *refuse = l->tls == TLS_ENCRYPT;
        return OK;
    }
    TRY(smtp_start_tls(t, &n->peer, l->tls_context, n->target.host, a,
                       answer));
    if (answer->reply.code != 220) {
        *refuse = l->tls == TLS_ENCRYPT;
        return OK;
    }
    return smtp_say_helo(t, &n->peer, a, answer);
}

/* Greeting, hello, TLS.  OK with *f filled when the server does not want us. */
static err introduce(struct task *t, const struct client_settings *l,
                     struct line *n, struct arena *a, struct open_failure *f,
                     bool *in)
{
    struct smtp_answer answer;
    bool no_tls;

    *in = false;
    TRY(smtp_read_greeting(t, &n->peer, a, &answer));
    if (answer.reply.code / 100 != 2) {
        refused(f, n, &answer, a);
        if (answer.reply.code / 100 == 5 && l->skip_5xx_greeting) {
            f->permanent = false; /* another exchanger may be kinder */
            f->dsn[0] = '4';
        }
        return OK;
    }
    TRY(smtp_say_helo(t, &n->peer, a, &answer));
    if (answer.reply.code / 100 != 2) {
        refused(f, n, &answer, a);
        return OK;
    }
    TRY(start_tls(t, l, n, a, &answer, &no_tls));
    if (no_tls) {
        set_dsn(f, "4.7.4");
        f->relay = arena_str(a, n->relay);
        f->text = arena_fmt(a, "TLS is required, but was not offered by "
                            "host %.*s", STR(n->relay));
        return OK;
    }
    *in = true;
    return OK;
}

static err try_target(struct task *t, struct client *c,
                      const struct client_settings *l,
                      const struct target *target, struct arena *a,
                      struct line **out, struct open_failure *f)
{
    struct line *n = heap_new(struct line);
    struct sock *s;
    bool in = false;
    err e;

    (void)c;
    arena_init(&n->memory, 0);
    n->target = *target;
    n->target.host = arena_str(&n->memory, target->host);
    name_line(n);
    e = sock_connect(t, &target->at, NULL, after_s(t, l->connect_s), &s);
    if (e && e != ERR_STOPPED) {
        set_dsn(f, "4.4.1");
        f->text = arena_fmt(a, "connect to %.*s: %s", STR(n->relay),
                            task_why(t));
        say(t, smtpc_connect_failed, STR(n->relay), task_why(t));
    }
    if (!e) {
        n->connected_us = rt_wall(t);
        n->peer = (struct smtp_peer){
            .conn = conn_new(&n->memory, s),
            .memory = &n->memory,
            .timeouts = l->timeouts,
            .lmtp = l->lmtp,
            .may_pipeline = l->may_pipeline,
            .helo = l->helo,
        };
        e = introduce(t, l, n, a, f, &in);
        if (e && e != ERR_STOPPED)
            broke(t, f, n, e, a);
        if (!e && !in)
            smtp_quit(t, &n->peer, false);
    }
    if (e || !in) {
        arena_reset(&n->memory);
        heap_free(n);
        return e ? e : ERR_PEER;
    }
    n->connected_us = rt_wall(t);
    *out = n;
    return OK;
}

err line_open(struct task *t, struct client *c,
              const struct client_settings *l, str nexthop, struct arena *a,
              struct line **out, struct open_failure *f)
{
    struct targets targets;

    TRY(targets_find(t, c, l, nexthop, a, &targets));
    if (targets.list.n == 0) {
        f->permanent = targets.permanent;
        set_dsn(f, targets.dsn);
        f->text = targets.reason;
        return ERR_PEER;
    }
    for (size_t i = 0; i < targets.list.n && i < TARGETS_MAX; i++) {
        err e;
        *f = (struct open_failure){ 0 };
        e = try_target(t, c, l, &targets.list.p[i], a, out, f);
        if (!e || e == ERR_STOPPED)
            return e;
        if (f->permanent)
            break;
    }
    return ERR_PEER;
}

void line_close(struct task *t, struct line *n, bool polite)
{
    if (polite)
        smtp_quit(t, &n->peer, false);
    arena_reset(&n->memory);
    heap_free(n);
}
