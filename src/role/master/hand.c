/* SPDX-License-Identifier: ISC
 *
 * Handing over: log, configuration, keys, listeners, ports, directories.
 */
#include "role/master/master.h"

#include "role/events.h"
#include "role/service.h"

#include <fcntl.h>
#include <unistd.h>

/* Who talks to whom; the order does not matter. */
static const struct { enum role_kind a, b; uint32_t number; } talks[] = {
    { ROLE_smtpd, ROLE_qmgr, 0 },
    { ROLE_smtpd, ROLE_lookup, 0 },
    { ROLE_smtpd, ROLE_authd, 0 },
    { ROLE_smtpd, ROLE_deliver, 0 },
    { ROLE_qmgr, ROLE_smtpc, 0 },
    { ROLE_qmgr, ROLE_deliver, 0 },
    { ROLE_qmgr, ROLE_deliver, ROLE_SUBMISSIONS },
    { ROLE_qmgr, ROLE_lookup, 0 },
    { ROLE_smtpc, ROLE_lookup, 0 },
    { ROLE_deliver, ROLE_lookup, 0 },
    { ROLE_deliver, ROLE_authd, 0 },
    { ROLE_imapd, ROLE_authd, 0 },
    { ROLE_imapd, ROLE_lookup, 0 },
    { ROLE_imapd, ROLE_reader, 0 },
};

static err give(struct task *t, struct child *c, enum control_frame type,
                str body, int fd)
{
    return port_send(t, c->control, &(struct frame){
                         .type = (uint16_t)type, .body = body, .fd = fd });
}

static err give_log(struct task *t, struct child *c)
{
    struct buf b;
    err e;

    if (c->m->log_fd < 0)
        return OK;
    buf_init(&b, NULL, 1024);
    pack_u8(&b, (uint8_t)c->m->sink);
    pack_u32(&b, (uint32_t)c->m->log_facility);
    pack_str(&b, conf_str(c->m->conf, P_myhostname));
    e = give(t, c, CONTROL_LOG, buf_str(&b), c->m->log_fd);
    buf_free(&b);
    return e;
}

static err give_config(struct task *t, struct child *c)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    conf_pack(c->m->conf, &b);
    e = b.over ? why(t, ERR_LIMIT, "the configuration is too large")
               : give(t, c, CONTROL_CONFIG, buf_str(&b), -1);
    buf_free(&b);
    return e;
}

static err give_keys(struct task *t, struct child *c, uint32_t index,
                     const struct service *s)
{
    struct role_keys keys;
    struct arena a;
    struct buf b;
    err e = OK;

    arena_init(&a, 0);
    if (master_keys_load(t, c->m, s, &a, &keys)) {
        buf_init(&b, &a, PORT_BODY_MAX);
        pack_u32(&b, index);
        pack_u8(&b, (uint8_t)keys.n_pairs);
        for (size_t i = 0; i < keys.n_pairs; i++) {
            pack_str(&b, keys.pairs[i].chain_pem);
            pack_str(&b, keys.pairs[i].key_pem);
        }
        pack_str(&b, keys.ca_pem);
        pack_str(&b, keys.dh_pem);
        pack_str(&b, keys.text);
        if (b.over)
            say(t, role_warn, "too many certificates: no TLS");
        else
            e = give(t, c, CONTROL_KEYS, buf_str(&b), -1);
    }
    arena_reset(&a);
    return e;
}

static err give_all_keys(struct task *t, struct child *c)
{
    struct services all = conf_services(c->m->conf);

    bool clients = c->kind == ROLE_smtpc || c->kind == ROLE_qmgr;

    if (c->kind != ROLE_smtpd && c->kind != ROLE_imapd && !clients)
        return OK;
    for (size_t i = 0; i < all.n; i++) {
        const struct service_kind *k = service_kind(all.p[i].command);
        if (k && k->role == c->kind && (k->listens || clients))
            TRY(give_keys(t, c, (uint32_t)i, &all.p[i]));
    }
    return OK;
}

static err give_listeners(struct task *t, struct child *c)
{
    list_each(l, &c->m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        const struct service_kind *k = service_kind(b->command);
        struct buf body;
        err e;
        if (!k || k->role != c->kind)
            continue;
        buf_init(&body, NULL, 16);
        pack_u32(&body, b->service);
        e = give(t, c, CONTROL_LISTENER, buf_str(&body), b->fd);
        buf_free(&body);
        TRY(e);
    }
    return OK;
}

static err give_dir(struct task *t, struct child *c, enum role_dir which,
                    str path)
{
    struct arena a;
    char flag = (char)which;
    int fd;
    err e = OK;

    arena_init(&a, 0);
    fd = open(arena_cstr(&a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        e = why(t, ERR_IO, "cannot open %.*s", STR(path));
    else
        e = give(t, c, CONTROL_DIR, str_of(&flag, 1), fd);
    if (fd >= 0)
        close(fd);
    arena_reset(&a);
    return e;
}

static err give_dirs(struct task *t, struct child *c)
{
    str queue = conf_str(c->m->conf, P_queue_directory);
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    if (c->kind == ROLE_qmgr)
        e = give_dir(t, c, ROLE_DIR_SPOOL,
                     arena_fmt(&a, "%.*s/log", STR(queue)));
    arena_reset(&a);
    return e;
}

static err give_end(struct task *t, struct child *to, enum role_kind peer,
                    uint32_t number, int fd)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, 16);
    pack_u8(&b, (uint8_t)peer);
    pack_u32(&b, number);
    e = give(t, to, CONTROL_PORT, buf_str(&b), fd);
    buf_free(&b);
    return e;
}

/* A socket pair between two children. */
static err connect_children(struct task *t, struct child *a, struct child *b,
                            uint32_t number)
{
    int fds[2];
    err e;

    TRY(sock_pair_fds(t, fds));
    e = give_end(t, a, b->kind, b->kind == ROLE_reader ? b->number : number,
                 fds[0]);
    if (!e) {
        e = give_end(t, b, a->kind,
                     a->kind == ROLE_reader ? a->number : number, fds[1]);
        if (e == ERR_END)
            e = OK; /* b is gone: its next life connects them anew */
    }
    fd_close(fds[0]);
    fd_close(fds[1]);
    return e;
}

err children_connect(struct task *t, struct child *a, struct child *b)
{
    return connect_children(t, a, b, 0);
}

/* Of two that start at the same time the one whose turn is later connects
 * both: each pair is made once. */
static err give_ports(struct task *t, struct child *c)
{
    c->turn = ++c->m->n_turns;
    for (size_t i = 0; i < sizeof(talks) / sizeof(*talks); i++) {
        enum role_kind other = talks[i].a == c->kind ? talks[i].b
                             : talks[i].b == c->kind ? talks[i].a : N_ROLES;
        list_each(l, &c->m->children) {
            struct child *peer = container_of(l, struct child, link);
            if (peer->kind == other && peer->alive && peer->turn
                && peer->turn < c->turn)
                TRY(connect_children(t, c, peer, talks[i].number));
        }
    }
    return OK;
}

err child_hand_configuration(struct task *t, struct child *c)
{
    TRY(give_log(t, c));
    TRY(give_config(t, c));
    TRY(give_all_keys(t, c));
    TRY(tickets_give(t, c));
    TRY(give_listeners(t, c));
    return give(t, c, CONTROL_GO, S(""), -1);
}

static err give_pass_key(struct task *t, struct child *c)
{
    if (c->kind != ROLE_authd && c->kind != ROLE_reader)
        return OK;
    return give(t, c, CONTROL_PASS_KEY,
                str_of(c->m->pass_key, sizeof(c->m->pass_key)), -1);
}

err child_hand_all(struct task *t, struct child *c)
{
    TRY(give_pass_key(t, c));
    TRY(give_dirs(t, c));
    TRY(give_ports(t, c));
    return child_hand_configuration(t, c);
}
