/* SPDX-License-Identifier: ISC
 *
 * Messages and their state.
 *
 * ENV's payload: the packed envelope as a string | state, which is missing
 * right after intake.  Notes: NOTE_STATE the state, NOTE_DONE numbers of
 * recipients that are done.
 *
 * State: u8 version | u8 hold | u8 delay notice was sent | i64 next try |
 * u32 attempts | u32 recipients | for each: u8 status, str dsn, str reason.
 */
#include "role/qmgr/queue.h"

#include "role/events.h"

enum { STATE_VERSION = 1, STATE_MAX = 1 << 20, STATE_ROOM = 1 << 18,
       NOTE_STATE = 1, NOTE_DONE = 2, REASON_MAX = 4096, DSN_MAX = 12,
       STATE_FIXED = 64, RCPT_FIXED = 16 };

/* Room is bounded: many recipients have short reasons. */
static void state_pack(const struct message *m, struct buf *b)
{
    /* message_packed_max knows these bounds */
    size_t most = STATE_ROOM / (m->envelope.recipients.n + 1);

    pack_u8(b, STATE_VERSION);
    pack_u8(b, m->hold);
    pack_u8(b, m->delay_noticed);
    pack_i64(b, m->next_us);
    pack_u32(b, m->attempts);
    pack_u32(b, (uint32_t)m->envelope.recipients.n);
    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        const struct rcpt_state *r = &m->rcpts[i];
        pack_u8(b, (uint8_t)r->status);
        pack_str(b, str_from(r->dsn));
        pack_str(b, str_head(r->reason, most < REASON_MAX ? most
                                                          : REASON_MAX));
    }
}

static bool state_unpack(struct message *m, struct unpack *u)
{
    if (unpack_u8(u) != STATE_VERSION)
        return false;
    m->hold = unpack_u8(u) != 0;
    m->delay_noticed = unpack_u8(u) != 0;
    m->next_us = unpack_i64(u);
    m->attempts = unpack_u32(u);
    if (unpack_u32(u) != m->envelope.recipients.n)
        return false;
    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        struct rcpt_state *r = &m->rcpts[i];
        str dsn;
        r->status = (enum rcpt_status)unpack_u8(u);
        dsn = unpack_str(u, sizeof(r->dsn) - 1);
        memcpy(r->dsn, dsn.p, dsn.n);
        r->dsn[dsn.n] = 0;
        r->reason = arena_str(&m->memory, unpack_str(u, REASON_MAX));
        if (r->status > RCPT_DEFERRED)
            return false;
        if (r->status == RCPT_FAILED)
            r->status = RCPT_OPEN; /* its report was not made: try again */
    }
    return !u->bad;
}

static void done_unpack(struct message *m, str body)
{
    struct unpack u = unpack_of(body);
    uint32_t n = unpack_count(&u, 4);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = unpack_u32(&u);
        if (index < m->envelope.recipients.n)
            m->rcpts[index].status = RCPT_DONE;
    }
}

static struct message *message_new(struct task *t, struct queue *q,
                                   struct spool_entry *e)
{
    struct message *m = heap_new(struct message);

    (void)t;
    arena_init(&m->memory, 0);
    m->entry = e;
    m->number = e->id;
    e->owner = m;
    map_put(&q->by_number, str_of(&m->number, sizeof(m->number)), m);
    list_add_last(&q->messages, &m->all);
    q->n_messages++;
    return m;
}

static void message_name(struct queue *q, struct message *m)
{
    m->id = queue_id_make(m->entry->id, m->envelope.arrival_us,
                          conf_bool(q->conf, P_enable_long_queue_ids));
}

static void message_free(struct queue *q, struct message *m)
{
    heap_del(&q->timers, &m->timer);
    list_del(&m->all);
    map_del(&q->by_number, str_of(&m->number, sizeof(m->number)));
    q->n_messages--;
    arena_reset(&m->memory);
    heap_free(m);
}

static struct message *message_make(struct task *t, struct queue *q,
                                    struct spool_entry *e,
                                    const struct envelope *env)
{
    struct message *m = message_new(t, q, e);

    envelope_copy(env, &m->memory, &m->envelope);
    m->rcpts = arena_array(&m->memory, struct rcpt_state,
                           m->envelope.recipients.n);
    m->hold = (env->flags & ENVELOPE_HOLD) != 0;
    message_name(q, m);
    return m;
}

void message_add(struct task *t, struct queue *q, struct spool_entry *e,
                 const struct envelope *env)
{
    struct message *m = message_make(t, q, e, env);

    if (!m->hold)
        heap_put(&q->timers, &m->timer, 0);
    bell_ring(&q->timer);
}

struct added {
    struct queue *queue;
    uint64_t number;
};

static err activate_later(struct task *t, void *arg)
{
    struct added *a = arg;
    struct queue *q = a->queue;
    err e = spool_flush(t, q->spool);
    struct message *m = message_numbered(q, a->number);

    if (e == ERR_LIMIT)
        e = OK; /* what has no room yet is none of this mail */
    if (!e && m && !m->hold && !m->active) {
        heap_put(&q->timers, &m->timer, 0);
        bell_ring(&q->timer);
    }
    heap_free(a);
    return e;
}

void message_add_later(struct task *t, struct queue *q,
                       struct spool_entry *e, const struct envelope *env)
{
    struct message *m = message_make(t, q, e, env);
    struct added *a = heap_new(struct added);

    *a = (struct added){ q, m->number };
    group_go(&q->group, "activate", activate_later, a);
}

void message_restore(struct task *t, struct queue *q,
                     const struct spool_found *f)
{
    struct message *m = message_new(t, q, f->entry);
    struct unpack u = unpack_of(f->envelope);
    struct envelope env;

    if (envelope_unpack(unpack_str(&u, STATE_MAX), &m->memory, &env)) {
        say(t, qmgr_bad_message, m->entry->id);
        m->unknown = arena_str(&m->memory, f->envelope);
        m->hold = true;
        message_name(q, m);
        return;
    }
    envelope_copy(&env, &m->memory, &m->envelope);
    m->rcpts = arena_array(&m->memory, struct rcpt_state,
                           m->envelope.recipients.n);
    m->hold = (env.flags & ENVELOPE_HOLD) != 0;
    if (u.p < u.end && !state_unpack(m, &u))
        say(t, qmgr_bad_message, m->entry->id);
    for (size_t i = 0; i < f->notes.n; i++) {
        struct unpack n = unpack_of(f->notes.p[i].body);
        if (f->notes.p[i].kind == NOTE_DONE)
            done_unpack(m, f->notes.p[i].body);
        else if (f->notes.p[i].kind == NOTE_STATE && !state_unpack(m, &n))
            say(t, qmgr_bad_message, m->entry->id);
    }
    message_name(q, m);
    if (f->damaged)
        message_damaged(q, m->entry);
    else if (!m->hold)
        heap_put(&q->timers, &m->timer, m->next_us);
}

void message_damaged(void *queue, struct spool_entry *e)
{
    struct queue *q = queue;
    struct message *m = e->owner;

    m->damaged = true;
    m->hold = false;
    if (!m->active)
        heap_put(&q->timers, &m->timer, 0);
    bell_ring(&q->timer);
}

void message_pack(void *queue, struct spool_entry *e, struct buf *to)
{
    struct message *m = e->owner;
    size_t at = to->n;

    (void)queue;
    if (m->unknown.p) {
        buf_add(to, m->unknown);
        return;
    }
    pack_u32(to, 0);
    envelope_pack(&m->envelope, to);
    pack_u32_at(to, at, (uint32_t)(to->n - at - 4));
    state_pack(m, to);
}

size_t message_packed_max(const struct envelope *env, size_t packed)
{
    size_t n = env->recipients.n, most = STATE_ROOM / (n + 1);

    most = most < REASON_MAX ? most : REASON_MAX;
    return packed + STATE_FIXED + n * (RCPT_FIXED + DSN_MAX + most);
}

/* Where there is no room for a note, what is known here has to do until the
 * next one: after a crash meanwhile some is done again. */
static err note(struct task *t, struct queue *q, struct message *m,
                uint16_t kind, str body)
{
    err e;

    m->n_notes++;
    e = spool_note(t, q->spool, m->entry, kind, body);
    m->n_notes--;
    if (e && e != ERR_LIMIT)
        return e;
    if (m->going && !m->active && m->n_notes == 0)
        return message_forget(t, q, m);
    return OK;
}

err message_note(struct task *t, struct queue *q, struct message *m)
{
    struct buf b;
    err e;

    buf_init(&b, NULL, STATE_MAX);
    state_pack(m, &b);
    e = note(t, q, m, NOTE_STATE, buf_str(&b));
    buf_free(&b);
    return e;
}

err message_note_done(struct task *t, struct queue *q, struct message *m,
                      const uint32_t *index, uint32_t n)
{
    struct buf b;
    uint32_t n_done = 0;
    err e = OK;

    buf_init(&b, NULL, STATE_MAX);
    pack_u32(&b, 0);
    for (uint32_t i = 0; i < n; i++)
        if (m->rcpts[index[i]].status == RCPT_DONE
            && !m->rcpts[index[i]].success_wanted) {
            pack_u32(&b, index[i]);
            n_done++;
        }
    pack_u32_at(&b, 0, n_done);
    if (n_done > 0)
        e = note(t, q, m, NOTE_DONE, buf_str(&b));
    buf_free(&b);
    return e;
}

struct message *message_find(struct queue *q, str queue_id)
{
    struct message *m;
    uint64_t number;

    if (!queue_id_number(queue_id, &number))
        return NULL;
    m = message_numbered(q, number);
    return m && str_eq(queue_id_str(&m->id), queue_id) ? m : NULL;
}

struct message *message_numbered(struct queue *q, uint64_t number)
{
    return map_get(&q->by_number, str_of(&number, sizeof(number)));
}

err message_forget(struct task *t, struct queue *q, struct message *m)
{
    struct spool_entry *e = m->entry;
    struct queue_id id = m->id;

    if (m->n_notes > 0) {
        m->going = true;
        heap_del(&q->timers, &m->timer);
        return OK;
    }
    say(t, qmgr_removed, STR(queue_id_str(&id)));
    message_free(q, m);
    e->owner = NULL;
    return spool_end(t, q->spool, e);
}

void message_defer(struct task *t, struct queue *q, struct message *m,
                   int64_t until_us)
{
    (void)t;
    m->next_us = until_us;
    if (!m->hold && !m->active)
        heap_put(&q->timers, &m->timer, until_us);
    bell_ring(&q->timer);
}

/* The next try: as long again as the message is old, within bounds. */
static int64_t back_off(struct task *t, struct queue *q,
                        const struct message *m)
{
    int64_t now = rt_wall(t);
    int64_t age = now - m->envelope.arrival_us;
    int64_t least = conf_seconds(q->conf, P_minimal_backoff_time) * 1000000;
    int64_t most = conf_seconds(q->conf, P_maximal_backoff_time) * 1000000;

    return now + (age < least ? least : age > most ? most : age);
}

static bool all_done(const struct message *m)
{
    for (size_t i = 0; i < m->envelope.recipients.n; i++)
        if (m->rcpts[i].status != RCPT_DONE)
            return false;
    return true;
}

/* Recipients whose report has been made are done. */
static void settle(struct message *m)
{
    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        struct rcpt_state *r = &m->rcpts[i];
        if (r->status == RCPT_FAILED)
            r->status = RCPT_DONE;
        r->success_wanted = false;
    }
}

static bool is_old(struct task *t, const struct queue *q,
                   const struct message *m)
{
    enum param p = address_is_null(&m->envelope.sender)
                       ? P_bounce_queue_lifetime : P_maximal_queue_lifetime;

    return rt_wall(t) - m->envelope.arrival_us
           >= conf_seconds(q->conf, p) * 1000000;
}

/* What could not be delivered in its time goes back. */
static void expire(struct task *t, struct message *m)
{
    bool any = false;

    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        struct rcpt_state *r = &m->rcpts[i];
        if (r->status != RCPT_DEFERRED)
            continue;
        r->status = RCPT_FAILED;
        any = true;
    }
    if (any)
        say(t, qmgr_expired, STR(queue_id_str(&m->id)),
            STR(m->envelope.sender.text));
}

/* There is no room for its reports: another try will tell the same. */
static err put_off(struct task *t, struct queue *q, struct message *m)
{
    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        struct rcpt_state *r = &m->rcpts[i];
        if (r->status == RCPT_FAILED)
            r->status = RCPT_DEFERRED;
        r->success_wanted = false;
    }
    say(t, qmgr_no_report, STR(queue_id_str(&m->id)), task_why(t));
    m->active = m->forced = false;
    m->n_lost = 0;
    if (m->going)
        return message_forget(t, q, m);
    m->attempts++;
    message_defer(t, q, m, back_off(t, q, m));
    return OK;
}

err message_run_end(struct task *t, struct queue *q, struct message *m)
{
    err e = OK;

    must(m->active && m->n_parts == 0);
    if (!m->going) {
        if (is_old(t, q, m))
            expire(t, m);
        e = reports_make(t, q, m); /* I3: what follows is in the same batch */
        if (e == ERR_LIMIT)
            return put_off(t, q, m);
        TRY(e);
        settle(m);
    }
    if (!m->going && !all_done(m)) {
        m->attempts++;
        m->next_us = back_off(t, q, m);
        TRY(message_note(t, q, m));
        e = delay_report_make(t, q, m);
        if (e == ERR_LIMIT)
            m->delay_noticed = false; /* no room: another time */
        else
            TRY(e);
    }
    if (m->damaged && !m->going && !all_done(m)) /* found out meanwhile */
        m->next_us = rt_wall(t);
    m->active = m->forced = false; /* a flush tries a dead next hop, once */
    m->n_lost = 0;
    if (m->going || all_done(m))
        return message_forget(t, q, m);
    message_defer(t, q, m, m->next_us);
    if (m->attempts == 2)
        err_ignore(spool_cool(t, q->spool, m->entry)); /* later, then */
    return OK;
}
