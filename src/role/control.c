/* SPDX-License-Identifier: ISC
 *
 * A role's side of the control port: takes what master hands over.
 */
#include "role/role.h"

#include "role/events.h"
#include "role/sandbox.h"

const char *role_name(enum role_kind k)
{
    static const char *const names[] = {
#define ROLE(name, title) #name,
#include "role/roles.def"
#undef ROLE
    };
    return k < N_ROLES ? names[k] : "unknown";
}

const char *role_title(enum role_kind k)
{
    static const char *const titles[] = {
#define ROLE(name, title) "postfix/" title,
#include "role/roles.def"
#undef ROLE
    };
    return k < N_ROLES ? titles[k] : "postfix/unknown";
}

enum role_kind role_find(str name)
{
    enum role_kind k = 0;

    while (k < N_ROLES && !str_eq(name, str_from(role_name(k))))
        k++;
    return k;
}

void role_init(struct role *r, enum role_kind kind, struct arena *memory)
{
    *r = (struct role){ .kind = kind, .memory = memory };
    r->ended = arena_new(memory, struct ended);
    list_init(&r->listeners);
    list_init(&r->ports);
    list_init(&r->keys);
}

/* A snapshot stays for ever, as who works by it may keep it: one that says
 * the same as the last is not taken again. */
static err on_config(struct task *t, struct role *r, str body)
{
    struct conf *c = r->conf;

    if (!c || !str_eq(body, r->conf_packed)) {
        r->conf_packed = arena_str(r->memory, body);
        if (conf_unpack(r->memory, r->conf_packed, &c))
            return why(t, ERR_CORRUPT, "the configuration does not unpack");
    }
    r->conf = c;
    r->epoch++;
    r->go = false;
    while (list_pop(&r->keys))
        continue; /* they are the arena's */
    return OK;
}

static err on_listener(struct task *t, struct role *r, struct unpack *u,
                       int fd)
{
    struct role_listener *l = arena_new(r->memory, struct role_listener);

    l->service = unpack_u32(u);
    l->epoch = r->epoch;
    TRY(sock_adopt(t, fd, &l->sock));
    list_add_last(&r->listeners, &l->link);
    return OK;
}

static err on_port(struct task *t, struct role *r, struct unpack *u, int fd)
{
    struct role_port *p = arena_new(r->memory, struct role_port);
    struct sock *s;

    p->peer = (enum role_kind)unpack_u8(u);
    p->number = unpack_u32(u);
    TRY(sock_adopt(t, fd, &s));
    TRY(port_open(t, s, &p->port));
    list_add_last(&r->ports, &p->link);
    return OK;
}

static str taken(struct role *r, struct unpack *u)
{
    return arena_str(r->memory, unpack_str(u, PORT_BODY_MAX));
}

static void on_keys(struct role *r, struct unpack *u)
{
    struct role_keys *k = arena_new(r->memory, struct role_keys);

    k->service = unpack_u32(u);
    k->n_pairs = unpack_u8(u);
    if (k->n_pairs > ROLE_PAIRS_MAX) {
        u->bad = true;
        return;
    }
    k->pairs = arena_array(r->memory, struct tls_pair, k->n_pairs);
    for (size_t i = 0; i < k->n_pairs; i++) {
        k->pairs[i].chain_pem = taken(r, u);
        k->pairs[i].key_pem = taken(r, u);
    }
    k->ca_pem = taken(r, u);
    k->dh_pem = taken(r, u);
    k->text = taken(r, u);
    list_add_last(&r->keys, &k->link);
}

static err on_tickets(struct task *t, struct role *r, str body)
{
    size_t n = body.n / TLS_TICKET_KEY_SIZE;

    if (n < 1 || n > TLS_TICKET_KEYS_MAX || body.n != n * TLS_TICKET_KEY_SIZE)
        return why(t, ERR_PEER, "bad ticket keys");
    memcpy(r->tickets.keys, body.p, body.n);
    r->tickets.n = n;
    return OK;
}

static err on_pass_key(struct task *t, struct role *r, str body)
{
    if (body.n != sizeof(r->pass_key))
        return why(t, ERR_PEER, "bad key of passes");
    memcpy(r->pass_key, body.p, body.n);
    return OK;
}

/* Each reload brings a new descriptor; the one before it is closed. */
static void on_log(struct task *t, struct role *r, struct unpack *u, int fd)
{
    enum log_sink sink = (enum log_sink)unpack_u8(u);
    int facility = (int)unpack_u32(u);
    str host = unpack_str(u, 256);

    log_open(t, sink, fd, host, facility);
    if (r->log_given)
        fd_close(r->log_fd);
    r->log_given = true;
    r->log_fd = fd;
}

static err on_dir(struct task *t, struct role *r, struct unpack *u, int fd)
{
    uint8_t which = unpack_u8(u);

    if (which >= N_ROLE_DIRS)
        return why(t, ERR_PEER, "unknown directory");
    dir_close(r->dirs[which]);
    return dir_adopt(t, fd, &r->dirs[which]);
}

static err on_frame(struct task *t, struct role *r, struct frame *f)
{
    struct unpack u = unpack_of(f->body);

    switch (f->type) {
    case CONTROL_CONFIG:
        return on_config(t, r, f->body);
    case CONTROL_KEYS:
        on_keys(r, &u);
        break;
    case CONTROL_TICKETS:
        return on_tickets(t, r, f->body);
    case CONTROL_PASS_KEY:
        return on_pass_key(t, r, f->body);
    case CONTROL_USER_ENDED:
        ended_note(r->ended, rt_now(t), f->body);
        break;
    case CONTROL_LISTENER:
        return on_listener(t, r, &u, f->fd);
    case CONTROL_PORT:
        return on_port(t, r, &u, f->fd);
    case CONTROL_LOG:
        on_log(t, r, &u, f->fd);
        break;
    case CONTROL_DIR:
        return on_dir(t, r, &u, f->fd);
    case CONTROL_GO:
        r->go = true;
        break;
    case CONTROL_STOP:
        r->stop = true;
        break;
    case CONTROL_FLUSH:
        r->flush = true;
        break;
    default:
        return why(t, ERR_PEER, "unknown control frame %u", f->type);
    }
    return u.bad ? why(t, ERR_PEER, "bad control frame %u", f->type) : OK;
}

void role_changed(struct role *r)
{
    r->n_changes++;
    bell_ring_all(&r->changed);
}

err role_wait(struct task *t, struct role *r, uint64_t *seen, when until)
{
    while (*seen == r->n_changes)
        TRY(bell_wait(t, &r->changed, until));
    *seen = r->n_changes;
    return OK;
}

err role_control(struct task *t, struct role *r)
{
    struct frame f;

    for (;;) {
        err e = port_recv(t, r->control, NEVER, &f);
        if (e) { /* master is gone: so are we */
            r->stop = true;
            role_changed(r);
            return e;
        }
        TRY(on_frame(t, r, &f));
        role_changed(r);
    }
}

err role_wait_first(struct task *t, struct role *r)
{
    while (!r->go && !r->stop)
        TRY(bell_wait(t, &r->changed, NEVER));
    return r->stop ? ERR_STOPPED : OK;
}

err role_wait_go(struct task *t, struct role *r)
{
    TRY(role_wait_first(t, r));
    return r->control ? sandbox_enter(t, r) : OK;
}

void role_ready(struct role *r)
{
    if (r->control)
        port_answer(r->control, &(struct frame){ .type = CONTROL_READY,
                                                 .fd = -1 });
}

struct role_port *role_port_take(struct role *r, enum role_kind peer)
{
    list_each(l, &r->ports) {
        struct role_port *p = container_of(l, struct role_port, link);
        if (p->peer == peer) {
            list_del(l);
            return p;
        }
    }
    return NULL;
}

struct role_listener *role_listener_take(struct role *r)
{
    struct link *l = list_pop(&r->listeners);

    return l ? container_of(l, struct role_listener, link) : NULL;
}

const struct role_keys *role_keys_find(const struct role *r, uint32_t service)
{
    list_each(l, &r->keys) {
        const struct role_keys *k = container_of(l, struct role_keys, link);
        if (k->service == service)
            return k;
    }
    return NULL;
}
