/* SPDX-License-Identifier: ISC
 *
 * Listening sockets of master.cf's services.  A reload keeps those that both
 * configurations have (I1).
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/service.h"

#include <netdb.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static struct bound *bound_find(struct master *m, str key)
{
    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        if (str_eq(b->key, key))
            return b;
    }
    return NULL;
}

static err bind_one(struct task *t, struct master *m, uint32_t index,
                    const struct service *s, const struct endpoint *at,
                    uint32_t mode)
{
    struct arena *a = m->memory;
    str key = arena_fmt(a, "%.*s", STR(endpoint_text(at, a)));
    struct bound *b = bound_find(m, key);

    if (!b) {
        int fd;
        if (sock_listen_fd(t, at, BACKLOG, mode, &fd))
            return why(t, ERR_IO, "%.*s: line %d: %.*s: %s",
                       STR(arena_fmt(a, "%.*s/master.cf",
                                     STR(conf_dir(m->coming)))),
                       s->line, STR(key), arena_cstr(a,
                       str_from(task_why(t))));
        if (at->kind == ENDPOINT_UNIX && m->root)
            (void)!chown(at->path, m->uid, m->gid);
        b = arena_new(a, struct bound);
        b->key = key;
        b->fd = fd;
        b->fresh = true;
        list_add_last(&m->bounds, &b->link);
    }
    b->service_next = index;
    b->command_next = arena_str(a, s->command);
    b->used = true;
    return OK;
}

static bool protocol_wanted(const struct conf *c, enum endpoint_kind kind)
{
    struct conf_items list = conf_items(c, P_inet_protocols);

    for (size_t i = 0; i < list.n; i++)
        if (str_ieq(list.p[i], S("all"))
            || (kind == ENDPOINT_IP4 && str_ieq(list.p[i], S("ipv4")))
            || (kind == ENDPOINT_IP6 && str_ieq(list.p[i], S("ipv6"))))
            return true;
    return false;
}

/* Addresses of a host name, by the system's ways. */
static err bind_name(struct task *t, struct master *m, uint32_t index,
                     const struct service *s, str host, uint16_t port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    struct arena *a = m->memory;
    err e = OK;

    if (getaddrinfo(arena_cstr(a, host), NULL, &hints, &list))
        return why(t, ERR_ABSENT, "master.cf: line %d: unknown host %.*s",
                   s->line, STR(host));
    for (struct addrinfo *i = list; i && !e; i = i->ai_next) {
        char text[128];
        struct endpoint at;
        if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof(text), NULL,
                        0, NI_NUMERICHOST)
            || endpoint_parse(str_from(text), port, &at)
            || !protocol_wanted(m->coming, at.kind))
            continue;
        e = bind_one(t, m, index, s, &at, 0);
    }
    freeaddrinfo(list);
    return e;
}

static err bind_any(struct task *t, struct master *m, uint32_t index,
                    const struct service *s, str address, uint16_t port)
{
    struct endpoint at;
    err e;

    if (endpoint_parse(address, port, &at))
        return bind_name(t, m, index, s, address, port);
    if (!protocol_wanted(m->coming, at.kind))
        return OK;
    e = bind_one(t, m, index, s, &at, 0);
    if (e && at.kind == ENDPOINT_IP6
        && (str_eq(address, S("::")) || str_eq(address, S("::1"))))
        return OK; /* a host without IPv6 */
    return e;
}

static err bind_interfaces(struct task *t, struct master *m, uint32_t index,
                           const struct service *s, uint16_t port)
{
    struct conf_items list = conf_items(m->coming, P_inet_interfaces);

    for (size_t i = 0; i < list.n; i++) {
        if (str_ieq(list.p[i], S("all"))) {
            TRY(bind_any(t, m, index, s, S("0.0.0.0"), port));
            TRY(bind_any(t, m, index, s, S("::"), port));
        } else if (str_ieq(list.p[i], S("loopback-only"))) {
            TRY(bind_any(t, m, index, s, S("127.0.0.1"), port));
            TRY(bind_any(t, m, index, s, S("::1"), port));
        } else {
            TRY(bind_any(t, m, index, s, list.p[i], port));
        }
    }
    return OK;
}

static err bind_inet(struct task *t, struct master *m, uint32_t index,
                     const struct service *s)
{
    struct service_address at;

    if (!service_address(s, m->memory, &at))
        return why(t, ERR_SYNTAX, "master.cf: line %d: unknown port %.*s",
                   s->line, STR(at.port_name));
    if (str_empty(at.host))
        return bind_interfaces(t, m, index, s, at.port);
    return bind_any(t, m, index, s, at.host, at.port);
}

/* Where not everybody may submit, mail comes through postdrop, which asks who
 * calls, and not over the socket. */
static bool restricted(const struct conf *c, const struct service *s)
{
    return str_eq(s->command, S("pickup"))
           && !str_eq(conf_str(c, P_authorized_submit_users),
                      S("static:anyone"));
}

static err bind_unix(struct task *t, struct master *m, uint32_t index,
                     const struct service *s, str name)
{
    struct endpoint at;
    str path = arena_fmt(m->memory, "%.*s/%s/%.*s",
                         STR(conf_str(m->coming, P_queue_directory)),
                         s->private_ ? "private" : "public", STR(name));

    if (endpoint_unix(path, &at))
        return why(t, ERR_LIMIT, "%.*s: the path of a socket is too long",
                   STR(path));
    return bind_one(t, m, index, s, &at,
                    s->private_ || restricted(m->coming, s) ? 0600 : 0666);
}

static err bind_all(struct task *t, struct master *m)
{
    struct services all = conf_services(m->coming);

    for (size_t i = 0; i < all.n; i++) {
        const struct service *s = &all.p[i];
        const struct service_kind *k = service_kind(s->command);
        struct arena a;
        str fault;
        err e = OK;
        arena_init(&a, 0);
        fault = service_fault(s, &a);
        if (fault.n)
            e = why(t, ERR_SYNTAX, "%.*s/master.cf: line %d: service "
                    "\"%.*s\": %.*s", STR(conf_dir(m->coming)), s->line,
                    STR(s->name), STR(fault));
        arena_reset(&a);
        TRY(e);
        if (!k->listens)
            continue;
        if (s->type == SERVICE_INET)
            TRY(bind_inet(t, m, (uint32_t)i, s));
        else
            TRY(bind_unix(t, m, (uint32_t)i, s, s->name));
    }
    return OK;
}

static void bound_drop(struct bound *b)
{
    fd_close(b->fd);
    list_del(&b->link);
}

void master_unbind(struct master *m)
{
    list_each(l, &m->bounds)
        bound_drop(container_of(l, struct bound, link));
}

err master_bind(struct task *t, struct master *m, const struct conf *c)
{
    err e;

    m->coming = c;
    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        b->used = b->fresh = false;
    }
    e = bind_all(t, m);
    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        if (e ? b->fresh : !b->used) {
            bound_drop(b);
        } else if (!e) {
            b->service = b->service_next;
            b->command = b->command_next;
        }
    }
    m->coming = NULL;
    return e;
}
