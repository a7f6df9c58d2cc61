/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: the ports of master.cf, asked on this host.
 *
 * A running system is spoken to as a client would, from greeting to goodbye,
 * with TLS where the port begins with it: a connection that just goes away is
 * a complaint in the log.  All ports are asked at once, so that one that does
 * not answer costs the time of one.  Of a system that does not run it is seen
 * whether the port can be had, by having it for a moment.
 */
#include "role/tool/doctor.h"

#include "net/conn.h"
#include "net/tls.h"
#include "role/service.h"
#include "role/tool/caller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_S = 3, TALK_S = 15, PRIVILEGED = 1024, LINE = 4096 };

/* One line of master.cf. */
struct door {
    struct doctor *d;
    const struct service *s;
    str host, goodbye;      /* host empty: inet_interfaces */
    uint16_t port;          /* 0: nobody knows its name */
    bool wrapped;           /* TLS from the start */
    enum { SILENT, MUTE, GREETS } answer;
};

static void open_door(struct doctor *d, const struct service *s,
                      struct door *out)
{
    static const struct { str command, goodbye; enum param wrapped; } kinds[] =
    {
        { S_INIT("smtpd"), S_INIT("QUIT\r\n"), P_smtpd_tls_wrappermode },
        { S_INIT("imapd"), S_INIT("a LOGOUT\r\n"), P_imapd_tls_wrappermode },
        { S_INIT("pop3d"), S_INIT("QUIT\r\n"), P_pop3d_tls_wrappermode },
    };
    struct service_address at = { .port = 0 };
    struct conf_findings findings = { 0 };
    struct conf *own;

    *out = (struct door){ .d = d, .s = s, .goodbye = S("") };
    if (service_address(s, d->a, &at)) {
        out->host = at.host;
        out->port = at.port;
    }
    if (conf_of_service(d->a, d->conf, s, &findings, &own))
        own = d->conf;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (str_eq(kinds[i].command, s->command)) {
            out->goodbye = kinds[i].goodbye;
            out->wrapped = conf_bool(own, kinds[i].wrapped);
        }
}

/* The line's own address, else one of inet_interfaces; all of them are any
 * when it is to be had, and loopback when it is to be asked. */
static void place_of(const struct door *door, bool have, struct endpoint *at)
{
    struct conf_items all = conf_items(door->d->conf, P_inet_interfaces);
    str any = S("127.0.0.1");

    if (!str_empty(door->host)
        && !endpoint_parse(door->host, door->port, at))
        return;
    for (size_t i = 0; i < all.n; i++) {
        if (!endpoint_parse(all.p[i], door->port, at))
            return;
        if (have && str_ieq(all.p[i], S("all")))
            any = S("0.0.0.0");
    }
    must(!endpoint_parse(any, door->port, at));
}

/* --- a running system ----------------------------------------------------- */

static err talk(struct task *t, struct door *door, struct arena *a,
                struct conn *c)
{
    when until = after_s(t, TALK_S);
    struct tls_options o = { 0 };
    struct tls_context *tls;
    enum line_end end;
    str line;

    if (door->wrapped) {
        TRY(tls_client_new(t, a, &o, &tls));
        TRY(conn_tls_connect(t, c, tls, S(""), until));
    }
    TRY(conn_line(t, c, LINE, until, &line, &end));
    door->answer = GREETS;
    conn_put(c, door->goodbye);
    TRY(conn_flush(t, c, until));
    for (;;)
        TRY(conn_line(t, c, LINE, until, &line, &end)); /* to its end */
}

static err knock(struct task *t, void *arg)
{
    struct door *door = arg;
    struct endpoint at;
    struct arena a;
    struct sock *sock;

    place_of(door, false, &at);
    if (sock_connect(t, &at, NULL, after_s(t, CONNECT_S), &sock))
        return OK;
    door->answer = MUTE;
    arena_init(&a, 0);
    err_ignore(talk(t, door, &a, conn_new(&a, sock))); /* answer says it */
    arena_reset(&a);
    return OK;
}

static void say_answer(const struct door *door)
{
    struct doctor *d = door->d;

    if (door->answer == GREETS)
        doctor_say(d, FINE, "port %u (%.*s) answers", door->port,
                   STR(door->s->command));
    else if (door->answer == MUTE && !str_empty(door->goodbye))
        doctor_say(d, PROBLEM, "port %u (%.*s) takes connections and does "
                   "not greet", door->port, STR(door->s->command));
    else
        doctor_say(d, door->answer == MUTE ? FINE : PROBLEM,
                   "port %u (%.*s) %s", door->port, STR(door->s->command),
                   door->answer == MUTE ? "answers" : "does not answer");
}

/* --- one that does not run ------------------------------------------------ */

static void look_if_free(struct task *t, const struct door *door)
{
    struct doctor *d = door->d;
    struct endpoint at;
    int fd;
    err e;

    place_of(door, true, &at);
    e = sock_listen_fd(t, &at, 1, 0, &fd);
    if (!e) {
        close(fd);
        doctor_say(d, FINE, "port %u (%.*s) can be had", door->port,
                   STR(door->s->command));
    } else if (e != ERR_DENIED) {
        bool taken = str_ends(str_from(task_why(t)),
                              str_from(strerror(EADDRINUSE)));
        doctor_say(d, PROBLEM, "port %u (%.*s) %s%s", door->port,
                   STR(door->s->command),
                   taken ? "is taken by another program" : "cannot be had: ",
                   taken ? "" : task_why(t));
    } else if (caller_owns_queue(t, d->conf)) {
        doctor_say(d, PROBLEM, "port %u (%.*s) is root's alone: see veredus "
                   "init --ports", door->port, STR(door->s->command));
    } else {
        doctor_say(d, DOUBT, "port %u (%.*s): whether it can be had cannot be "
                   "seen: ask as root", door->port, STR(door->s->command));
    }
}

/* -------------------------------------------------------------------------- */

void doctor_ports(struct task *t, struct doctor *d)
{
    struct services all = conf_services(d->conf);
    struct door *doors = arena_array(d->a, struct door, all.n);
    struct task_group g;
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++)
        if (all.p[i].type == SERVICE_INET)
            open_door(d, &all.p[i], &doors[n++]);
    group_open(t, &g);
    for (size_t i = 0; d->runs && i < n; i++)
        if (doors[i].port)
            group_go(&g, "door", knock, &doors[i]);
    err_ignore(group_wait(t, &g, NEVER)); /* each has its deadline */
    group_close(t, &g);
    for (size_t i = 0; i < n; i++)
        if (!doors[i].port)
            continue;   /* was said: nobody knows it */
        else if (d->runs)
            say_answer(&doors[i]);
        else
            look_if_free(t, &doors[i]);
    if (n == 0)
        doctor_say(d, DOUBT, "%.*s/master.cf has no port to listen on",
                   STR(conf_dir(d->conf)));
}
