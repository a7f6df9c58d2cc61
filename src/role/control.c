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
}

/* Master starts its roles from its own program, so another version can only
 * be one that somebody else called. */
static err on_config(struct task *t, struct role *r, struct unpack *u)
{
    str version = unpack_str(u, 64);
    uint32_t number = unpack_u32(u);
    bool first = unpack_u8(u) != 0;
    str packed = unpack_str(u, PORT_BODY_MAX);

    if (!unpack_end(u) || number == 0)
        return why(t, ERR_PEER, "bad control frame %u", CONTROL_CONFIG);
    if (!str_eq(version, str_from(VEREDUS_VERSION)))
        return why(t, ERR_PEER, "master is version %.*s, this program is "
                   "%s: the mail system has to be started again",
                   STR(version), VEREDUS_VERSION);
    role_forget_coming(r);
    r->coming = edition_new(number);
    r->coming->first = first;
    if (conf_unpack(&r->coming->memory,
                    arena_str(&r->coming->memory, packed), &r->coming->conf))
        return why(t, ERR_CORRUPT, "the configuration does not unpack");
    return OK;
}

static struct role_listener *listener_find(struct role *r, uint32_t number)
{
    list_each(l, &r->listeners) {
        struct role_listener *li = container_of(l, struct role_listener,
                                                link);
        if (li->number == number)
            return li;
    }
    return NULL;
}

static err on_listener(struct task *t, struct role *r, struct unpack *u,
                       int fd)
{
    uint32_t number = unpack_u32(u), service = unpack_u32(u);
    struct role_listener *l = listener_find(r, number);
    struct sock *s;

    if (!unpack_end(u) || !r->coming
        || service >= conf_services(r->coming->conf).n) {
        fd_close(fd);
        return why(t, ERR_PEER, "bad control frame %u", CONTROL_LISTENER);
    }
    if (l) { /* the one that is here stays */
        fd_close(fd);
        l->service_next = service;
        l->edition = r->coming->number;
        return OK;
    }
    TRY(sock_adopt(t, fd, &s));
    role_listener_add(r, number, service, s);
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

static void on_keys(struct role *r, struct unpack *u)
{
    struct arena *a;
    struct role_keys *k;

    if (!r->coming) {
        u->bad = true;
        return;
    }
    a = &r->coming->memory;
    k = arena_new(a, struct role_keys);
    k->service = unpack_u32(u);
    k->n_pairs = unpack_u8(u);
    if (k->n_pairs > ROLE_PAIRS_MAX) {
        u->bad = true;
        return;
    }
    k->pairs = arena_array(a, struct tls_pair, k->n_pairs);
    for (size_t i = 0; i < k->n_pairs; i++) {
        k->pairs[i].chain_pem = arena_str(a, unpack_str(u, PORT_BODY_MAX));
        k->pairs[i].key_pem = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    }
    k->ca_pem = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    k->dh_pem = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    k->files = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    k->fault = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    k->text = arena_str(a, unpack_str(u, PORT_BODY_MAX));
    list_add_last(&r->coming->keys, &k->link);
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

/* What is said of the edition that is coming; of another one it was said
 * before master knew that it is not. */
static void on_step(struct role *r, uint16_t type, struct unpack *u)
{
    uint32_t number = unpack_u32(u);

    if (u->bad || !r->coming || r->coming->number != number)
        return;
    if (type == CONTROL_PREPARE)
        r->complete = true;
    else if (type == CONTROL_TAKE)
        r->take = number;
    else
        role_forget_coming(r);
}

static err on_frame(struct task *t, struct role *r, struct frame *f)
{
    struct unpack u = unpack_of(f->body);

    switch (f->type) {
    case CONTROL_CONFIG:
        return on_config(t, r, &u);
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
    case CONTROL_PREPARE:
    case CONTROL_TAKE:
    case CONTROL_DROP:
        on_step(r, f->type, &u);
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
