/* SPDX-License-Identifier: ISC
 *
 * The reader role: the user's mailboxes, served over plaintext streams that
 * doors hand over.  Powers: those of one user.  Ends by itself when nobody
 * has needed it for a while.
 */
#include "imap/imap.h"
#include "role/imapd/imapd.h"

#include "role/events.h"

#include <unistd.h>

enum { IDLE_END_S = 60, SESSION_MAX = 64 * 1024 * 1024,
       SESSION_FDS = 8 };       /* its socket, store, mailbox, index, and what
                                   is open for a moment */

struct reader {
    struct role *role;
    struct watch_hub *watches;
    struct task_group group, sessions;
    struct link all;            /* struct session */
    struct passes *passes;      /* of the logins of the last minute */
    when last_use;
};

struct session {
    struct link link;           /* among its reader's */
    struct reader *r;
    struct edition *edition;    /* the one it began under */
    struct arena memory;
    struct reader_start start;
    struct pass pass;           /* who it is */
    when issued;                /* the pass: the password was right then */
    struct sock *sock;          /* NULL: not served yet */
    int fd;
};

static err control(struct task *t, void *role)
{
    return role_control(t, role);
}

/* %u, %n, %d in a home directory's name. */
static str expand_home(struct arena *a, str home, str user)
{
    size_t at = str_chr(user, '@');
    str local = str_head(user, at);
    str domain = at == STR_NONE ? S("") : str_skip(user, at + 1);
    struct buf b;

    if (str_chr(user, '/') != STR_NONE || str_starts(user, S("."))
        || str_starts(domain, S(".")))
        return S("");       /* no way out of the directory of all homes */
    buf_init(&b, a, 4096);
    for (size_t i = 0; i < home.n; i++) {
        char next = i + 1 < home.n ? home.p[i + 1] : 0;
        if (home.p[i] != '%' || (next != 'u' && next != 'n' && next != 'd')) {
            buf_byte(&b, home.p[i]);
            continue;
        }
        buf_add(&b, next == 'u' ? user : next == 'n' ? local : domain);
        i++;
    }
    return buf_str(&b);
}

static void note(struct task *t, void *self, const char *event, str text)
{
    const struct session *s = self;

    if (!str_eq(str_from(event), S("ended")))   /* the end says that */
        say(t, imapd_fault, STR(s->pass.user.name), STR(s->start.client), event,
            STR(text));
}

/* How a session ended, as log followers know it. */
static const char *end_of(err e)
{
    return e == OK ? "logged out" : e == ERR_END ? "connection closed"
         : e == ERR_LATE ? "inactivity" : e == ERR_STOPPED ? "shutting down"
         : err_name(e);
}

/* I2: what the door says for users of whom authd names nothing is what main.cf
 * says, or a service of master.cf by -o. */
static bool configured(struct session *s, const struct reader_start *st)
{
    const struct conf *c = s->edition->conf;
    struct services all = conf_services(c);
    struct conf_findings findings = { 0 };

    for (size_t i = 0; i < all.n; i++) {
        struct conf *own;
        if ((str_eq(all.p[i].command, S("imapd"))
             || str_eq(all.p[i].command, S("pop3d")))
            && !conf_of_service(&s->memory, c, &all.p[i], &findings, &own)
            && str_eq(conf_str(own, P_mailstore_home), st->home)
            && str_eq(conf_raw(own, P_mailstore_location), st->location))
            return true;
    }
    return false;
}

/* Whose session it is.  The door cannot make a pass, and shows each once. */
static err admit(struct task *t, struct session *s)
{
    struct reader_start *st = &s->start;
    struct pass *p = &s->pass;

    TRY(pass_check(t, role_pass_key(s->r->role), st->pass, p));
    if (p->user.uid != geteuid())
        return why(t, ERR_DENIED, "the pass of %.*s is for user id %u",
                   STR(p->user.name), p->user.uid);
    TRY(passes_take(t, s->r->passes, p));
    s->issued = p->until - PASS_LIFE_S * (when)1000000;
    if (ended_is(s->r->role->ended, p->user.name, s->issued))
        return why(t, ERR_DENIED, "the account of %.*s was changed since the "
                   "login", STR(p->user.name));
    if ((str_empty(p->user.home) || str_empty(p->user.mailbox))
        && !configured(s, st))
        return why(t, ERR_DENIED, "the place of the mail of %.*s is not one "
                   "of the configuration", STR(p->user.name));
    if (str_empty(p->user.home))
        p->user.home = st->home;
    if (str_empty(p->user.mailbox))
        p->user.mailbox = st->location;
    if (!p->user.quota)
        p->user.quota = st->quota;
    return OK;
}

static void serve(struct task *t, struct session *s, struct conn *c)
{
    struct reader_start *st = &s->start;
    const struct auth_user *user = &s->pass.user;
    struct store_options so = {
        .location = user->mailbox,
        .home = expand_home(&s->memory, user->home, user->name),
        .user = user->name,
        .host = conf_str(s->edition->conf, P_myhostname),
        .quota_bytes = user->quota,
        .watches = s->r->watches,
    };
    struct reading_options ro = {
        .tag = st->tag, .user = user->name, .product = S("Veredus"),
        .version = str_from(VEREDUS_VERSION), .idle_s = st->idle_s,
        .message_max = st->message_max, .note = note, .self = s,
    };
    struct store *store;
    err e;

    reader_specials(t, s->edition->conf, &s->memory, &so);
    conn_feed(c, st->input);
    st->input = S("");
    if (store_open(t, &s->memory, &so, &store)) {
        say(t, imapd_refused, STR(user->name), task_why(t));
        if (st->pop3)
            pop3_refuse(c);
        else
            imap_refuse(c, &ro);
        err_ignore(conn_flush(t, c, after_s(t, 10))); /* it may be gone */
        return;
    }
    e = st->pop3 ? pop3_session(t, c, store, &ro)
                 : imap_session(t, c, store, &ro);
    err_ignore(conn_flush(t, c, after_s(t, 10))); /* it may be gone */
    say(t, imapd_end, STR(user->name), conn_counts(c).in, conn_counts(c).out,
        STR(st->client), end_of(e));
}

static void session_free(struct session *s)
{
    arena_reset(&s->memory);
    edition_leave(s->edition);
    heap_free(s);
}

static err session_run(struct task *t, void *arg)
{
    struct session *s = arg;

    list_add_last(&s->r->all, &s->link);
    log_name_set(t, s->start.pop3 ? "postfix/pop3" : "postfix/imap");
    if (sock_adopt(t, s->fd, &s->sock))
        fd_close(s->fd);
    else
        serve(t, s, conn_new(&s->memory, s->sock));
    list_del(&s->link);
    s->r->last_use = rt_now(t);
    session_free(s);
    return OK;
}

/* When this process has no room for another session; without a task of its
 * own for it. */
static void send_away(struct task *t, struct session *s)
{
    const struct reader_start *st = &s->start;
    struct sock *sock;
    size_t n;
    str text = st->pop3
        ? S("-ERR [SYS/TEMP] Too many sessions now\r\n")
        : arena_fmt(&s->memory, "%.*s NO [UNAVAILABLE] Too many sessions "
                    "now\r\n", STR(st->tag));

    say(t, reader_full, STR(s->pass.user.name), STR(st->client));
    if (sock_adopt(t, s->fd, &sock)) {
        fd_close(s->fd);
        return;
    }
    err_ignore(sock_write_some(sock, text, &n)); /* a new one takes that */
    sock_close(sock);
}

static err on_session(struct task *t, struct reader *r, struct frame *f)
{
    struct session *s = heap_new(struct session);
    err e = ERR_PEER;

    arena_init(&s->memory, SESSION_MAX);
    s->r = r;
    s->edition = edition_hold(r->role->now);
    s->fd = f->fd;
    if (f->type == READER_SESSION && f->fd >= 0)
        e = reader_start_unpack(arena_str(&s->memory, f->body), &s->start);
    if (e) {
        fd_close(f->fd);
        session_free(s);
        return e;
    }
    r->last_use = rt_now(t);
    if (admit(t, s)) {
        say(t, role_warn, task_why(t));
        fd_close(s->fd);
        session_free(s);
        return OK;
    }
    if (!rt_room(t, SESSION_FDS)) {
        send_away(t, s);
        session_free(s);
        return OK;
    }
    group_go(&r->sessions, "session", session_run, s);
    return OK;
}

struct door_port {
    struct reader *r;
    struct port *port;
};

static err door_port_run(struct task *t, void *arg)
{
    struct door_port *d = arg;
    struct frame f;

    while (!port_recv(t, d->port, NEVER, &f))
        if (on_session(t, d->r, &f))
            break;
    port_close(d->port);
    heap_free(d);
    return OK;
}

/* Cuts the streams of users who were told to be gone; their sessions read an
 * end then. */
static void end_sessions(struct reader *r)
{
    list_each(l, &r->all) {
        struct session *s = container_of(l, struct session, link);
        if (s->sock && ended_is(r->role->ended, s->pass.user.name,
                                s->issued))
            sock_abort(s->sock);
    }
}

/* A reader opens nothing for a configuration. */
static err open_nothing(struct task *t, void *reader, struct edition *e)
{
    (void)t, (void)reader, (void)e;
    return OK;
}

static void take(struct task *t, void *reader, struct edition *before)
{
    (void)t, (void)reader, (void)before;
}

static err serve_doors(struct task *t, struct reader *r)
{
    static const struct edition_user user = { open_nothing, take };
    uint64_t seen = 0;

    while (!r->role->stop) {
        struct role_port *p;
        err e;

        TRY(role_turn(t, r->role, &user, r));
        while (r->role->now && (p = role_port_take(r->role, ROLE_imapd))) {
            struct door_port *d = heap_new(struct door_port);
            *d = (struct door_port){ r, p->port };
            group_go(&r->group, "door", door_port_run, d);
        }
        end_sessions(r);
        e = role_wait(t, r->role, &seen, after_s(t, IDLE_END_S));
        if (e && e != ERR_LATE)
            return e;
        if (e == ERR_LATE && r->sessions.n == 0
            && rt_now(t) - r->last_use > (when)IDLE_END_S * 1000000)
            return OK;
    }
    return OK;
}

err role_reader_run(struct task *t, struct role *role)
{
    struct reader *r = arena_new(role->memory, struct reader);
    err e;

    r->role = role;
    r->passes = passes_new();
    list_init(&r->all);
    r->last_use = rt_now(t);
    group_open(t, &r->group);
    group_open(t, &r->sessions);
    if (role->control)
        group_go(&r->group, "control", control, role);
    e = role_wait_first(t, role);
    if (!e) {
        if (watch_hub_open(t, role->memory, &r->watches))
            say(t, role_warn, task_why(t)); /* changes are polled for */
        else
            group_go(&r->group, "watches", watch_hub_run, r->watches);
        e = serve_doors(t, r);
    }
    if (e && e != ERR_STOPPED)
        say(t, role_error, task_why(t));
    group_close(t, &r->sessions);
    group_close(t, &r->group);
    role_end(role);
    passes_free(r->passes);
    return e;
}
