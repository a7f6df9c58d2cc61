/* SPDX-License-Identifier: ISC
 *
 * Mailboxes that have no room for a message: their mail is refused here,
 * instead of being taken and bounced (role/room.h).
 */
#include "role/room.h"

#include "role/smtpd/smtpd.h"

#include "role/events.h"

/* A slow answer is no reason to keep a client. */
enum { ROOM_WAIT_MS = 3000, ROOM_QUESTION_MAX = 4096 };

void listener_room(struct listener_settings *l)
{
    const struct conf *c = l->conf;
    struct conf_items sources = conf_items(c, P_auth_sources);
    bool quotas = !str_empty(conf_str(c, P_mailstore_quota));
    int code = (int)conf_int(c, P_mailstore_quota_reject_code);

    /* users of the host have no quota of their own */
    for (size_t i = 0; i < sources.n; i++)
        quotas |= !str_eq(sources.p[i], S("shadow"));
    l->full_code = 0;
    if (quotas && !l->pickup && conf_items(c, P_virtual_mailbox_maps).n > 0
        && code >= 400 && code <= 599)
        l->full_code = code;
}

static bool is_full(struct task *t, struct visit *v,
                    const struct address *to, uint64_t size)
{
    enum room room = ROOM_YES;
    struct frame answer;
    struct buf b;

    buf_init(&b, &v->s.scratch, ROOM_QUESTION_MAX);
    room_question_pack(to->text, size, &b);
    if (b.over || call(t, v->d->rooms, ROOM_ASK, buf_str(&b),
                       after_ms(t, ROOM_WAIT_MS), &v->s.scratch, &answer))
        return false;           /* the delivery decides */
    fd_close(answer.fd);
    return !room_answer_unpack(answer.body, &room) && room == ROOM_FULL;
}

static struct reply refuse(struct task *t, struct visit *v,
                           const struct address *to, const char *where)
{
    int code = v->l->full_code;
    const char *dsn = code >= 500 ? "5.2.2" : "4.2.2";
    str address = address_external(to, &v->s.scratch);

    say(t, smtpd_no_room, v->c.ticket.number ? v->c.id.text : "NOQUEUE",
        where, STR(v->s.peer), code, dsn, STR(address),
        STR(address_external(&v->mail.sender, &v->s.scratch)), STR(address),
        v->s.esmtp ? "ESMTP" : "SMTP", STR(v->s.helo));
    return reply_fmt(&v->s.scratch, code, dsn, "<%.*s>: Recipient address "
                     "rejected: Mailbox is full", STR(address));
}

struct reply visit_room(struct task *t, struct visit *v,
                        const struct address *to, uint64_t size)
{
    if (!v->l->full_code || !is_full(t, v, to, size))
        return (struct reply){ 0 };
    return refuse(t, v, to, "RCPT");
}

struct reply visit_room_end(struct task *t, struct visit *v)
{
    /* what was announced was asked for with each recipient */
    if (!v->l->full_code || v->rcpts.n == 0
        || v->c.size <= v->mail.params.size)
        return (struct reply){ 0 };
    for (size_t i = 0; i < v->rcpts.n; i++)
        if (!is_full(t, v, &v->rcpts.p[i].address, v->c.size))
            return (struct reply){ 0 };
    return refuse(t, v, &v->rcpts.p[0].address, "END-OF-MESSAGE");
}
