/* SPDX-License-Identifier: ISC
 *
 * Serving queue tools.  Only root and the mail owner may change anything;
 * others may list and flush, as authorized_mailq_users and
 * authorized_flush_users have it by default.
 */
#include "role/qmgr/admin.h"

#include "role/crowd.h"
#include "role/events.h"
#include "role/queue_row.h"

#include <unistd.h>

enum { ADMIN_IDLE_S = 60, FIRST_S = 10, ACCEPT_PAUSE_MS = 100,
       ROW_FULL = PORT_BODY_MAX - 16 * 1024 /* further recipients: not shown */
};

struct caller {
    struct queue *q;
    struct port *port;
    bool trusted;
};

static err send_row(struct task *t, struct caller *c, str row)
{
    return port_send(t, c->port, &(struct frame){ .type = FACE_ROW,
                                                  .body = row, .fd = -1 });
}

static const char *queue_name(struct task *t, const struct message *m)
{
    if (m->hold)
        return "hold";
    if (m->active)
        return "active";
    return m->attempts == 0 && m->next_us <= rt_wall(t) ? "incoming"
                                                        : "deferred";
}

static void row_pack(struct task *t, const struct message *m, struct buf *b)
{
    pack_str(b, str_from(queue_name(t, m)));
    pack_str(b, queue_id_str(&m->id));
    pack_i64(b, m->envelope.arrival_us);
    pack_u64(b, m->envelope.size);
    pack_u8(b, m->forced);
    pack_str(b, m->envelope.sender.text);
    uint32_t n = 0;
    size_t at = b->n;
    pack_u32(b, 0);
    for (size_t i = 0; i < m->envelope.recipients.n && b->n < ROW_FULL;
         i++) {
        if (m->rcpts[i].status == RCPT_DONE)
            continue;
        pack_str(b, m->envelope.recipients.p[i].address.text);
        pack_str(b, m->rcpts[i].status == RCPT_DEFERRED ? m->rcpts[i].reason
                                                        : S(""));
        n++;
    }
    pack_u32_at(b, at, n);
}

/* Messages may come and go while a walk waits: it goes by the numbers that
 * there were at its start. */
struct walk {
    uint64_t *numbers;
    size_t n, at;
};

static void walk_begin(struct queue *q, struct walk *w)
{
    *w = (struct walk){ heap_alloc((q->n_messages + 1) * sizeof(uint64_t)),
                        0, 0 };
    list_each(l, &q->messages)
        w->numbers[w->n++] = container_of(l, struct message, all)->number;
}

static struct message *walk_next(struct queue *q, struct walk *w)
{
    struct message *m = NULL;

    while (!m && w->at < w->n)
        m = message_numbered(q, w->numbers[w->at++]);
    return m;
}

/* What is known to be damaged goes with the list of what is there. */
static err send_damage(struct task *t, struct caller *c)
{
    struct arena a;
    str lines = S("");
    err e;

    arena_init(&a, 0);
    e = spool_damage(t, c->q->spool, &a, &lines);
    if (!e && lines.n > 0)
        e = port_send(t, c->port, &(struct frame){ .type = FACE_DAMAGE,
                                                   .body = lines, .fd = -1 });
    arena_reset(&a);
    return e;
}

static err list_all(struct task *t, struct caller *c, uint32_t *n)
{
    struct walk w;
    struct message *m;
    struct buf b;
    err e = OK;

    walk_begin(c->q, &w);
    buf_init(&b, NULL, PORT_BODY_MAX);
    while (!e && (m = walk_next(c->q, &w))) {
        buf_clear(&b);
        row_pack(t, m, &b);
        e = send_row(t, c, buf_str(&b)); /* may wait */
        ++*n;
    }
    buf_free(&b);
    heap_free(w.numbers);
    return e ? e : send_damage(t, c);
}

static void make_due(struct task *t, struct queue *q, struct message *m)
{
    if (m->active || m->hold)
        return;
    m->forced = true;
    heap_put(&q->timers, &m->timer, rt_wall(t));
    bell_ring_all(&q->timer);
}

static bool goes_to(const struct message *m, str site)
{
    for (size_t i = 0; i < m->envelope.recipients.n; i++)
        if (m->rcpts[i].status != RCPT_DONE
            && str_ieq(m->envelope.recipients.p[i].address.domain, site))
            return true;
    return false;
}

static err change(struct task *t, struct queue *q, struct message *m,
                  char verb, bool *done)
{
    *done = true;
    switch (verb) {
    case 'f':
    case 'i':
        make_due(t, q, m);
        return OK;
    case 'd':
        if (m->active) {
            m->going = true;
            return OK;
        }
        return message_forget(t, q, m);
    case 'h':
        *done = !m->hold;
        m->hold = true;
        heap_del(&q->timers, &m->timer);
        return message_note(t, q, m);
    case 'H':
        *done = m->hold;
        if (!m->hold)
            return OK;
        m->hold = false;
        message_defer(t, q, m, rt_wall(t));
        return message_note(t, q, m);
    default: /* 'r': planned anew at its next try, which is now */
        *done = !m->active;
        m->hold = false;
        make_due(t, q, m);
        return message_note(t, q, m);
    }
}

static err change_all(struct task *t, struct queue *q, char verb, str site,
                      uint32_t *n)
{
    struct walk w;
    struct message *m;
    err e = OK;

    walk_begin(q, &w);
    while (!e && (m = walk_next(q, &w))) {
        bool done = false;
        if (site.n == 0 || goes_to(m, site))
            e = change(t, q, m, verb, &done);
        *n += done;
    }
    heap_free(w.numbers);
    return e;
}

err queue_flush(struct task *t, struct queue *q, str site, uint32_t *n)
{
    return change_all(t, q, 'f', site, n);
}

/* Whether it is being delivered, and which of its recipients are done. */
static void state_pack(const struct message *m, struct buf *b)
{
    buf_byte(b, 's');
    pack_u8(b, m->active);
    for (size_t i = 0; i < m->envelope.recipients.n; i++)
        pack_u8(b, m->rcpts[i].status == RCPT_DONE);
}

/* Piece i, where it is now: the message may move or end while we wait. */
static err cat_piece(struct task *t, struct caller *c, uint64_t number,
                     uint32_t i, struct buf *b)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    struct message *m = message_numbered(c->q, number);
    err e = ERR_ABSENT;
    str bytes;

    if (m && i < m->entry->n_extents) {
        const struct extent *x = &m->entry->extents[i];
        e = spool_read(t, spool_segment_file(c->q->spool, x->segment), x,
                       m->entry->id, memory, &bytes);
    }
    buf_clear(b);
    buf_byte(b, 'b');
    if (!e)
        buf_add(b, bytes);
    heap_free(memory);
    return e;
}

static err cat(struct task *t, struct caller *c, struct message *m)
{
    uint64_t number = m->number;
    uint32_t n = m->entry->n_extents;
    struct buf b, state;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    buf_init(&state, NULL, PORT_BODY_MAX);
    buf_byte(&b, 'e');
    envelope_pack(&m->envelope, &b);
    state_pack(m, &state);
    e = send_row(t, c, buf_str(&b));
    if (!e)
        e = send_row(t, c, buf_str(&state));
    for (uint32_t i = 0; i < n && !e; i++) {
        e = cat_piece(t, c, number, i, &b);
        if (!e)
            e = send_row(t, c, buf_str(&b));
    }
    buf_free(&b);
    buf_free(&state);
    return e;
}

static bool may(const struct caller *c, char verb)
{
    return c->trusted || verb == 'l' || verb == 'f' || verb == 'i'
           || verb == 's';
}

static err answer(struct task *t, struct caller *c, char verb, str argument,
                  uint32_t *n)
{
    struct message *m;
    bool done = false;
    err e;

    if (!may(c, verb))
        return ERR_DENIED;
    if (verb == 'l')
        return list_all(t, c, n);
    if (verb == 'f' || verb == 's')
        return queue_flush(t, c->q, verb == 's' ? argument : S(""), n);
    if (str_eq(argument, S("ALL")) && verb != 'c' && verb != 'i')
        return change_all(t, c->q, verb, S(""), n);
    m = message_find(c->q, argument);
    if (!m)
        return OK;
    if (verb == 'c') {
        *n = 1;
        return cat(t, c, m);
    }
    e = change(t, c->q, m, verb, &done);
    *n = done;
    return e;
}

static err serve_caller(struct task *t, void *arg)
{
    struct caller *c = arg;
    int64_t patience_s = FIRST_S;
    struct frame f;

    while (!port_recv(t, c->port, after_s(t, patience_s), &f)) {
        struct unpack u = unpack_of(f.body);
        char verb = (char)unpack_u8(&u);
        struct arena a;
        struct buf b;
        uint32_t n = 0;
        err e;

        fd_close(f.fd);
        patience_s = ADMIN_IDLE_S;
        arena_init(&a, 0);
        e = answer(t, c, verb,
                   arena_str(&a, verb == 'l' || verb == 'f'
                                     ? S("") : unpack_str(&u, 1024)), &n);
        buf_init(&b, &a, 64);
        pack_u32(&b, n);
        pack_u8(&b, (uint8_t)e);
        if (e == ERR_STOPPED || e == ERR_END) {
            arena_reset(&a);
            break;
        }
        port_answer(c->port, &(struct frame){ .type = FACE_ROWS_END,
                                              .body = buf_str(&b),
                                              .fd = -1 });
        arena_reset(&a);
    }
    port_close(c->port);
    return OK;
}

err admin_run(struct task *t, void *guest)
{
    struct door_guest *g = guest;
    struct caller c = { .q = g->self };
    uint32_t uid;
    bool tell;
    err e = OK;

    if (sock_peer_uid(g->sock, &uid))
        uid = UINT32_MAX;
    c.trusted = uid == 0 || uid == geteuid();
    if (!crowd_enter(&c.q->callers, uid, &tell)) {
        sock_close(g->sock);
        if (tell)
            say(t, role_crowd, "public/qmgr", uid);
        door_leave(g);
        return OK;
    }
    if (port_open(t, g->sock, &c.port))
        sock_close(g->sock);
    else
        e = serve_caller(t, &c);
    crowd_leave(&c.q->callers, uid);
    door_leave(g);
    return e;
}
