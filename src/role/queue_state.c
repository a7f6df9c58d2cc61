/* SPDX-License-Identifier: ISC
 *
 * Reading a message's state, and making a row of it.
 */
#include "role/queue_state.h"

enum { ENVELOPE_MAX = 1 << 20, REASON_MAX = 4096, DSN_MAX = 11 };

static bool state_unpack(struct queue_state *q, struct arena *a,
                         struct unpack *u)
{
    if (unpack_u8(u) != QUEUE_STATE_VERSION)
        return false;
    q->hold = unpack_u8(u) != 0;
    q->delay_noticed = unpack_u8(u) != 0;
    q->next_us = unpack_i64(u);
    q->attempts = unpack_u32(u);
    if (unpack_u32(u) != q->envelope.recipients.n)
        return false;
    for (size_t i = 0; i < q->envelope.recipients.n && !u->bad; i++) {
        struct queue_state_rcpt *r = &q->rcpts[i];
        r->status = (enum queue_rcpt_status)unpack_u8(u);
        r->dsn = arena_str(a, unpack_str(u, DSN_MAX));
        r->reason = arena_str(a, unpack_str(u, REASON_MAX));
        if (r->status > QUEUE_RCPT_DEFERRED)
            return false;
    }
    return !u->bad;
}

static void done_unpack(struct queue_state *q, str body)
{
    struct unpack u = unpack_of(body);
    uint32_t n = unpack_count(&u, 4);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = unpack_u32(&u);
        if (index < q->envelope.recipients.n)
            q->rcpts[index].status = QUEUE_RCPT_DONE;
    }
}

static bool notes_read(struct queue_state *q, const struct spool_found *f,
                       struct arena *a)
{
    bool good = true;

    for (size_t i = 0; i < f->notes.n; i++) {
        struct unpack u = unpack_of(f->notes.p[i].body);
        if (f->notes.p[i].kind == QUEUE_NOTE_DONE)
            done_unpack(q, f->notes.p[i].body);
        else if (f->notes.p[i].kind == QUEUE_NOTE_STATE)
            good &= state_unpack(q, a, &u);
    }
    return good;
}

err queue_state_read(const struct spool_found *f, bool long_ids,
                     struct arena *a, struct queue_state *out)
{
    struct unpack u = unpack_of(f->envelope);
    struct queue_state q = { .number = f->entry->id };
    struct envelope env;

    TRY(envelope_unpack(unpack_str(&u, ENVELOPE_MAX), a, &env));
    envelope_copy(&env, a, &q.envelope);
    q.rcpts = arena_array(a, struct queue_state_rcpt, env.recipients.n);
    q.hold = (env.flags & ENVELOPE_HOLD) != 0;
    q.id = queue_id_make(q.number, env.arrival_us, long_ids);
    if (u.p < u.end && !state_unpack(&q, a, &u))
        return ERR_CORRUPT;
    if (!notes_read(&q, f, a))
        return ERR_CORRUPT;
    *out = q;
    return OK;
}

void queue_state_pack(const struct queue_state *q, struct buf *to)
{
    pack_u8(to, QUEUE_STATE_VERSION);
    pack_u8(to, q->hold);
    pack_u8(to, q->delay_noticed);
    pack_i64(to, q->next_us);
    pack_u32(to, q->attempts);
    pack_u32(to, (uint32_t)q->envelope.recipients.n);
    for (size_t i = 0; i < q->envelope.recipients.n; i++) {
        pack_u8(to, (uint8_t)q->rcpts[i].status);
        pack_str(to, q->rcpts[i].dsn);
        pack_str(to, q->rcpts[i].reason);
    }
}

str queue_state_queue(const struct queue_state *q, int64_t now_us)
{
    if (q->hold)
        return S("hold");
    return q->attempts == 0 && q->next_us <= now_us ? S("incoming")
                                                    : S("deferred");
}

void queue_state_row(const struct queue_state *q, int64_t now_us,
                     struct arena *a, struct queue_row *out)
{
    size_t n = q->envelope.recipients.n;
    struct queue_row_rcpt *x = arena_array(a, struct queue_row_rcpt, n);
    struct queue_row r = {
        .queue = queue_state_queue(q, now_us),
        .id = arena_str(a, queue_id_str(&q->id)),
        .arrival_us = q->envelope.arrival_us,
        .size = q->envelope.size,
        .sender = q->envelope.sender.text,
        .rcpts = x,
    };

    for (size_t i = 0; i < n; i++) {
        if (q->rcpts[i].status == QUEUE_RCPT_DONE)
            continue;
        x[r.n_rcpts].address = q->envelope.recipients.p[i].address.text;
        x[r.n_rcpts].reason = q->rcpts[i].status == QUEUE_RCPT_DEFERRED
                                  ? q->rcpts[i].reason : S("");
        r.n_rcpts++;
    }
    *out = r;
}
