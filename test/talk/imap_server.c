/* SPDX-License-Identifier: ISC
 *
 * A small server made of the reading modules, for dialogues over real
 * sockets:
 *
 *     imap-test-server LOCATION [key=value ...]
 *
 * serves one store to the user "user" with the password "pass" on loopback
 * ports of the system's choice, which it prints: "imap N pop3 N".  Keys:
 * plaintext=no, idle=SECONDS, login=SECONDS, max=BYTES (of an APPEND),
 * quota=BYTES.
 */
#include "auth/sasl.h"
#include "imap/imap.h"
#include "imap/login.h"
#include "rt/rt.h"
#include "rt/world.h"

#include <stdio.h>

struct server {
    struct store_options store;
    struct reading_options reading;
    struct door door;
    int64_t login_s;
    struct task_group group;
    struct sock *listeners[2];
};

struct client {
    struct server *server;
    struct sock *sock;
    bool pop3;
};

static err check(struct task *t, struct login *l, str user, str secret,
                 str *name)
{
    (void)t;
    if (!str_eq(user, S("user")) || !str_eq(secret, S("pass")))
        return ERR_DENIED;
    *name = arena_str(l->memory, user);
    return OK;
}

static err sasl(struct task *t, struct login *l, str mech, const str *initial,
                str *name)
{
    enum sasl_mech m = sasl_find(mech, 0);
    struct sasl s;
    str challenge, line;
    enum sasl_step step;

    if (m == SASL_NONE)
        return ERR_ABSENT;
    step = sasl_begin_base64(&s, m, &l->scratch, initial, &challenge);
    while (step == SASL_MORE) {
        TRY(login_challenge(t, l, challenge, &line));
        step = sasl_answer_base64(&s, line, &challenge);
    }
    return step == SASL_BAD ? ERR_SYNTAX
                            : check(t, l, s.user, s.secret, name);
}

static err serve(struct task *t, struct client *cl, struct conn *c,
                 struct arena *a)
{
    struct server *sv = cl->server;
    struct login l = { .door = &sv->door, .conn = c, .memory = a,
                       .product = S("Veredus"), .version = S("test"),
                       .idle_s = sv->login_s, .failures_max = 3 };
    struct reading_options o = sv->reading;
    struct store *st;
    err e;

    TRY(cl->pop3 ? pop3_greet(t, &l, false) : imap_greet(t, &l, false));
    o.tag = l.tag;
    o.user = l.user;
    e = store_open(t, a, &sv->store, &st);
    if (e) {
        fprintf(stderr, "store: %s\n", task_why(t));
        return e;
    }
    return cl->pop3 ? pop3_session(t, c, st, &o)
                    : imap_session(t, c, st, &o);
}

static err client_run(struct task *t, void *arg)
{
    struct client *cl = arg;
    struct arena a;
    err e;

    arena_init(&a, 0);
    e = serve(t, cl, conn_new(&a, cl->sock), &a);
    if (e && e != ERR_END)
        fprintf(stderr, "session: %s: %s\n", err_name(e), task_why(t));
    arena_reset(&a);
    heap_free(cl);
    return OK;
}

static err accept_loop(struct task *t, struct server *sv, bool pop3)
{
    for (;;) {
        struct client *cl = heap_new(struct client);
        struct endpoint peer;

        cl->server = sv;
        cl->pop3 = pop3;
        TRY(sock_accept(t, sv->listeners[pop3], NEVER, &cl->sock, &peer));
        group_go(&sv->group, "client", client_run, cl);
    }
}

static err imap_loop(struct task *t, void *arg)
{
    return accept_loop(t, arg, false);
}

static err pop3_loop(struct task *t, void *arg)
{
    return accept_loop(t, arg, true);
}

static err listen_at(struct task *t, struct sock **out, int *port)
{
    struct endpoint at;

    TRY(endpoint_parse(S("127.0.0.1"), 0, &at));
    TRY(sock_listen(t, &at, 100, out));
    TRY(sock_local(*out, &at));
    *port = at.port;
    return OK;
}

static void option(struct server *sv, str arg)
{
    str value = arg, key;
    uint64_t n = 0;

    str_cut(&value, '=', &key);
    if (!str_uint(value, INT64_MAX, &n))
        n = 0;
    if (str_eq(key, S("plaintext")))
        sv->door.plaintext_allowed = !str_eq(value, S("no"));
    else if (str_eq(key, S("idle")))
        sv->reading.idle_s = (int64_t)n;
    else if (str_eq(key, S("login")))
        sv->login_s = (int64_t)n;
    else if (str_eq(key, S("max")))
        sv->reading.message_max = n;
    else if (str_eq(key, S("quota")))
        sv->store.quota_bytes = n;
    else if (str_eq(key, S("sep")))
        sv->store.separator = value.p[0];
}

static err tls_ready(struct task *t, struct arena *a, struct server *sv)
{
    struct tls_pair *own = arena_new(a, struct tls_pair);
    struct tls_options o = { .pairs = own, .n_pairs = 1 };

    TRY(tls_self_signed(t, a, S("localhost"), 10, &own->key_pem,
                        &own->chain_pem));
    return tls_server_new(t, a, &o, &sv->door.tls);
}

static char **argv_;            /* test program: set once by main */

static err run(struct task *t, void *arg)
{
    struct server *sv = arg;
    struct arena a;
    int imap_port, pop3_port;

    arena_init(&a, 0);
    sv->store = (struct store_options){
        .location = str_from(argv_[1]), .user = S("user"),
        .home = S("/nonexistent"), .host = S("test.host") };
    sv->reading = (struct reading_options){
        .product = S("Veredus"), .version = S("test"), .idle_s = 60 };
    sv->door = (struct door){ .check = check, .sasl = sasl,
                              .mechanisms = S("PLAIN LOGIN"),
                              .plaintext_allowed = true };
    for (char **arg_at = argv_ + 2; *arg_at; arg_at++)
        option(sv, str_from(*arg_at));
    TRY(tls_ready(t, &a, sv));
    TRY(watch_hub_open(t, &a, &sv->store.watches));
    TRY(listen_at(t, &sv->listeners[0], &imap_port));
    TRY(listen_at(t, &sv->listeners[1], &pop3_port));
    group_open(t, &sv->group);
    group_go(&sv->group, "hub", watch_hub_run, sv->store.watches);
    group_go(&sv->group, "imap", imap_loop, sv);
    group_go(&sv->group, "pop3", pop3_loop, sv);
    printf("imap %d pop3 %d\n", imap_port, pop3_port);
    fflush(stdout);
    return group_wait(t, &sv->group, NEVER);
}

int main(int argc, char **argv)
{
    struct server sv = { .reading.idle_s = 60, .login_s = 60 };

    if (argc < 2) {
        fprintf(stderr, "usage: %s LOCATION [key=value ...]\n", argv[0]);
        return 2;
    }
    argv_ = argv;
    return world_run("imap-test-server", run, &sv) != OK;
}
