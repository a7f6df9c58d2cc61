/* SPDX-License-Identifier: ISC
 *
 * One connection in the door: greeting, login, handing over.
 */
#include "role/imapd/imapd.h"

#include "auth/sasl.h"
#include "role/events.h"

enum { SESSION_MAX = 256 * 1024, LOGIN_S = 180, FAILURES_MAX = 10,
       ROOM_PAUSE_MS = 100, AUTH_WAIT_S = 30, NAME_LEN_MAX = 256 };

struct door_visit {
    struct imapd *d;
    const struct door_settings *l;
    struct waiting_visitor visitor; /* until it has logged in */
    struct arena memory;
    struct login login;
    struct auth_user account;
    str address, own_address, name;
    str tried;                  /* the user name of the last attempt */
    uint32_t n_tried;
    bool same_host;             /* what the client says crosses no network */
};

static struct door_visit *visit_of(struct login *l)
{
    return l->self;
}

static err check(struct task *t, struct login *l, str user, str secret,
                 str *name)
{
    struct door_visit *v = visit_of(l);
    struct auth_question q = {
        .service = l->is_pop3 ? S("pop") : S("imap"),
        .client = v->address,
        .user = user,
        .secret = secret,
    };
    err e;

    v->tried = arena_str(&v->memory, str_head(user, NAME_LEN_MAX));
    v->n_tried++;
    v->visitor.busy = true;
    e = auth_check(t, v->d->auth, &q, after_s(t, AUTH_WAIT_S), &v->memory,
                   &v->account);
    v->visitor.busy = false;
    TRY(e);
    *name = v->account.name;
    return OK;
}

static err sasl(struct task *t, struct login *l, str mech, const str *initial,
                str *name)
{
    enum sasl_mech m = sasl_find(mech, visit_of(l)->l->sasl_flags);
    enum sasl_step step;
    struct sasl s;
    str challenge, answer;

    if (m == SASL_NONE)
        return ERR_ABSENT;
    step = sasl_begin_base64(&s, m, &l->scratch, initial, &challenge);
    while (step == SASL_MORE) {
        TRY(login_challenge(t, l, challenge, &answer));
        step = sasl_answer_base64(&s, answer, &challenge);
    }
    if (step != SASL_CLAIM)
        return ERR_SYNTAX;
    return check(t, l, s.user, s.secret, name);
}

static void note(struct task *t, struct login *l, const char *event, str text)
{
    struct door_visit *v = visit_of(l);

    str method = str_empty(l->method) || str_eq(l->method, S("USER"))
                     ? S("LOGIN") : l->method; /* as filters know them */

    if (str_eq(str_from(event), S("failed")))
        say(t, smtpd_sasl_failed, STR(v->name), STR(v->address), STR(method),
            STR(text), STR(v->tried));
}

static struct reader_start start_of(struct door_visit *v)
{
    const struct conf *c = v->l->conf;

    return (struct reader_start){
        .pop3 = v->l->pop3,
        .pass = v->account.pass,
        .tag = v->login.tag,
        .home = conf_str(c, P_mailstore_home),
        .location = conf_raw(c, P_mailstore_location),
        .quota = v->l->quota,
        .client = v->address,
        .idle_s = conf_seconds(c, v->l->pop3 ? P_pop3d_idle_timeout
                                             : P_imapd_idle_timeout),
        .message_max = (uint64_t)conf_int(c, P_message_size_limit),
    };
}

/* What a client hears who is right and cannot be served. */
static str sorry(struct door_visit *v)
{
    if (v->l->pop3)
        return S("-ERR [SYS/TEMP] Mailbox is not available now\r\n");
    return arena_fmt(&v->memory, "%.*s NO [UNAVAILABLE] Mailbox is not "
                     "available now\r\n", STR(v->login.tag));
}

static void refuse(struct task *t, struct door_visit *v, const char *reason)
{
    say(t, imapd_refused, STR(v->account.name), reason);
    conn_put(v->login.conn, sorry(v));
    err_ignore(conn_flush(t, v->login.conn, after_s(t, 10))); /* it may be
                                                                 gone */
}

/* Without TLS the client's socket itself goes over, and we are done. */
static err hand_socket(struct task *t, struct door_visit *v,
                       struct reader_start *s)
{
    struct sock *sock;
    err e;

    TRY(conn_flush(t, v->login.conn, after_s(t, 10)));
    s->input = conn_take(v->login.conn, &v->memory);
    sock = conn_release(v->login.conn);
    e = reader_hand(t, v->d, v->account.uid, s, sock_fd(sock));
    if (e)      /* it may be gone */
        err_ignore(sock_write_str(t, sock, sorry(v), after_s(t, 10)));
    sock_close(sock);
    return e;
}

static err hand_stream(struct task *t, struct door_visit *v,
                       struct reader_start *s)
{
    struct sock *plain;
    int theirs;
    err e;

    s->input = conn_take(v->login.conn, &v->memory);
    TRY(sock_pair(t, &plain, &theirs));
    e = reader_hand(t, v->d, v->account.uid, s, theirs);
    fd_close(theirs);
    if (!e) {
        relay(t, v->login.conn, plain);
    } else {
        conn_put(v->login.conn, sorry(v));      /* it may be gone */
        err_ignore(conn_flush(t, v->login.conn, after_s(t, 10)));
    }
    sock_close(plain);
    return e;
}

static void hand_over(struct task *t, struct door_visit *v)
{
    struct reader_start s = start_of(v);
    bool tls = conn_tls(v->login.conn)->on;
    err e;

    if (!v->account.has_ids) {
        refuse(t, v, "no user id: set mailstore_uid");
        return;
    }
    say(t, imapd_login, STR(v->account.name), STR(v->login.method),
        STR(v->address), STR(v->own_address), tls ? ", TLS" : "");
    e = tls ? hand_stream(t, v, &s) : hand_socket(t, v, &s);
    if (e && e != ERR_STOPPED)
        say(t, imapd_refused, STR(v->account.name), task_why(t));
}

/* Why a visit ended without a login, as log followers know it. */
static str end_of(struct door_visit *v, err e)
{
    const char *reason = v->visitor.dropped
                             ? "dropped to make room for others"
                       : v->login.tls_failed ? "TLS handshake failed"
                       : e == ERR_LATE ? "inactivity"
                       : e == ERR_END ? "connection closed" : err_name(e);

    if (v->n_tried)
        return arena_fmt(&v->memory, "%s (auth failed, %u attempts)", reason,
                         v->n_tried);
    return arena_fmt(&v->memory, "%s (no auth attempts)", reason);
}

static void serve(struct task *t, struct door_visit *v, struct sock *sock)
{
    struct door door = {
        .check = check, .sasl = sasl, .note = note, .tls = v->l->tls,
        .mechanisms = v->l->mechanisms,
        .plaintext_allowed = v->l->plaintext
                             || (!v->l->tls && v->same_host),
    };
    err e;

    v->login = (struct login){
        .door = &door, .self = v, .conn = conn_new(&v->memory, sock),
        .memory = &v->memory, .product = S("Veredus"),
        .version = str_from(VEREDUS_VERSION), .idle_s = LOGIN_S,
        .failures_max = FAILURES_MAX, .is_pop3 = v->l->pop3,
    };
    e = v->l->pop3 ? pop3_greet(t, &v->login, v->l->wrapped)
                   : imap_greet(t, &v->login, v->l->wrapped);
    waiting_leave(&v->visitor);
    if (!e)
        hand_over(t, v);
    else if (e != ERR_STOPPED)
        say(t, imapd_no_login, STR(v->name), STR(v->address),
            STR(end_of(v, e)), STR(v->tried), STR(v->address),
            STR(v->own_address), conn_tls(v->login.conn)->on ? ", TLS" : "");
}

static void send_away(struct task *t, struct door_visit *v,
                      struct sock *sock)
{
    waiting_leave(&v->visitor);
    say(t, imapd_too_many, STR(v->name), STR(v->address));
    if (!v->l->wrapped)     /* it may be gone */
        err_ignore(sock_write_str(t, sock, v->l->pop3
            ? S("-ERR [IN-USE] Too many connections from your address\r\n")
            : S("* BYE Too many connections from your address\r\n"),
            after_s(t, 5)));
    sock_close(sock);
}

/* The process limit of master.cf is one of visits that have not logged in. */
static err make_room(struct task *t, struct door_settings *l,
                     const struct door_visit *v)
{
    while (l->limit && l->waiting.n > l->limit && !v->visitor.dropped)
        if (!waiting_drop(&l->waiting, &v->visitor)) /* we are slow, not they */
            TRY(task_sleep(t, after_ms(t, ROOM_PAUSE_MS)));
    return OK;
}

err door_visit_run(struct task *t, void *guest)
{
    struct door_guest *g = guest;
    struct door_settings *l = (struct door_settings *)g->edition->self
                              + g->service;
    struct door_visit *v = heap_new(struct door_visit);
    struct endpoint own;

    v->d = g->self;
    v->l = l;
    waiting_enter(&l->waiting, &v->visitor, g->sock);
    arena_init(&v->memory, SESSION_MAX);
    log_name_set(t, v->l->log_name);
    v->address = endpoint_address(&g->peer, &v->memory);
    v->name = S("unknown");
    if (!sock_local(g->sock, &own)) {
        v->own_address = endpoint_address(&own, &v->memory);
        v->same_host = endpoint_same_address(&own, &g->peer);
    }
    err_ignore(make_room(t, l, v)); /* then it is cut off as well */
    if (door_client_enter(v->d, &g->peer,
                          (uint32_t)conf_int(v->l->conf,
                              P_imapd_client_connection_count_limit)))
        serve(t, v, g->sock);
    else
        send_away(t, v, g->sock);
    must(!v->visitor.in);       /* the socket is gone */
    log_name_set(t, role_title(ROLE_imapd)); /* the other may go now */
    door_client_leave(v->d, &g->peer);
    arena_reset(&v->memory);
    heap_free(v);
    door_leave(g);
    return OK;
}
