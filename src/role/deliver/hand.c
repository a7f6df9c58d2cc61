/* SPDX-License-Identifier: ISC
 *
 * A hand's life: frames come in, pieces of work run side by side, answers go
 * out.  It has no configuration and opens only what the planner names, with
 * the rights of the user it is.
 */
#include "role/deliver/hand.h"

#include "role/deliver/piece.h"

enum { ANSWER_SLACK = 64 * 1024, PIECES_MAX = 1024, FINISH_S = 3 };

static str key_of(const uint64_t *id)
{
    return str_of(id, sizeof(*id));
}

static void answer(struct hand_self *self, uint16_t type, uint64_t id,
                   const struct buf *b)
{
    port_answer(self->port, &(struct frame){ .type = type, .id = id,
                                             .body = buf_str(b), .fd = -1 });
}

/* --- one piece ------------------------------------------------------------ */

static void want_more(struct piece *p)
{
    struct buf b;

    buf_init(&b, NULL, 4);
    pack_u32(&b, p->used);
    answer(p->self, HAND_WANT, p->id, &b);
    buf_free(&b);
    p->used = 0;
}

err piece_next(struct task *t, struct piece *p, str *bytes)
{
    struct buf spent = p->out;

    p->used += (uint32_t)p->out.n;
    buf_clear(&spent);
    p->out = p->in;
    p->in = spent;
    if (p->used >= HAND_WINDOW / 2 && !p->end)
        want_more(p);
    while (p->out.n == 0) {
        if (p->dropped)
            return why(t, ERR_PEER, "the message could not be read");
        if (p->end)
            return ERR_END;
        TRY(bell_wait(t, &p->changed, NEVER));
        spent = p->out;
        p->out = p->in;
        p->in = spent;
    }
    *bytes = buf_str(&p->out);
    return OK;
}

struct hand_done piece_failed(struct task *t, struct piece *p,
                              enum hand_end end)
{
    return (struct hand_done){
        .end = end,
        .text = arena_str(&p->memory, str_from(task_why(t))),
    };
}

static void piece_free(struct piece *p)
{
    map_del(&p->self->pieces, key_of(&p->id));
    buf_free(&p->in);
    buf_free(&p->out);
    arena_reset(&p->memory);
    heap_free(p);
}

static err run_piece(struct task *t, void *arg)
{
    struct piece *p = arg;
    struct hand_done done = { .end = HAND_LATER };
    struct buf b;

    if (p->work.kind == HAND_COMMAND)
        piece_command(t, p, &done);
    else
        piece_box(t, p, &done);
    buf_init(&b, &p->memory, ANSWER_SLACK);
    hand_done_pack(&done, &b);
    answer(p->self, HAND_DONE, p->id, &b);
    piece_free(p);
    return OK;
}

static err on_work(struct task *t, struct hand_self *self, struct frame *f)
{
    struct piece *p;

    if (self->pieces.n >= PIECES_MAX || map_get(&self->pieces,
                                                key_of(&f->id)))
        return why(t, ERR_PEER, "too much work, or the same twice");
    p = heap_new(struct piece);
    p->self = self;
    p->id = f->id;
    arena_init(&p->memory, 0);
    buf_init(&p->in, NULL, HAND_WINDOW);
    buf_init(&p->out, NULL, HAND_WINDOW);
    map_put(&self->pieces, key_of(&p->id), p);
    if (hand_work_unpack(f->body, &p->memory, &p->work)) {
        piece_free(p);
        return why(t, ERR_PEER, "bad work");
    }
    group_go(&self->group, "piece", run_piece, p);
    return OK;
}

/* --- reading files -------------------------------------------------------- */

struct reading {
    struct hand_self *self;
    uint64_t id;
    struct arena memory;
    struct hand_read read;
};

static err run_reading(struct task *t, void *arg)
{
    struct reading *r = arg;
    struct hand_text text = { .found = HAND_NONE };
    struct buf b;

    hand_file_read(t, &r->memory, &r->read, HAND_TEXT_MAX, &text);
    buf_init(&b, &r->memory, HAND_TEXT_MAX + ANSWER_SLACK);
    hand_text_pack(&text, &b);
    answer(r->self, HAND_TEXT, r->id, &b);
    arena_reset(&r->memory);
    heap_free(r);
    return OK;
}

static err on_read(struct task *t, struct hand_self *self, struct frame *f)
{
    struct reading *r = heap_new(struct reading);

    r->self = self;
    r->id = f->id;
    arena_init(&r->memory, 0);
    if (hand_read_unpack(f->body, &r->memory, &r->read)) {
        arena_reset(&r->memory);
        heap_free(r);
        return why(t, ERR_PEER, "bad question");
    }
    group_go(&self->group, "reading", run_reading, r);
    return OK;
}

/* --- frames --------------------------------------------------------------- */

/* Bytes for a piece that has ended already are late, not wrong. */
static err on_body(struct task *t, struct hand_self *self, struct frame *f)
{
    struct piece *p = map_get(&self->pieces, key_of(&f->id));

    if (!p)
        return OK;
    if (p->end || p->dropped)
        return why(t, ERR_PEER, "more after the end");
    if (f->type == HAND_DATA) {
        buf_add(&p->in, f->body);
        if (p->in.over)
            return why(t, ERR_PEER, "more than the window");
    } else if (f->type == HAND_END) {
        p->end = true;
    } else {
        p->dropped = true;
    }
    bell_ring_all(&p->changed);
    return OK;
}

static err on_frame(struct task *t, struct hand_self *self, struct frame *f)
{
    fd_close(f->fd);
    switch (f->type) {
    case HAND_WORK:
        return on_work(t, self, f);
    case HAND_READ:
        return on_read(t, self, f);
    case HAND_DATA:
    case HAND_END:
    case HAND_DROP:
        return on_body(t, self, f);
    default:
        return why(t, ERR_PEER, "unknown frame %u", f->type);
    }
}

/* The planner is gone: what lacks bytes cannot be finished. */
static void drop_all(struct hand_self *self)
{
    str key;
    void *value;

    for (size_t at = 0; map_next(&self->pieces, &at, &key, &value);) {
        struct piece *p = value;
        p->dropped = !p->end;
        bell_ring_all(&p->changed);
    }
}

static err hand_run(struct task *t, void *arg)
{
    struct hand_self self = { .port = NULL };
    struct sock *s;
    struct frame f;
    err e = sock_adopt(t, *(int *)arg, &s);

    if (!e)
        e = port_open(t, s, &self.port);
    if (e)
        return e;
    arena_init(&self.memory, 0);
    map_init(&self.pieces, false);
    map_init(&self.turns, false);
    list_init(&self.syncs);
    group_open(t, &self.group);
    while (!(e = port_recv(t, self.port, NEVER, &f))) {
        e = on_frame(t, &self, &f);
        if (e)
            break;
    }
    drop_all(&self);
    /* What is under way may finish, though nobody will hear of it; a command
     * that goes on is ended, or the system would never be stopped. */
    err_ignore(group_wait(t, &self.group, after_s(t, FINISH_S)));
    group_close(t, &self.group);
    port_close(self.port);
    syncs_close(&self);
    map_free(&self.pieces);
    map_free(&self.turns);
    arena_reset(&self.memory);
    return OK;
}

void hand_serve(int fd)
{
    err_ignore(world_run("postfix/local", hand_run, &fd)); /* then it ends */
}
