/* SPDX-License-Identifier: ISC
 *
 * Questions about room: each runs in a task of its own, as a run without a
 * job.  Only virtual(8)'s mailboxes are looked at: where mail for a user of
 * the host goes is known when its .forward was read.
 */
#include "role/deliver/room.h"

#include "mail/address.h"
#include "role/events.h"
#include "role/room.h"

enum { QUESTIONS_MAX = 200, ANSWER_MAX = 16, BACKLOG_MAX = 256 * 1024 };

struct room_server {
    struct deliver *deliver;
    struct port *port;
};

struct question {
    struct room_server *server;
    struct edition *edition;
    struct arena memory;
    uint64_t id;
    str address;
    uint64_t size;
};

/* The transport that virtual_transport names, if it is ours. */
static struct transport *transport_of(const struct setup *s)
{
    str name = conf_str(s->conf, P_virtual_transport);
    struct transport *tr = setup_find(s, str_head(name, str_chr(name, ':')));

    return tr && tr->agent == &agent_virtual && str_empty(tr->broken)
               ? tr : NULL;
}

static enum room look(struct task *t, struct question *q)
{
    struct run r = { .deliver = q->server->deliver, .setup = q->edition->self,
                     .transport = transport_of(q->edition->self) };
    struct address to;
    bool room = true;

    arena_init(&r.memory, 0);
    if (r.transport && !address_of(q->address, &r.memory, &to)
        && !address_is_null(&to))
        room = virtual_room(t, &r, &to, q->size);
    arena_reset(&r.memory);
    return room ? ROOM_YES : ROOM_FULL;
}

static err answer(struct task *t, void *arg)
{
    struct question *q = arg;
    struct buf b;

    buf_init(&b, &q->memory, ANSWER_MAX);
    room_answer_pack(look(t, q), &b);
    port_answer(q->server->port, &(struct frame){ .type = ROOM_ASK,
                                                  .id = q->id,
                                                  .body = buf_str(&b),
                                                  .fd = -1 });
    arena_reset(&q->memory);
    edition_leave(q->edition);
    heap_free(q);
    return OK;
}

static err start(struct task *t, struct task_group *g, struct room_server *s,
                 struct frame *f)
{
    struct question *q;

    fd_close(f->fd);
    if (f->type != ROOM_ASK)
        return why(t, ERR_PEER, "unknown question %u", f->type);
    if (port_backlog(s->port) > BACKLOG_MAX)
        return why(t, ERR_PEER, "answers are not read");
    q = heap_new(struct question);
    q->server = s;
    q->id = f->id;
    arena_init(&q->memory, 0);
    if (room_question_unpack(f->body, &q->memory, &q->address, &q->size)) {
        arena_reset(&q->memory);
        heap_free(q);
        return why(t, ERR_PEER, "bad question");
    }
    q->edition = edition_hold(s->deliver->role->now);
    group_go(g, "room", answer, q);
    return OK;
}

static err serve(struct task *t, void *arg)
{
    struct room_server *s = arg;
    struct task_group g;
    struct frame f;
    err e = OK;

    group_open(t, &g);
    while (!e) {
        e = group_wait_below(t, &g, QUESTIONS_MAX, NEVER);
        if (!e)
            e = port_recv(t, s->port, NEVER, &f);
        if (!e)
            e = start(t, &g, s, &f);
    }
    if (e == ERR_PEER)
        say(t, role_error, task_why(t));
    /* I2 of deliver.h: what was begun ends, whoever asked */
    err_ignore(group_wait(t, &g, NEVER));
    group_close(t, &g);
    port_close(s->port);
    heap_free(s);
    return OK;
}

void room_port(struct deliver *d, struct port *port)
{
    struct room_server *s = heap_new(struct room_server);

    *s = (struct room_server){ d, port };
    group_go(&d->group, "room questions", serve, s);
}
