/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: the ports of master.cf, asked on this host.
 */
#include "role/tool/doctor.h"

#include <netdb.h>
#include <unistd.h>

enum { CONNECT_S = 3, PRIVILEGED = 1024 };

static bool port_of(struct doctor *d, str name, uint16_t *port)
{
    const struct servent *found;
    uint64_t n;

    if (str_uint(name, 65535, &n)) {
        *port = (uint16_t)n;
        return true;
    }
    found = getservbyname(arena_cstr(d->a, name), "tcp");
    if (found)
        *port = ntohs((uint16_t)found->s_port);
    return found != NULL;
}

/* The address to knock at: the line's own, else one of inet_interfaces. */
static void place_of(struct doctor *d, const struct service *s, str host,
                     uint16_t port, struct endpoint *at)
{
    struct conf_items all = conf_items(d->conf, P_inet_interfaces);

    (void)s;
    if (!str_empty(host) && !endpoint_parse(host, port, at))
        return;
    for (size_t i = 0; i < all.n; i++)
        if (!endpoint_parse(all.p[i], port, at))
            return;
    must(!endpoint_parse(S("127.0.0.1"), port, at));
}

static void look_at(struct task *t, struct doctor *d, const struct service *s)
{
    size_t colon = str_rchr(s->name, ':');
    str host = colon == STR_NONE ? S("") : str_head(s->name, colon);
    str name = colon == STR_NONE ? s->name : str_skip(s->name, colon + 1);
    struct endpoint at;
    struct sock *sock;
    uint16_t port;
    err e;

    if (!port_of(d, name, &port)) {
        doctor_say(d, DOUBT, "port %.*s: /etc/services does not have it",
                   STR(name));
        return;
    }
    place_of(d, s, host, port, &at);
    e = sock_connect(t, &at, NULL, after_s(t, CONNECT_S), &sock);
    if (!e)
        sock_close(sock);
    if (d->runs)
        doctor_say(d, e ? PROBLEM : FINE, "port %u (%.*s) %s", port,
                   STR(s->command), e ? "does not answer" : "answers");
    else if (!e)
        doctor_say(d, PROBLEM, "port %u (%.*s) is taken by another program",
                   port, STR(s->command));
    else if (port < PRIVILEGED && geteuid() != 0)
        doctor_say(d, PROBLEM, "port %u (%.*s) is root's alone: see veredus "
                   "init --ports", port, STR(s->command));
    else
        doctor_say(d, FINE, "port %u (%.*s) can be had", port,
                   STR(s->command));
}

void doctor_ports(struct task *t, struct doctor *d)
{
    struct services all = conf_services(d->conf);
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++) {
        if (all.p[i].type != SERVICE_INET)
            continue;
        look_at(t, d, &all.p[i]);
        n++;
    }
    if (n == 0)
        doctor_say(d, DOUBT, "master.cf has no port to listen on");
}
