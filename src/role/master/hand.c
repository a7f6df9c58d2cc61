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

/* Without waiting, so that a child gets all of one state of ours. */
static err give(struct task *t, struct child *c, enum control_frame type,
                str body, int fd)
{
    if (!c->control)
        return why(t, ERR_END, "%s is gone", role_name(c->kind));
    port_answer(c->control, &(struct frame){ .type = (uint16_t)type,
                                             .body = body, .fd = fd });
    return OK;
}

err child_step(struct task *t, struct child *c, enum control_frame what,
               uint32_t edition)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, 16);
    pack_u32(&b, edition);
    e = give(t, c, what, buf_str(&b), -1);
    buf_free(&b);
    return e;
}

err child_hand_log(struct task *t, struct child *c)
{
    struct buf b;
    err e;

    if (c->m->log.fd < 0)
        return OK;
    buf_init(&b, NULL, 1024);
    pack_u8(&b, (uint8_t)c->m->log.sink);
    pack_u32(&b, (uint32_t)c->m->log.facility);
    pack_str(&b, conf_str(c->m->now->conf, P_myhostname));
    e = give(t, c, CONTROL_LOG, buf_str(&b), c->m->log.fd);
    buf_free(&b);
    return e;
}

static err give_config(struct task *t, struct child *c,
                       const struct edition *ed)
{
    struct buf packed, b;
    err e;

    buf_init(&packed, NULL, PORT_BODY_MAX);
    conf_pack(ed->conf, &packed);
    buf_init(&b, NULL, PORT_BODY_MAX);
    pack_str(&b, str_from(VEREDUS_VERSION));
    pack_u32(&b, ed->number);
    pack_u8(&b, ed->first);
    pack_str(&b, buf_str(&packed));
    e = packed.over || b.over
            ? why(t, ERR_LIMIT, "the configuration is too large")
            : give(t, c, CONTROL_CONFIG, buf_str(&b), -1);
    buf_free(&packed);
    buf_free(&b);
    return e;
}

static err give_keys(struct task *t, struct child *c,
                     const struct role_keys *k)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    pack_u32(&b, k->service);
    pack_u8(&b, (uint8_t)k->n_pairs);
    for (size_t i = 0; i < k->n_pairs; i++) {
        pack_str(&b, k->pairs[i].chain_pem);
        pack_str(&b, k->pairs[i].key_pem);
    }
    pack_str(&b, k->ca_pem);
    pack_str(&b, k->dh_pem);
    pack_str(&b, k->files);
    pack_str(&b, k->fault);
    pack_str(&b, k->text);
    must(!b.over); /* master_keys_load saw to it */
    e = give(t, c, CONTROL_KEYS, buf_str(&b), -1);
    buf_free(&b);
    return e;
}

static err give_all_keys(struct task *t, struct child *c,
                         const struct edition *ed)
{
    struct services all = conf_services(ed->conf);

    list_each(l, &ed->keys) {
        struct role_keys *k = container_of(l, struct role_keys, link);
        if (service_kind(all.p[k->service].command)->role == c->kind)
            TRY(give_keys(t, c, k));
    }
    return OK;
}

/* Those of the coming edition, or those of the one in force. */
static err give_listeners(struct task *t, struct child *c,
                          const struct edition *ed)
{
    bool coming = ed == c->m->coming;

    list_each(l, &c->m->bounds) {
        struct bound *b = container_of(l, struct bound, link);
        struct buf body;
        err e;
        if (coming ? !b->used || b->role_next != c->kind
                   : b->fresh || b->role != c->kind)
            continue;
        buf_init(&body, NULL, 16);
        pack_u32(&body, b->number);
        pack_u32(&body, coming ? b->service_next : b->service);
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
    str queue = conf_str(c->m->now->conf, P_queue_directory);
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

err child_hand_edition(struct task *t, struct child *c, struct edition *ed)
{
    c->offered = ed->number;
    TRY(give_config(t, c, ed));
    TRY(give_all_keys(t, c, ed));
    tickets_give(c);
    TRY(give_listeners(t, c, ed));
    return child_step(t, c, CONTROL_PREPARE, ed->number);
}

static err give_pass_key(struct task *t, struct child *c)
{
    if (c->kind != ROLE_authd && c->kind != ROLE_reader)
        return OK;
    return give(t, c, CONTROL_PASS_KEY,
                str_of(c->m->pass_key, sizeof(c->m->pass_key)), -1);
}

err child_hand_all(struct task *t, struct child *c, struct edition *ed)
{
    TRY(child_hand_log(t, c));
    TRY(give_pass_key(t, c));
    TRY(give_dirs(t, c));
    TRY(give_ports(t, c));
    return child_hand_edition(t, c, ed);
}
