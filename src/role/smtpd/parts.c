/* SPDX-License-Identifier: ISC
 *
 * Mail for more recipients than one envelope in the queue can hold: it is
 * queued as several messages, each with its share of them and the same text.
 * How many is decided before the text comes, by what the recipients take
 * (A1); each piece of it then goes to all of them.
 *
 * A1  An envelope is packed into one frame, and with its state into one
 *     record of the log: half of that is filled by plan, since aliases may
 *     make more of them.
 * A2  The first is answered for last: until then the client is told to send
 *     everything again, and some may get it twice, but nobody never.
 */
#include "role/smtpd/smtpd.h"

#include "role/events.h"

enum { SHARE_MAX = 256 * 1024, RECIPIENT_ROOM = 40, ENVELOPE_ROOM = 32 * 1024,
       NUMBER_WAIT_S = 10 };

static size_t n_needed(const struct visit *v)
{
    size_t size = 0;

    for (size_t i = 0; i < v->rcpts.n; i++)
        size += RECIPIENT_ROOM + v->rcpts.p[i].address.text.n
                + v->rcpts.p[i].original.n + v->rcpts.p[i].orcpt.n;
    return size / SHARE_MAX;
}

err parts_begin(struct task *t, struct visit *v)
{
    struct content *c = &v->c;
    size_t n = n_needed(v);

    c->parts = arena_array(&c->memory, struct content_part, n);
    for (; c->n_parts < n; c->n_parts++) {
        struct content_part *p = &c->parts[c->n_parts];
        TRY(queue_link_number(t, v->d->queue, after_s(t, NUMBER_WAIT_S),
                              &p->ticket));
        p->id = queue_id_make(p->ticket.number, c->arrival_us,
                              conf_bool(v->l->conf,
                                        P_enable_long_queue_ids));
    }
    return OK;
}

err parts_data(struct task *t, struct visit *v, str bytes)
{
    struct content *c = &v->c;

    for (size_t i = 0; i < c->n_parts; i++)
        TRY(queue_link_data(t, v->d->queue, c->parts[i].ticket, bytes));
    return queue_link_data(t, v->d->queue, c->ticket, bytes);
}

/* The share of part i of n. */
static struct envelope share(const struct envelope *env, size_t i, size_t n)
{
    size_t all = env->recipients.n, from = all / n * i;
    size_t to = i + 1 == n ? all : from + all / n;
    struct envelope e = *env;

    e.recipients.p = env->recipients.p + from;
    e.recipients.n = e.recipients.cap = to - from;
    return e;
}

static struct reply end_one(struct task *t, struct visit *v,
                            struct queue_ticket *ticket,
                            const struct envelope *env)
{
    enum face_status status = FACE_FAILED;
    struct buf b;
    err e;

    buf_init(&b, NULL, PORT_BODY_MAX);
    envelope_pack(env, &b);
    if (b.over) {
        buf_free(&b);
        return v->l->pickup ? REPLY(552, "5.5.3", "Error: too many recipients")
                            : REPLY(452, "4.5.3",
                                    "Error: too many recipients");
    }
    e = queue_link_end(t, v->d->queue, *ticket, buf_str(&b), &status);
    buf_free(&b);
    ticket->number = 0; /* it is qmgr's now, or dead */
    if (!e && status == FACE_NO_ROOM)
        return REPLY(452, "4.3.1", "Insufficient system storage");
    if (!e && status == FACE_TOO_LARGE)
        return REPLY(552, "5.3.4", "Error: message file too big");
    if (e || status != FACE_TAKEN)
        return REPLY(451, "4.3.0", "Error: queue file write error");
    return (struct reply){ 0 };
}

/* Log followers want these of each queue id. */
static void introduce(struct task *t, const struct visit *v,
                      const struct content_part *p)
{
    const char *before = log_name_get(t);

    log_name_set(t, v->l->log_name);
    if (v->l->pickup)
        say(t, pickup_mail, STR(queue_id_str(&p->id)), v->uid,
            STR(v->mail.sender.text));
    log_name_set(t, before);
    say(t, cleanup_message_id, STR(queue_id_str(&p->id)),
        STR(v->c.message_id));
}

struct reply parts_end(struct task *t, struct visit *v,
                       const struct envelope *env)
{
    struct content *c = &v->c;
    size_t n = c->n_parts + 1;
    struct envelope mine;

    if (env->recipients.n < n) { /* most of them were the same */
        parts_drop(v);
        n = 1;
    }
    for (size_t i = 1; i < n; i++) {
        struct content_part *p = &c->parts[i - 1];
        struct reply r;
        mine = share(env, i, n);
        introduce(t, v, p);
        r = end_one(t, v, &p->ticket, &mine);
        if (r.code)
            return r;
    }
    mine = share(env, 0, n);
    return end_one(t, v, &c->ticket, &mine); /* A2 */
}

void parts_drop(struct visit *v)
{
    struct content *c = &v->c;

    for (size_t i = 0; i < c->n_parts; i++)
        if (c->parts[i].ticket.number)
            queue_link_abort(v->d->queue, c->parts[i].ticket);
    c->n_parts = 0;
}
