/* SPDX-License-Identifier: ISC
 *
 * Listening sockets of master.cf's services.  A reload keeps those that both
 * configurations have (I1).
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/service.h"

#include <netdb.h>
#include <sys/stat.h>
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

static struct bound *bound_new(struct master *m, const struct endpoint *at,
                               str key, int fd)
{
    struct bound *b = heap_new(struct bound);

    arena_init(&b->memory, 0);
    b->key = arena_str(&b->memory, key);
    if (at->kind == ENDPOINT_UNIX)
        b->path = arena_cstr(&b->memory, str_from(at->path));
    b->fd = fd;
    b->number = ++m->n_bounds;
    b->fresh = true;
    list_add_last(&m->bounds, &b->link);
    return b;
}

static void bound_drop(struct bound *b, bool unlinks)
{
    fd_close(b->fd);
    if (unlinks && b->path)
        (void)!unlink(b->path); /* nobody answers there any more */
    list_del(&b->link);
    arena_reset(&b->memory);
    heap_free(b);
}

/* What is being bound, and for which line of master.cf. */
struct binding {
    struct master *m;
    const struct conf *conf;
    struct arena memory;
    uint32_t index;
    const struct service *service;
};

static err bind_one(struct task *t, struct binding *w,
                    const struct endpoint *at, uint32_t mode)
{
    const struct service *s = w->service;
    str key = endpoint_text(at, &w->memory);
    struct bound *b = bound_find(w->m, key);

    if (!b) {
        int fd;
        if (sock_listen_fd(t, at, BACKLOG, mode, &fd))
            return why(t, ERR_IO, "%.*s/master.cf: line %d: %.*s: %s",
                       STR(conf_dir(w->conf)), s->line, STR(key),
                       arena_cstr(&w->memory, str_from(task_why(t))));
        if (at->kind == ENDPOINT_UNIX && w->m->root)
            (void)!chown(at->path, w->m->uid, w->m->gid);
        b = bound_new(w->m, at, key, fd);
    }
    b->service_next = w->index;
    b->role_next = service_kind(s->command)->role;
    b->mode_next = mode;
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
static err bind_name(struct task *t, struct binding *w, str host,
                     uint16_t port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    err e = OK;

    if (getaddrinfo(arena_cstr(&w->memory, host), NULL, &hints, &list))
        return why(t, ERR_ABSENT, "master.cf: line %d: unknown host %.*s",
                   w->service->line, STR(host));
    for (struct addrinfo *i = list; i && !e; i = i->ai_next) {
        char text[128];
        struct endpoint at;
        if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof(text), NULL,
                        0, NI_NUMERICHOST)
            || endpoint_parse(str_from(text), port, &at)
            || !protocol_wanted(w->conf, at.kind))
            continue;
        e = bind_one(t, w, &at, 0);
    }
    freeaddrinfo(list);
    return e;
}

static err bind_any(struct task *t, struct binding *w, str address,
                    uint16_t port)
{
    struct endpoint at;
    err e;

    if (endpoint_parse(address, port, &at))
        return bind_name(t, w, address, port);
    if (!protocol_wanted(w->conf, at.kind))
        return OK;
    e = bind_one(t, w, &at, 0);
    if (e && at.kind == ENDPOINT_IP6
        && (str_eq(address, S("::")) || str_eq(address, S("::1"))))
        return OK; /* a host without IPv6 */
    return e;
}

static err bind_interfaces(struct task *t, struct binding *w, uint16_t port)
{
    struct conf_items list = conf_items(w->conf, P_inet_interfaces);

    for (size_t i = 0; i < list.n; i++) {
        if (str_ieq(list.p[i], S("all"))) {
            TRY(bind_any(t, w, S("0.0.0.0"), port));
            TRY(bind_any(t, w, S("::"), port));
        } else if (str_ieq(list.p[i], S("loopback-only"))) {
            TRY(bind_any(t, w, S("127.0.0.1"), port));
            TRY(bind_any(t, w, S("::1"), port));
        } else {
            TRY(bind_any(t, w, list.p[i], port));
        }
    }
    return OK;
}

static err bind_inet(struct task *t, struct binding *w)
{
    const struct service *s = w->service;
    struct service_address at;

    if (!service_address(s, &w->memory, &at))
        return why(t, ERR_SYNTAX, "master.cf: line %d: unknown port %.*s",
                   s->line, STR(at.port_name));
    if (str_empty(at.host))
        return bind_interfaces(t, w, at.port);
    return bind_any(t, w, at.host, at.port);
}

/* Where not everybody may submit, mail comes through postdrop, which asks who
 * calls, and not over the socket. */
static bool restricted(const struct conf *c, const struct service *s)
{
    return str_eq(s->command, S("pickup"))
           && !str_eq(conf_str(c, P_authorized_submit_users),
                      S("static:anyone"));
}

static err bind_unix(struct task *t, struct binding *w)
{
    const struct service *s = w->service;
    struct endpoint at;
    str path = arena_fmt(&w->memory, "%.*s/%s/%.*s",
                         STR(conf_str(w->conf, P_queue_directory)),
                         s->private_ ? "private" : "public", STR(s->name));

    if (endpoint_unix(path, &at))
        return why(t, ERR_LIMIT, "%.*s: the path of a socket is too long",
                   STR(path));
    return bind_one(t, w, &at,
                    s->private_ || restricted(w->conf, s) ? 0600 : 0666);
}

static err bind_all(struct task *t, struct binding *w)
{
    struct services all = conf_services(w->conf);

    for (size_t i = 0; i < all.n; i++) {
        const struct service_kind *k = service_kind(all.p[i].command);
        w->index = (uint32_t)i;
        w->service = &all.p[i];
        must(k); /* master_load knows them */
        if (k->listens)
            TRY(w->service->type == SERVICE_INET ? bind_inet(t, w)
                                                 : bind_unix(t, w));
    }
    return OK;
}

void bounds_close(struct master *m)
{
    list_each(l, &m->bounds)
        bound_drop(container_of(l, struct bound, link), false);
}

err bounds_prepare(struct task *t, struct master *m)
{
    struct binding w = { .m = m, .conf = m->coming->conf };
    err e;

    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        b->used = b->fresh = false;
    }
    arena_init(&w.memory, 0);
    e = bind_all(t, &w);
    arena_reset(&w.memory);
    if (e)
        bounds_drop(m);
    return e;
}

void bounds_drop(struct master *m)
{
    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        if (b->fresh)
            bound_drop(b, true);
    }
}

void bounds_take(struct master *m)
{
    list_each(l, &m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        if (!b->used) {
            bound_drop(b, true);
            continue;
        }
        if (b->path && b->mode != b->mode_next)
            (void)!chmod(b->path, b->mode_next);
        b->service = b->service_next;
        b->role = b->role_next;
        b->mode = b->mode_next;
        b->fresh = false;
    }
}
