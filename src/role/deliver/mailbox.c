/* SPDX-License-Identifier: ISC
 *
 * Delivery to one mailbox.
 */
#include "role/deliver/mailbox.h"

#include "mail/date.h"
#include "role/events.h"
#include "role/mailstore.h"
#include "rt/world.h"
#include "store/deliver.h"

enum { HEAD_MAX = 16 * 1024 };

err mailbox_rules_read(struct task *t, const struct conf *c,
                       enum param lock, enum param limit,
                       struct mailbox_rules *out)
{
    struct conf_items items = conf_items(c, lock);

    *out = (struct mailbox_rules){
        .host = conf_str(c, P_myhostname),
        .size_max = (uint64_t)conf_int(c, limit),
        .lock_s = (uint32_t)(conf_int(c, P_deliver_lock_attempts)
                             * conf_seconds(c, P_deliver_lock_delay)),
    };
    TRY(mailstore_quota_read(t, c, &out->quota));
    for (size_t i = 0; i < items.n; i++) {
        if (str_ieq(items.p[i], S("dotlock")))
            out->dotlock = true;
        else if (str_ieq(items.p[i], S("fcntl"))
                 || str_ieq(items.p[i], S("flock")))
            out->fcntl_lock = true; /* Linux: both are seen by who asks */
        else
            return why(t, ERR_SYNTAX, "%.*s: unknown kind of lock %.*s",
                       STR(conf_param(lock)->name), STR(items.p[i]));
    }
    return OK;
}

str mailbox_sender(struct run *r, const struct address *sender, str none)
{
    const struct address *from = sender ? sender : &r->job.envelope.sender;

    return address_is_null(from) ? none
                                 : address_external(from, &r->memory);
}

str mailbox_head(struct task *t, struct run *r, const char *which,
                 const struct marks *m)
{
    int64_t now = rt_wall(t);
    struct buf b;

    buf_init(&b, &r->memory, HEAD_MAX);
    for (; *which; which++) {
        if (*which == 'F')
            buf_fmt(&b, "From %.*s  %.*s\n",
                    STR(mailbox_sender(r, m->sender, m->null)),
                    STR(date_asctime(&r->memory, now, world_zone_s(t, now))));
        else if (*which == 'R')
            buf_fmt(&b, "Return-Path: <%.*s>\n",
                    STR(mailbox_sender(r, m->sender, m->null_path)));
        else if (*which == 'O' && !str_empty(m->original))
            buf_fmt(&b, "X-Original-To: %.*s\n",
                    STR(address_shown(m->original, &r->memory)));
        else if (*which == 'D')
            buf_fmt(&b, "Delivered-To: %.*s\n",
                    STR(address_external(m->delivered_to, &r->memory)));
    }
    return buf_str(&b);
}

static struct result_rcpt verdict_of(struct run *r, const struct mailbox *box,
                                     bool maildir,
                                     const struct hand_done *done)
{
    struct arena *a = &r->memory;
    bool full = done->end == HAND_FULL;
    bool refused = done->end == HAND_REFUSED && box->strict;
    str text;

    if (done->end == HAND_SENT)
        return run_verdict(r, OUTCOME_SENT, "2.0.0",
                           maildir ? S("delivered to maildir")
                           : box->is_file
                               ? arena_fmt(a, "delivered to file: %.*s",
                                           STR(box->path))
                               : S("delivered to mailbox"));
    if (maildir)
        text = arena_fmt(a, "maildir delivery failed: %.*s",
                         STR(done->text));
    else if (box->is_file)
        text = arena_fmt(a, "cannot append message to file %.*s: %.*s",
                         STR(box->path), STR(done->text));
    else
        text = arena_fmt(a, "cannot update mailbox %.*s for user %.*s. "
                         "%.*s", STR(box->path), STR(box->user),
                         STR(done->text));
    return run_verdict(r, full || refused ? OUTCOME_BOUNCED
                                          : OUTCOME_DEFERRED,
                       full ? "5.2.2" : refused ? "5.2.0" : "4.2.0", text);
}

struct result_rcpt mailbox_deliver(struct task *t, struct run *r,
                                   const struct mailbox *box)
{
    const struct mailbox_rules *rules = box->rules;
    bool maildir = box->path.n && box->path.p[box->path.n - 1] == '/';
    struct hand_work w = {
        .kind = maildir ? HAND_MAILDIR : HAND_MBOX,
        .path = box->path,
        .host = rules->host,
        .sender = mailbox_sender(r, box->sender, S("MAILER-DAEMON")),
        .size_max = rules->size_max,
        .quota = box->quota,
        .lock_s = rules->lock_s,
        .dotlock = rules->dotlock,
        .fcntl_lock = rules->fcntl_lock,
        .own = box->own,
        .make_dirs = box->make_dirs,
    };
    struct marks marks = { .sender = box->sender, .original = box->original,
                           .delivered_to = &box->delivered_to };
    struct body body = {
        .run = r,
        .style.head = mailbox_head(t, r, box->delivered ? "ROD" : "RO",
                                   &marks),
    };
    struct hand_source source = body_source(&body);
    struct hand_done done;
    struct hand *h;
    err e;

    if (hand_take(t, r->deliver, &box->owner, &h))
        return run_no_hand(t, r);
    e = hand_do(t, h, &w, &source, &r->memory, &done);
    hand_give(h);
    return e ? run_no_hand(t, r) : verdict_of(r, box, maildir, &done);
}

static err write_nothing(struct task *t, void *self, struct hand_body *to)
{
    (void)t;
    (void)self;
    (void)to;
    return OK;
}

bool mailbox_room(struct task *t, struct run *r, const struct mailbox *box,
                  uint64_t size)
{
    struct hand_work w = { .kind = HAND_ROOM, .path = box->path,
                           .host = box->rules->host, .quota = box->quota,
                           .size_max = size };
    struct hand_source nothing = { .write = write_nothing };
    struct hand_done done;
    struct hand *h;
    err e;

    if (!str_ends(box->path, S("/")) || box->quota == QUOTA_NONE
        || hand_take(t, r->deliver, &box->owner, &h))
        return true;
    e = hand_do(t, h, &w, &nothing, &r->memory, &done);
    hand_give(h);
    return e || done.end != HAND_FULL;
}
