/* SPDX-License-Identifier: ISC
 *
 * New mail that deliveries make (aliases and .forward that lead elsewhere),
 * put into the queue over a port of its own.  The queue manager answers once
 * the message is on stable storage; only then is the old one done.
 *
 * I1  A line (the port and its numbers) lives until the last submission over
 *     it has ended, though the port may be broken before.
 */
#include "role/deliver/deliver.h"

#include "mail/queue_id.h"
#include "role/events.h"

enum { NUMBERS_LOW = 256, PIECE = 32 * 1024, WAIT_LINE_S = 10 };

struct range {
    uint64_t next, end;
};

struct line {
    struct submitter *submitter;
    struct port *port;
    struct range now, then;     /* numbers to use, and after those */
    bool asked;
    struct map waiting;         /* number -> struct waiting */
    size_t n_users;
    bool ended, paused;
};

struct waiting {
    uint64_t number;
    struct bell done;
    bool answered;
    enum face_status status;
};

struct submitter {
    struct deliver *deliver;
    struct line *line;          /* NULL: no port, or a broken one */
    struct bell changed;
};

struct submitter *submitter_new(struct deliver *d)
{
    struct submitter *s = arena_new(d->role->memory, struct submitter);

    s->deliver = d;
    return s;
}

static str key_of(const uint64_t *number)
{
    return str_of(number, sizeof(*number));
}

static void line_give(struct line *l)
{
    if (l->n_users > 0 || !l->ended)
        return;
    map_free(&l->waiting);
    port_close(l->port);
    heap_free(l);
}

/* --- answers -------------------------------------------------------------- */

static err on_numbers(struct line *l, struct frame *f)
{
    struct unpack u = unpack_of(f->body);
    uint64_t first = unpack_u64(&u);
    uint32_t n = unpack_u32(&u);
    struct range r = { first, first + n };

    if (!unpack_end(&u) || first == 0 || n == 0)
        return ERR_PEER;
    if (l->now.next == l->now.end)
        l->now = r;
    else
        l->then = r;
    l->asked = false;
    bell_ring_all(&l->submitter->changed);
    return OK;
}

static err on_ack(struct line *l, struct frame *f)
{
    struct waiting *w = map_get(&l->waiting, key_of(&f->id));
    struct unpack u = unpack_of(f->body);
    uint8_t status = unpack_u8(&u);

    if (!unpack_end(&u))
        return ERR_PEER;
    if (!w)
        return OK;              /* given up meanwhile */
    w->answered = true;
    w->status = (enum face_status)status;
    bell_ring_all(&w->done);
    return OK;
}

static err on_frame(struct line *l, struct frame *f)
{
    fd_close(f->fd);
    switch (f->type) {
    case FACE_NUMBERS:
        return on_numbers(l, f);
    case FACE_ACK:
        return on_ack(l, f);
    case FACE_PAUSE:
        l->paused = f->body.n > 0 && f->body.p[0];
        return OK;
    default:
        return ERR_PEER;
    }
}

static err line_run(struct task *t, void *arg)
{
    struct line *l = arg;
    struct frame f;
    str key;
    void *value;
    err e;

    while (!(e = port_recv(t, l->port, NEVER, &f))) {
        e = on_frame(l, &f);
        if (e)
            break;
    }
    if (l->submitter->line == l)
        l->submitter->line = NULL;
    for (size_t at = 0; map_next(&l->waiting, &at, &key, &value);) {
        struct waiting *w = value;
        w->answered = true;
        w->status = FACE_FAILED;
        bell_ring_all(&w->done);
    }
    bell_ring_all(&l->submitter->changed);
    l->ended = true;
    line_give(l);
    return e == ERR_STOPPED ? e : OK;
}

void submitter_port(struct task *t, struct submitter *s, struct port *p)
{
    struct line *l = heap_new(struct line);

    (void)t;
    l->submitter = s;
    l->port = p;
    map_init(&l->waiting, false);
    s->line = l;
    group_go(&s->deliver->group, "submissions", line_run, l);
    bell_ring_all(&s->changed);
}

/* --- submitting ----------------------------------------------------------- */

/* Takes a number; waits a while for a line that has one. */
static err line_take(struct task *t, struct submitter *s, struct line **out,
                     uint64_t *number)
{
    when until = after_s(t, WAIT_LINE_S);
    struct line *l;

    while (!(l = s->line) || l->now.next == l->now.end)
        if (bell_wait(t, &s->changed, until))
            return why(t, ERR_LATE, "the queue manager does not answer");
    if (l->paused)
        return why(t, ERR_LIMIT, "no room in the queue");
    *number = l->now.next++;
    if (l->now.next == l->now.end) {
        l->now = l->then;
        l->then = (struct range){ 0 };
    }
    if (!l->asked && !l->then.end
        && l->now.end - l->now.next < NUMBERS_LOW) {
        l->asked = true;
        port_answer(l->port, &(struct frame){ .type = FACE_MORE, .fd = -1 });
    }
    l->n_users++;
    *out = l;
    return OK;
}

struct sending {
    struct line *line;
    uint64_t number;
};

static err tell(struct task *t, struct sending *s, uint16_t type, str body)
{
    if (s->line->ended)
        return why(t, ERR_END, "the queue manager ended");
    return port_send(t, s->line->port, &(struct frame){
                         .type = type, .id = s->number, .body = body,
                         .fd = -1 });
}

static err send_piece(struct task *t, void *self, str piece)
{
    for (; piece.n > 0; piece = str_skip(piece, PIECE))
        TRY(tell(t, self, FACE_DATA, str_head(piece, PIECE)));
    return OK;
}

static err send_envelope(struct task *t, struct sending *s,
                         const struct envelope *env)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    envelope_pack(env, &b);
    e = b.over ? why(t, ERR_LIMIT, "too many recipients")
               : tell(t, s, FACE_END, buf_str(&b));
    buf_free(&b);
    return e;
}

static err send_all(struct task *t, struct sending *s, struct run *r,
                    const struct envelope *env, str head)
{
    struct waiting w = { .number = s->number };
    struct envelope full = *env;
    err e = send_piece(t, s, head);

    full.size += head.n;

    if (!e)
        e = body_each(t, r, send_piece, s);
    if (e) {
        if (!s->line->ended)
            port_answer(s->line->port, &(struct frame){
                            .type = FACE_ABORT, .id = s->number, .fd = -1 });
        return e;
    }
    map_put(&s->line->waiting, key_of(&w.number), &w);
    e = send_envelope(t, s, &full);
    while (!e && !w.answered)
        e = bell_wait(t, &w.done, NEVER);
    map_del(&s->line->waiting, key_of(&w.number));
    if (!e && w.status != FACE_TAKEN)
        e = why(t, ERR_LIMIT, w.status == FACE_NO_ROOM
                                  ? "no room in the queue"
                                  : "the queue manager did not take it");
    return e;
}

err submitter_send(struct task *t, struct run *r, const struct envelope *env,
           str (*head)(struct run *r, str queue_id, void *self), void *self,
           str *queue_id)
{
    struct submitter *sub = r->deliver->submitter;
    struct sending s;
    struct queue_id id;
    str text;
    err e;

    TRY(line_take(t, sub, &s.line, &s.number));
    id = queue_id_make(s.number, env->arrival_us,
                       conf_bool(r->setup->conf, P_enable_long_queue_ids));
    text = arena_str(&r->memory, queue_id_str(&id));
    e = send_all(t, &s, r, env, head(r, text, self));
    s.line->n_users--;
    line_give(s.line);
    if (!e)
        *queue_id = text;
    return e;
}
