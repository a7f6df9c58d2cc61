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

struct keyword {
    str word;
    size_t offset;      /* of its flag in struct smtp_options */
};

#define KEYWORD(word, flag)                                                   \
    { S_INIT(word), offsetof(struct smtp_options, flag) }
static const struct keyword keywords[] = {
    KEYWORD("PIPELINING", offer_pipelining), KEYWORD("SIZE", offer_size),
    KEYWORD("VRFY", offer_vrfy), KEYWORD("ETRN", offer_etrn),
    KEYWORD("STARTTLS", offer_starttls), KEYWORD("AUTH", offer_auth),
    KEYWORD("ENHANCEDSTATUSCODES", offer_codes),
    KEYWORD("8BITMIME", offer_8bitmime), KEYWORD("DSN", offer_dsn),
    KEYWORD("SMTPUTF8", offer_utf8), KEYWORD("CHUNKING", offer_chunking),
};
#undef KEYWORD

/* Keywords that this client is not to see: those that the address map has for
 * it, else those for everybody.  A failed look-up hides none. */
static void hide_keywords(struct task *t, struct visit *v)
{
    str text = conf_str(v->l->conf, P_smtpd_discard_ehlo_keywords), own;
    bool silent = false;
    struct conf_items words;
    struct buf b;

    if (maps_any(&v->l->keywords)
        && !maps_find(t, &v->l->keywords, v->address, &v->memory, &own))
        text = own;
    words = conf_split(&v->memory, text);
    buf_init(&b, &v->memory, 512);
    for (size_t i = 0; i < words.n; i++) {
        silent |= str_ieq(words.p[i], S("silent-discard"));
        for (size_t k = 0; k < sizeof(keywords) / sizeof(*keywords); k++) {
            if (!str_ieq(words.p[i], keywords[k].word))
                continue;
            *(bool *)((char *)&v->s.o + keywords[k].offset) = false;
            buf_fmt(&b, " %.*s", STR(keywords[k].word));
        }
    }
    if (!silent)
        v->hidden = buf_str(&b);
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
    if (v->s.after_message)
        how = OK; /* some clients never say QUIT: nothing was lost */
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
    v->s.peer = arena_fmt(&v->memory, "%.*s[%.*s]", STR(v->name),
                          STR(v->address));
    hide_keywords(t, v);
    v->s.o.hide_auth = !match_list_find(t, v->l->sasl_exceptions, v->name,
                                        v->address);
    if (!v->l->pickup)
        say(t, smtpd_connect, STR(v->name), STR(v->address));
    how = smtp_serve(t, &v->s, v->l->wrapped ? v->l->tls : NULL);
    say_end(t, v, how);
}

static void turn_away(struct sock *s)
{
    size_t n; /* it fits, or never mind */

    err_ignore(sock_write_some(s, S("421 4.7.0 Error: too many connections "
                                    "of this user\r\n"), &n));
    sock_close(s);
}

/* Local submission is bounded by user, not by master.cf's limit: one user's
 * idle connections are not to keep the others out. */
static bool may_submit(struct task *t, struct smtpd *d, uint32_t uid,
                       struct sock *s)
{
    bool tell;

    if (crowd_enter(&d->submitters, uid, &tell))
        return true;
    turn_away(s);
    if (tell)
        say(t, role_crowd, "public/pickup", uid);
    return false;
}

err visit_run(struct task *t, void *guest)
{
    uint32_t uid;
    struct door_guest *g = guest;
    struct listener_set *set = g->edition->self;
    struct visit *v = heap_new(struct visit);

    v->d = g->self;
    v->l = &set->of[g->service];
    v->peer = g->peer;
    arena_init(&v->memory, SESSION_MAX);
    arena_init(&v->transaction, 0);
    v->memory_of_policy.arena = &v->memory;
    log_name_set(t, v->l->log_name);
    err_ignore(sock_local(g->sock, &v->own)); /* a UNIX socket has none */
    if (v->l->pickup && sock_peer_uid(g->sock, &v->uid))
        v->uid = UINT32_MAX;
    uid = v->uid;
    if (!v->l->pickup || may_submit(t, v->d, uid, g->sock)) {
        serve(t, v, g->sock);
        if (v->l->pickup)
            crowd_leave(&v->d->submitters, uid);
    }
    log_name_set(t, role_title(ROLE_smtpd)); /* the other may go now */
    arena_reset(&v->transaction);
    arena_reset(&v->memory);
    heap_free(v);
    door_leave(g);
    return OK;
}
