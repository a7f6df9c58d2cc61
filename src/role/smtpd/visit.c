/* SPDX-License-Identifier: ISC
 *
 * One connection, from accept to the line that says how it ended.
 */
#include "role/smtpd/smtpd.h"

#include "role/events.h"

enum { SESSION_MAX = 1024 * 1024, NAME_WAIT_S = 20 };

static void client_names(struct task *t, struct visit *v)
{
    struct dns_names n;

    v->address = endpoint_address(&v->peer, &v->memory);
    v->name = v->reverse = S("unknown");
    if (v->l->pickup) {
        v->name = v->reverse = S("localhost");
        v->address = S("127.0.0.1");
        return;
    }
    if (!v->d->dns || !conf_bool(v->l->conf, P_smtpd_peername_lookup))
        return;
    if (dns_client(t, v->d->dns, &v->peer, after_s(t, NAME_WAIT_S),
                   &v->memory, &n))
        return; /* the session ends */
    v->name = n.name;
    v->reverse = n.reverse;
    v->name_status = n.status;
}

/* " ehlo=1 mail=2/3 quit=1 commands=4/5" */
static str counts(struct visit *v)
{
    struct buf b;
    unsigned good = 0, all = 0;

    buf_init(&b, &v->memory, 2048);
    for (int i = 0; i <= N_VERBS; i++) {
        unsigned g = v->s.n_good[i], n = v->s.n_all[i];
        str name = arena_lower(&v->memory,
                               str_from(smtp_verb_name((enum smtp_verb)i)));
        if (n == 0)
            continue;
        good += g;
        all += n;
        if (g == n)
            buf_fmt(&b, " %.*s=%u", STR(name), n);
        else
            buf_fmt(&b, " %.*s=%u/%u", STR(name), g, n);
    }
    if (good == all)
        buf_fmt(&b, " commands=%u", all);
    else
        buf_fmt(&b, " commands=%u/%u", good, all);
    return buf_str(&b);
}

static void say_end(struct task *t, struct visit *v, err how)
{
    if (v->l->pickup)
        return;
    if (how == ERR_LATE)
        say(t, smtpd_late, v->s.where, STR(v->name), STR(v->address));
    else if (how && how != ERR_STOPPED)
        say(t, smtpd_lost, v->s.where, STR(v->name), STR(v->address));
    say(t, smtpd_disconnect, STR(v->name), STR(v->address), STR(counts(v)));
}

static void serve(struct task *t, struct visit *v, struct sock *sock)
{
    err how;

    v->s = (struct smtp_session){
        .site = &smtpd_site,
        .self = v,
        .o = v->l->options,
        .memory = &v->memory,
        .conn = conn_new(&v->memory, sock),
    };
    client_names(t, v);
    if (!v->l->pickup)
        say(t, smtpd_connect, STR(v->name), STR(v->address));
    how = smtp_serve(t, &v->s, v->l->wrapped ? v->l->tls : NULL);
    say_end(t, v, how);
}

err visit_run(struct task *t, void *start)
{
    struct visit_start *st = start;
    struct visit *v = heap_new(struct visit);

    v->d = st->d;
    v->l = st->l;
    v->peer = st->peer;
    arena_init(&v->memory, SESSION_MAX);
    arena_init(&v->transaction, 0);
    v->memory_of_policy.arena = &v->memory;
    log_name_set(t, st->l->log_name);
    err_ignore(sock_local(st->sock, &v->own)); /* a UNIX socket has none */
    if (v->l->pickup && sock_peer_uid(st->sock, &v->uid))
        v->uid = UINT32_MAX;
    serve(t, v, st->sock);
    arena_reset(&v->transaction);
    arena_reset(&v->memory);
    heap_free(v);
    st->epoch->n_sessions[st->l->index]--;
    epoch_leave(st->epoch);
    heap_free(st);
    return OK;
}
