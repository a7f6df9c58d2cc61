/* SPDX-License-Identifier: ISC
 *
 * Mail coming in from one smtpd process.
 *
 * The port's reader appends bodies as they come; each seal waits for the disk
 * in a task of its own, so that all of one batch are answered together.  What
 * a process says is checked as if it came from the network: message numbers
 * must be ones it was given, envelopes must unpack.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"

enum { NUMBERS = 8192, NUMBERS_LOW = 4096 };

struct range {
    uint64_t first, end;
};

struct intake {
    struct queue *q;
    struct port *port;
    struct range given[2];  /* the newest, and the one before */
    struct map drafts;      /* number -> struct draft */
    struct task_group seals;
    bool paused;
};

struct draft {
    struct intake *in;
    uint64_t number;
    struct spool_draft *spool;
    struct arena memory;
    str envelope;
    err failed;
    bool too_large;         /* for the frames and records it would need */
};

struct intake *intake_new(struct queue *q, struct role_port *p)
{
    struct intake *in = heap_new(struct intake);

    in->q = q;
    in->port = p->port;
    map_init(&in->drafts, false);
    return in;
}

static void give_numbers(struct intake *in)
{
    struct buf b;

    in->given[1] = in->given[0];
    in->given[0] = (struct range){ in->q->next_number,
                                   in->q->next_number + NUMBERS };
    in->q->next_number += NUMBERS;
    buf_init(&b, NULL, 64);
    pack_u64(&b, in->given[0].first);
    pack_u32(&b, NUMBERS);
    port_answer(in->port, &(struct frame){ .type = FACE_NUMBERS,
                                           .body = buf_str(&b), .fd = -1 });
    buf_free(&b);
}

static bool was_given(const struct intake *in, uint64_t number)
{
    for (int i = 0; i < 2; i++)
        if (number >= in->given[i].first && number < in->given[i].end)
            return true;
    return false;
}

static str key_of(const uint64_t *number)
{
    return str_of(number, sizeof(*number));
}

static struct draft *draft_get(struct intake *in, uint64_t number)
{
    struct draft *d = map_get(&in->drafts, key_of(&number));

    if (d || !was_given(in, number))
        return d;
    d = heap_new(struct draft);
    d->in = in;
    d->number = number;
    d->spool = spool_begin(in->q->spool, number);
    arena_init(&d->memory, 0);
    map_put(&in->drafts, key_of(&d->number), d);
    return d;
}

static void draft_free(struct draft *d)
{
    map_del(&d->in->drafts, key_of(&d->number));
    spool_abort(d->in->q->spool, d->spool);
    arena_reset(&d->memory);
    heap_free(d);
}

static void answer(struct intake *in, uint64_t number, enum face_status s)
{
    char status = (char)s;

    port_answer(in->port, &(struct frame){ .type = FACE_ACK, .id = number,
                                           .body = { &status, 1 },
                                           .fd = -1 });
}

enum { ENVELOPE_ROOM = 64 * 1024 }; /* at least; what it takes is seen later */

static err on_data(struct task *t, struct draft *d, str bytes)
{
    struct spool *sp = d->in->q->spool;

    if (bytes.n == 0 || bytes.n > SPOOL_CHUNK_MAX)
        return ERR_PEER;
    if (!d->failed && !spool_draft_fits(sp, d->spool, ENVELOPE_ROOM)) {
        d->failed = ERR_LIMIT;
        d->too_large = true;
    }
    if (!d->failed)
        d->failed = spool_chunk(t, sp, d->spool, bytes);
    return d->failed == ERR_STOPPED ? ERR_STOPPED : OK;
}

/* Seals one message and answers. */
static err seal(struct task *t, void *arg)
{
    struct draft *d = arg;
    struct queue *q = d->in->q;
    struct spool_entry *entry;
    struct envelope env;
    struct buf b;
    enum face_status status = FACE_BAD;
    err e = d->failed;

    if (!e && envelope_unpack(d->envelope, &d->memory, &env))
        e = ERR_SYNTAX;
    if (!e && !spool_draft_fits(q->spool, d->spool,
                                message_packed_max(&env, d->envelope.n))) {
        e = ERR_LIMIT;
        d->too_large = true;
    }
    if (!e) {
        buf_init(&b, &d->memory, d->envelope.n + 4);
        pack_str(&b, d->envelope);
        e = spool_seal(t, q->spool, d->spool, buf_str(&b), &entry);
        d->spool = NULL;
    }
    if (!e) {
        status = FACE_TAKEN;
        answer(d->in, d->number, status);
        message_add(t, q, entry, &env);
    } else {
        status = d->too_large ? FACE_TOO_LARGE
               : e == ERR_LIMIT ? FACE_NO_ROOM
               : e == ERR_SYNTAX ? FACE_BAD : FACE_FAILED;
        answer(d->in, d->number, status);
    }
    draft_free(d);
    return OK;
}

static void on_end(struct intake *in, struct draft *d, str envelope)
{
    d->envelope = arena_str(&d->memory, envelope);
    group_go(&in->seals, "seal", seal, d);
}

/* Whether the site may be flushed was asked before. */
static err flush_site(struct task *t, struct queue *q, str body)
{
    struct unpack u = unpack_of(body);
    str site = unpack_str(&u, 1024);
    uint32_t n;

    if (!unpack_end(&u) || str_empty(site))
        return ERR_PEER;
    return queue_flush(t, q, site, &n);
}

static err on_frame(struct task *t, struct intake *in, struct frame *f)
{
    struct draft *d;

    if (f->type == FACE_MORE) {
        give_numbers(in);
        return OK;
    }
    if (f->type == FACE_FLUSH)
        return flush_site(t, in->q, f->body);
    d = draft_get(in, f->id);
    if (!d || d->envelope.p)
        return ERR_PEER;
    switch (f->type) {
    case FACE_DATA:
        return on_data(t, d, f->body);
    case FACE_END:
        on_end(in, d, f->body);
        return OK;
    case FACE_ABORT:
        draft_free(d);
        return OK;
    default:
        return ERR_PEER;
    }
}

/* Tells the process when there is no room, and when there is again. */
static err watch_room(struct task *t, void *arg)
{
    struct intake *in = arg;

    for (;;) {
        bool full = !spool_open_for_mail(in->q->spool);
        if (full != in->paused) {
            char flag = full;
            in->paused = full;
            port_answer(in->port, &(struct frame){ .type = FACE_PAUSE,
                                                   .body = { &flag, 1 },
                                                   .fd = -1 });
        }
        TRY(spool_gate_wait(t, in->q->spool));
    }
}

/* Who does not read the answers is not asked for more questions. */
static err frames_read(struct task *t, struct intake *in)
{
    struct frame f;
    err e;

    for (;;) {
        if (port_wait(t, in->port) == ERR_STOPPED)
            return ERR_STOPPED;
        TRY(port_recv(t, in->port, NEVER, &f)); /* it says if it broke */
        fd_close(f.fd);
        e = on_frame(t, in, &f);
        if (e == ERR_PEER)
            return why(t, e, "frame of type %u", f.type);
        TRY(e);
    }
}

err intake_run(struct task *t, void *arg)
{
    struct intake *in = arg;
    err e;

    group_open(t, &in->seals);
    group_go(&in->seals, "room", watch_room, in);
    give_numbers(in);
    e = frames_read(t, in);
    if (e == ERR_PEER)
        say(t, qmgr_bad_peer, "smtpd", task_why(t));
    /* what is being sealed will be on disk: nobody hears of it, but it is
     * mail, and somebody here must own it */
    err_ignore(group_wait_below(t, &in->seals, 2, NEVER));
    group_close(t, &in->seals);
    for (size_t at = 0;;) { /* what was not finished is dead log bytes */
        str key;
        void *d;
        if (!map_next(&in->drafts, &at, &key, &d))
            break;
        draft_free(d);
    }
    map_free(&in->drafts);
    port_close(in->port);
    heap_free(in);
    return OK;
}
