/* SPDX-License-Identifier: ISC
 *
 * Opening a connection: targets in turn, until one lets us in.  No more than
 * smtp_mx_session_limit of a site get mail; those where it does not come to
 * that, because of greeting, hello or TLS, do not count.
 */
#include "role/smtpc/smtpc.h"

#include "role/events.h"
#include "role/tls.h"

enum { SMTP_PORT = 25 };

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
                        STR(n->name), STR(r->text));
}

/* What it said is no SMTP: verdict.c has the same for messages. */
static void wrong(struct open_failure *f, const struct line *n,
                  struct arena *a)
{
    const struct smtp_answer *said = &n->peer.wrong;

    f->permanent = !n->peer.is_noise;
    set_dsn(f, f->permanent ? "5.5.0" : "4.5.0");
    f->relay = arena_str(a, n->relay);
    f->text = arena_fmt(a, "Protocol error: host %.*s refused to talk to me: "
                        "%.*s (in reply to %s)", STR(n->name),
                        STR(said->reply.text), said->command);
}

static void broke(struct task *t, struct open_failure *f,
                  const struct line *n, err e, struct arena *a)
{
    if (n->peer.wrong.command) {
        wrong(f, n, a);
        return;
    }
    f->permanent = false;
    set_dsn(f, n->peer.in_tls ? "4.7.5" : "4.4.2");
    f->relay = arena_str(a, n->relay);
    if (n->peer.in_tls)
        f->text = S("Cannot start TLS: handshake failure");
    else if (e == ERR_LATE)
        f->text = arena_fmt(a, "conversation with %.*s timed out while %s",
                            STR(n->name), n->peer.stage);
    else if (e == ERR_END)
        f->text = arena_fmt(a, "lost connection with %.*s while %s",
                            STR(n->name), n->peer.stage);
    else
        f->text = arena_fmt(a, "%.*s: %s while %s", STR(n->name),
                            task_why(t), n->peer.stage);
}

/* "host[addr]:port" for log lines, "host[addr]" for sentences. */
static void name_line(struct line *n)
{
    struct arena *a = &n->memory;

    if (n->target.at.kind == ENDPOINT_UNIX) {
        n->relay = n->name = arena_fmt(a, "%.*s[%.*s]", STR(n->target.host),
                                       STR(n->target.path));
        return;
    }
    n->name = arena_fmt(a, "%.*s[%.*s]", STR(n->target.host),
                        STR(endpoint_address(&n->target.at, a)));
    n->relay = arena_fmt(a, "%.*s:%u", STR(n->name), n->target.at.port);
}

static void say_tls(struct task *t, const struct client_settings *l,
                    const struct line *n, struct arena *a)
{
    const struct tls_facts *f = conn_tls(n->peer.conn);
    struct buf b;

    if (l->tls_loglevel < 1 || !f->on)
        return;
    buf_init(&b, a, 1024);
    tls_facts_put(f, " ", &b);
    say(t, smtpc_tls, str_empty(f->peer_fingerprint) ? "Anonymous"
                      : !f->peer_verified ? "Untrusted"
                      : l->tls >= TLS_VERIFY && line_is_verified(l, n)
                          ? "Verified" : "Trusted",
        STR(n->relay), STR(f->protocol), STR(f->cipher), f->bits_used,
        f->bits_total, STR(buf_str(&b)));
}

/* smtp_tls_servername: the host, the next hop, or a name; never an address. */
static str sni_of(const struct client_settings *l, const struct line *n)
{
    str name = l->tls_name;
    struct endpoint literal;

    if (str_ieq(name, S("hostname")))
        name = n->target.host;
    else if (str_ieq(name, S("nexthop")))
        name = line_domain(n);
    return endpoint_parse(name, 0, &literal) ? name : S("");
}

static void say_tls_failed(struct task *t, const struct line *n, err e,
                           struct arena *a)
{
    str reason = e == ERR_LATE ? S("Connection timed out")
                               : arena_str(a, str_from(task_why(t)));

    say(t, smtpc_tls_failed, STR(n->relay), STR(role_tls_outcome(reason)));
    role_tls_complain(t, reason);
}

/* Turns to TLS if both sides want it. */
static err start_tls(struct task *t, const struct client_settings *l,
                     struct line *n, struct arena *a,
                     struct smtp_answer *answer, bool *refuse)
{
    err e;

    *refuse = l->tls >= TLS_ENCRYPT;
    if (l->tls == TLS_NONE || !l->tls_context || !n->peer.starttls)
        return OK;
    e = smtp_start_tls(t, &n->peer, l->tls_context, sni_of(l, n), a, answer);
    if (e && e != ERR_STOPPED && n->peer.in_tls)
        say_tls_failed(t, n, e, a);
    TRY(e);
    if (answer->reply.code != 220)
        return OK;
    say_tls(t, l, n, a);
    *refuse = l->tls >= TLS_VERIFY && !line_is_verified(l, n);
    if (*refuse)
        return OK;
    return smtp_say_helo(t, &n->peer, a, answer);
}

static void no_tls(struct open_failure *f, const struct client_settings *l,
                   const struct line *n, struct arena *a)
{
    set_dsn(f, "4.7.4");
    f->relay = arena_str(a, n->relay);
    if (conn_tls(n->peer.conn)->on) {
        set_dsn(f, "4.7.5");
        f->text = conn_tls(n->peer.conn)->peer_verified
                      ? S("Server certificate not verified")
                      : S("Server certificate not trusted");
    } else if (!l->tls_context)
        f->text = S("TLS is required, but our TLS engine is unavailable");
    else
        f->text = arena_fmt(a, "TLS is required, but was not offered by "
                            "host %.*s", STR(n->name));
}

/* A server with our own name is ourselves, by another address (T1). */
static bool is_ourselves(struct task *t, const struct client_settings *l,
                         const struct line *n, str reply,
                         struct open_failure *f, struct arena *a)
{
    str rest = str_skip(reply, 4), name;

    if (l->lmtp || n->target.at.port != SMTP_PORT
        || !str_token(&rest, S(" "), &name)
        || !str_ieq(name, conf_str(l->conf, P_myhostname)))
        return false;
    say(t, smtpc_own_name, STR(n->name), STR(name));
    set_dsn(f, "5.4.6");
    f->permanent = true;
    f->relay = arena_str(a, n->relay);
    f->text = arena_fmt(a, "mail for %.*s loops back to myself",
                        STR(n->target.site));
    return true;
}

/* Greeting, hello, TLS, login.  OK with f->text filled when the server does
 * not want us. */
static err introduce(struct task *t, const struct client_settings *l,
                     bool tls, struct line *n, struct arena *a,
                     struct open_failure *f)
{
    struct smtp_answer answer;
    bool needs_tls = false;

    TRY(smtp_read_greeting(t, &n->peer, a, &answer));
    if (answer.reply.code / 100 != 2) {
        refused(f, n, &answer, a);
        if (f->permanent && l->skip_5xx_greeting) {
            f->permanent = false; /* another exchanger may be kinder */
            f->dsn[0] = '4';
        }
        return OK;
    }
    TRY(smtp_say_helo(t, &n->peer, a, &answer));
    if (answer.reply.code / 100 == 2
        && is_ourselves(t, l, n, answer.reply.text, f, a))
        return OK;
    if (l->tls_note_offer && l->tls == TLS_NONE && n->peer.starttls)
        say(t, smtpc_tls_offer, STR(n->target.host));
    if (answer.reply.code / 100 == 2 && tls)
        TRY(start_tls(t, l, n, a, &answer, &needs_tls));
    if (needs_tls) {
        no_tls(f, l, n, a);
        return OK;
    }
    if (answer.reply.code / 100 != 2 && !n->peer.esmtp) {
        refused(f, n, &answer, a);
        return OK;
    }
    return l->auth ? line_login(t, l, n, a, f) : OK;
}

static const struct endpoint *bind_to(const struct client_settings *l,
                                      const struct endpoint *to)
{
    const struct endpoint *e = to->kind == ENDPOINT_IP6 ? &l->bind6
                                                        : &l->bind4;

    return e->kind == ENDPOINT_NONE || to->kind == ENDPOINT_UNIX ? NULL : e;
}

static err connect_to(struct task *t, const struct client_settings *l,
                      struct line *n, struct arena *a,
                      struct open_failure *f)
{
    const struct endpoint *from = bind_to(l, &n->target.at);
    struct sock *s;
    err e = sock_connect(t, &n->target.at, from, after_s(t, l->connect_s),
                         &s);

    if (e == ERR_STOPPED)
        return e;
    if (e) {
        set_dsn(f, "4.4.1");
        f->text = arena_fmt(a, "connect to %.*s: %s", STR(n->relay),
                            task_why(t));
        say(t, smtpc_connect_failed, STR(n->relay), task_why(t));
        return e;
    }
    n->connected_us = rt_wall(t);
    n->peer = (struct smtp_peer){
        .conn = conn_new(&n->memory, s),
        .memory = &n->memory,
        .timeouts = l->timeouts,
        .lmtp = l->lmtp,
        .manners = l->manners,
        .helo = l->helo,
    };
    return OK;
}

static void line_free(struct line *n)
{
    arena_reset(&n->memory);
    heap_free(n);
}

/* What is being tried. */
struct attempt {
    const struct client_settings *l;
    struct arena *a;
    struct open_failure *f;
};

static err try_target(struct task *t, struct attempt *at,
                      const struct target *target, bool tls,
                      struct line **out)
{
    const struct client_settings *l = at->l;
    struct open_failure *f = at->f;
    struct arena *a = at->a;
    struct line *n = heap_new(struct line);
    bool retry = false;
    err e;

    arena_init(&n->memory, 0);
    n->target = *target;
    n->target.host = arena_str(&n->memory, target->host);
    n->target.path = arena_str(&n->memory, target->path);
    n->target.site = arena_str(&n->memory, target->site);
    name_line(n);
    e = connect_to(t, l, n, a, f);
    if (!e) {
        e = introduce(t, l, tls, n, a, f);
        retry = e && e != ERR_STOPPED && n->peer.in_tls
                && l->tls == TLS_MAY && tls;
        if (e && e != ERR_STOPPED)
            broke(t, f, n, e, a);
        if (!e && f->text.p)
            smtp_quit(t, &n->peer, false);
    }
    if (!e && !f->text.p) {
        n->connected_us = rt_wall(t);
        *out = n;
        return OK;
    }
    line_free(n);
    if (!retry)
        return e ? e : ERR_PEER;
    *f = (struct open_failure){ 0 }; /* opportunistic: then without it */
    return try_target(t, at, target, false, out);
}

/* Who comes after the i-th. */
static void keep_rest(struct line *n, const struct client_settings *l,
                      const struct targets *to, size_t i)
{
    for (size_t j = i + 1; j < to->list.n; j++) {
        struct target tg = to->list.p[j];
        if (n->n_sessions >= l->sessions_max
            && str_eq(tg.site, n->target.site))
            continue;
        tg.host = arena_str(&n->memory, tg.host);
        tg.site = arena_str(&n->memory, tg.site);
        tg.path = arena_str(&n->memory, tg.path);
        vec_push(&n->memory, &n->rest.list, tg);
    }
}

err line_open(struct task *t, const struct line_plan *plan, struct arena *a,
              struct line **out, struct open_failure *f)
{
    const struct client_settings *l = plan->l;
    const struct targets *to = plan->to;
    struct attempt at = { .l = l, .a = a, .f = f };
    str site = to->list.n ? to->list.p[0].site : S("");
    uint32_t n_sessions = plan->n_sessions;

    *f = (struct open_failure){ .permanent = to->permanent,
                                .text = to->reason };
    set_dsn(f, to->dsn);
    for (size_t i = 0; i < to->list.n; i++) {
        const struct target *tg = &to->list.p[i];
        err e;
        if (!str_eq(site, tg->site))
            n_sessions = 0;
        site = tg->site;
        if (n_sessions >= l->sessions_max)
            continue;
        *f = (struct open_failure){ 0 };
        e = try_target(t, &at, tg, l->tls != TLS_NONE, out);
        if (!e) {
            (*out)->n_sessions = n_sessions + 1;
            keep_rest(*out, l, to, i);
        }
        if (!e || e == ERR_STOPPED)
            return e;
        if (f->permanent)
            break;
        if (!str_empty(f->relay) && i + 1 < to->list.n)
            say(t, smtpc_host_failed, STR(plan->queue_id), STR(f->text));
    }
    return ERR_PEER;
}

void line_close(struct task *t, struct line *n, bool polite)
{
    if (polite)
        smtp_quit(t, &n->peer, false);
    line_free(n);
}
