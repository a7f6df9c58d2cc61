/* SPDX-License-Identifier: ISC
 *
 * A message on its way from the client to the queue: the header passes
 * through field by field (rewriting, what is missing, hops), the body as it
 * is.  At most one piece is held.
 */
#include "role/smtpd/smtpd.h"

#include "mail/date.h"
#include "role/events.h"
#include "role/zone.h"
#include "route/rewrite.h"

enum { PIECE = 32 * 1024, NUMBER_WAIT_S = 10 };

err content_id(struct task *t, struct visit *v)
{
    struct content *c = &v->c;

    if (c->ticket.number)
        return OK;
    TRY(queue_link_number(t, v->d->queue, after_s(t, NUMBER_WAIT_S),
                          &c->ticket));
    c->arrival_us = rt_wall(t);
    if (v->since_us > 0 && v->since_us < c->arrival_us)
        c->arrival_us = v->since_us;
    c->id = queue_id_make(c->ticket.number, c->arrival_us,
                          conf_bool(v->l->conf, P_enable_long_queue_ids));
    return OK;
}

/* Adds bytes to the piece; full ones leave. */
static err put(struct task *t, struct visit *v, str bytes)
{
    struct content *c = &v->c;

    c->size += bytes.n;
    while (bytes.n > 0) {
        str part = str_head(bytes, PIECE - c->out.n);
        buf_add(&c->out, part);
        bytes = str_skip(bytes, part.n);
        if (c->out.n < PIECE)
            break;
        TRY(parts_data(t, v, buf_str(&c->out)));
        buf_clear(&c->out);
    }
    return OK;
}

err content_begin(struct task *t, struct visit *v)
{
    struct content *c = &v->c;
    struct policy_facts f;
    struct buf received;
    err e = OK;

    TRY(content_id(t, v));
    arena_init(&c->memory, 8 * 1024 * 1024);
    buf_init(&c->out, NULL, PIECE);
    header_reader_init(&c->reader, &c->memory, v->l->header_max);
    c->reader.mbox_lines = true;
    c->started = true;
    TRY(parts_begin(t, v));
    visit_facts(v, &f);
    c->local = v->l->pickup && !v->gateway;
    if (!v->l->pickup)
        TRY(policy_local_headers(t, v->l->policy, &f, &c->local));
    for (size_t i = 0; i < v->prepend.n && !e; i++) {
        e = put(t, v, v->prepend.p[i]);
        if (!e)
            e = put(t, v, S("\r\n"));
    }
    buf_init(&received, &c->memory, 16 * 1024);
    received_put(t, v, &received);
    return e ? e : put(t, v, buf_str(&received));
}

static void note_field(struct visit *v, const struct header_field *f,
                       struct arena *one)
{
    struct content *c = &v->c;

    if (header_classes(f->id) & HEADER_IS_RESENT)
        c->resent = true;
    c->seen |= UINT64_C(1) << f->id;
    if (f->id == HEADER_RECEIVED)
        c->hops++;
    if (f->id == HEADER_FROM)
        c->n_from++;
    if (f->id == HEADER_MESSAGE_ID && str_empty(c->message_id))
        c->message_id = arena_str(
            &c->memory,
            str_head(str_trim(header_unfold(f->value, one)), 1000));
}

static bool has(const struct content *c, enum header_id id)
{
    _Static_assert(N_HEADERS <= 64, "one bit for each");
    return c->seen >> id & 1;
}

/* Whether message_drop_headers names it: what is for nobody's eyes. */
static bool dropped(const struct visit *v, str name)
{
    for (size_t i = 0; i < v->l->drop_headers.n; i++)
        if (str_ieq(v->l->drop_headers.p[i], name))
            return true;
    return false;
}

/* A field, without the blanks that some put before the colon. */
static err put_field(struct task *t, struct visit *v, str name, str raw)
{
    size_t colon = str_chr(raw, ':');

    if (colon == STR_NONE || colon <= name.n)
        return put(t, v, raw);
    TRY(put(t, v, name));
    return put(t, v, str_skip(raw, colon));
}

static err put_rewritten(struct task *t, struct visit *v,
                         struct header_field *f, struct arena *one)
{
    struct header_rewriting how = {
        .context = v->c.local ? REWRITE_LOCAL : REWRITE_REMOTE,
        .mappings = v->c.local,
    };
    bool changed = false;
    str raw = f->raw;

    v->c.utf8_header |= !str_is_ascii(raw);
    if (dropped(v, f->name))
        return OK;
    if ((v->c.local || !str_empty(v->l->route->remote_domain))
        && header_classes(f->id) & (HEADER_HAS_SENDER | HEADER_HAS_RECIPIENT))
        TRY(rewrite_header(t, v->l->route, &how, f, one, &raw, &changed));
    return put_field(t, v, f->name, raw);
}

static err on_field(struct task *t, struct visit *v, struct header_field *f)
{
    struct arena one;           /* a field's memory ends with it */
    err e;

    arena_init(&one, 0);
    note_field(v, f, &one);
    e = put_rewritten(t, v, f, &one);
    arena_reset(&one);
    task_breathe(t);
    if (!e && arena_over(&v->c.memory))
        e = why(t, ERR_LIMIT, "message header needs too much memory");
    return e;
}

static void put_message_id(struct task *t, struct visit *v, struct buf *b)
{
    struct content *c = &v->c;
    struct date d = date_of(c->arrival_us, 0);
    str made = arena_fmt(&c->memory, "<%04d%02d%02d%02d%02d%02d.%.*s@%.*s>",
                         d.year, d.month, d.day, d.hour, d.minute, d.second,
                         STR(queue_id_str(&c->id)), STR(v->s.o.hostname));

    header_put(b, c->resent ? S("Resent-Message-Id") : S("Message-Id"), made);
    if (!c->resent) {
        c->message_id = made;
        return;
    }
    log_name_set(t, v->l->cleanup_name);
    say(t, cleanup_resent_id, STR(queue_id_str(&c->id)), STR(made));
    log_name_set(t, v->l->log_name);
}

static void put_from(struct visit *v, struct buf *b)
{
    struct content *c = &v->c;
    struct address from = rewrite_standard(v->l->route, REWRITE_LOCAL,
                                           &v->mail.sender, &c->memory);
    str text = address_is_null(&from)
                   ? arena_fmt(&c->memory, "MAILER-DAEMON@%.*s",
                               STR(v->l->route->myorigin))
                   : address_external(&from, &c->memory);

    header_put(b, c->resent ? S("Resent-From") : S("From"), text);
}

/* Fields that a message must have and local ones often lack (cleanup(8)); of
 * mail that is sent on, those that say by whom and when. */
static err put_missing(struct task *t, struct visit *v)
{
    struct content *c = &v->c;
    int64_t now = c->arrival_us;
    struct buf b;

    if (!(c->local || v->l->add_missing))
        return OK;
    buf_init(&b, &c->memory, 8 * 1024);
    if (!has(c, c->resent ? HEADER_RESENT_MESSAGE_ID : HEADER_MESSAGE_ID))
        put_message_id(t, v, &b);
    if (!has(c, c->resent ? HEADER_RESENT_DATE : HEADER_DATE))
        header_put(&b, c->resent ? S("Resent-Date") : S("Date"),
                   date_rfc5322(&c->memory, now, world_zone_s(t, now),
                                role_zone_name(t, &c->memory)));
    if (!has(c, c->resent ? HEADER_RESENT_FROM : HEADER_FROM))
        put_from(v, &b);
    if (!has(c, HEADER_TO) && !has(c, HEADER_CC) && !has(c, HEADER_BCC)
        && !has(c, HEADER_RESENT_TO) && !has(c, HEADER_RESENT_CC)
        && !has(c, HEADER_RESENT_BCC)) {
        str text = conf_str(v->l->conf, P_undisclosed_recipients_header);
        if (!str_empty(text)) {
            buf_add(&b, text);
            buf_add(&b, S("\r\n"));
        }
    }
    return put(t, v, buf_str(&b));
}

static err header_done(struct task *t, struct visit *v, str raw,
                       bool is_body)
{
    v->c.in_body = true;
    TRY(put_missing(t, v));
    if (is_body)
        TRY(put(t, v, S("\r\n"))); /* the empty line was missing */
    return put(t, v, raw);
}

err content_bytes(struct task *t, struct visit *v, str bytes)
{
    struct content *c = &v->c;
    struct header_field f;

    if (!c->eightbit && !str_is_ascii(bytes))
        c->eightbit = true;
    while (!c->in_body && bytes.n > 0) {
        switch (header_read(&c->reader, &bytes, &f)) {
        case HEADER_FIELD:
            TRY(on_field(t, v, &f));
            break;
        case HEADER_END:
            TRY(header_done(t, v, f.raw, false));
            break;
        case HEADER_BODY:
            TRY(header_done(t, v, f.raw, true));
            break;
        case HEADER_MORE:
            return OK;
        }
    }
    return put(t, v, bytes);
}

static err header_rest(struct task *t, struct visit *v)
{
    struct header_field f;

    while (!v->c.in_body) {
        switch (header_finish(&v->c.reader, &f)) {
        case HEADER_FIELD:
            TRY(on_field(t, v, &f));
            break;
        case HEADER_BODY:
            TRY(header_done(t, v, f.raw, true));
            break;
        default:
            TRY(header_done(t, v, S(""), false));
            break;
        }
    }
    return OK;
}

static void envelope_fill(struct visit *v, struct envelope *env)
{
    const struct content *c = &v->c;

    *env = (struct envelope){
        .arrival_us = c->arrival_us,
        .ret = v->mail.params.ret,
        .envid = v->mail.params.envid,
        .size = c->size,
        .hops = c->hops,
        .filter = v->filter,
        .message_id = c->message_id,
        .client = {
            .name = v->name,
            .reverse_name = v->reverse,
            .address = v->address,
            .port = v->peer.port,
            .helo = v->s.helo,
            .protocol = v->s.esmtp ? S("ESMTP") : S("SMTP"),
            .sasl_method = v->sasl_method,
            .sasl_user = v->sasl_user,
        },
    };
    env->flags = (v->l->pickup ? ENVELOPE_LOCAL : 0)
                 | (v->mail.params.smtputf8 ? ENVELOPE_SMTPUTF8 : 0)
                 | (c->utf8_header ? ENVELOPE_SMTPUTF8_NEEDED : 0)
                 | (c->eightbit || v->mail.params.body == BODY_8BITMIME
                        ? ENVELOPE_8BIT : 0)
                 | (v->hold ? ENVELOPE_HOLD : 0)
                 | (v->s.authenticated ? ENVELOPE_AUTHENTICATED : 0);
}

/* Sender and recipients as they will be delivered. */
static err expand(struct task *t, struct visit *v, struct envelope *env,
                  struct reply *fault)
{
    struct expansion x;
    int flags = v->bounce.n > 0 ? EXPAND_NO_MAPPINGS : 0;

    expand_begin(&x, v->l->route, &v->c.memory, flags, env);
    TRY(expand_sender(t, &x, &v->mail.sender, fault));
    for (size_t i = 0; i < v->rcpts.n && fault->code == 0; i++)
        TRY(expand_recipient(t, &x, &v->rcpts.p[i], fault));
    if (!str_empty(v->bcc) && fault->code == 0) {
        struct recipient r = { .notify = NOTIFY_NEVER };
        if (!address_parse(v->bcc, &v->c.memory, 0, &r.address))
            TRY(expand_recipient(t, &x, &r, fault));
    }
    return fault->code ? OK : expand_end(t, &x, fault);
}

/* REDIRECT of access(5): one address instead of all recipients, and no
 * filter. */
static void redirect(struct visit *v, struct envelope *env)
{
    struct recipient r = { 0 };

    if (str_empty(v->redirect)
        || address_parse(v->redirect, &v->c.memory, 0, &r.address))
        return;
    r.original = r.address.text;
    env->recipients.n = 0;
    vec_push(&v->c.memory, &env->recipients, r);
    env->filter = S("");
}

static struct reply queued(struct visit *v)
{
    if (v->s.bdat == SMTP_BDAT_NONE)
        return reply_fmt(&v->s.scratch, 250, "2.0.0", "Ok: queued as %s",
                         v->c.id.text);
    return reply_fmt(&v->s.scratch, 250, "2.0.0",
                     "Ok: %" PRIu64 " bytes queued as %s", v->s.n_bytes,
                     v->c.id.text);
}

static struct reply hand_over(struct task *t, struct visit *v,
                              const struct envelope *env)
{
    struct content *c = &v->c;
    struct reply r;

    if (c->out.n > 0 && parts_data(t, v, buf_str(&c->out)))
        return REPLY(451, "4.3.0", "Error: queue file write error");
    r = parts_end(t, v, env);
    return r.code ? r : queued(v);
}

/* Who shows which author, and who is checked or signed for, may differ when a
 * message has several: what a user who logged in sends has one. */
static bool has_many_authors(struct task *t, const struct visit *v)
{
    if (v->c.n_from < 2 || !v->s.authenticated || !v->l->single_from)
        return false;
    log_name_set(t, v->l->log_name);
    say(t, smtpd_many_authors, STR(queue_id_str(&v->c.id)), STR(v->s.peer),
        STR(v->mail.sender.text), v->s.esmtp ? "ESMTP" : "SMTP",
        STR(v->s.helo));
    return true;
}

static struct reply finish(struct task *t, struct visit *v)
{
    struct content *c = &v->c;
    struct envelope env;
    struct reply fault = { 0 };

    if (header_rest(t, v))
        return REPLY(451, "4.3.0", "Error: queue file write error");
    if (c->hops + 1 >= v->l->hops_max && v->bounce.n == 0) { /* + our own */
        say(t, cleanup_hops, STR(queue_id_str(&c->id)));
        return REPLY(554, "5.4.0", "Error: too many hops");
    }
    if (has_many_authors(t, v))
        return REPLY(550, "5.7.1", "Message has more than one From field");
    if (c->message_id.n || has(c, HEADER_MESSAGE_ID))
        say(t, cleanup_message_id, STR(queue_id_str(&c->id)),
            STR(c->message_id));
    envelope_fill(v, &env);
    if (expand(t, v, &env, &fault)) {
        say(t, role_warn, task_why(t));
        return REPLY(451, "4.3.0", "Error: queue file write error");
    }
    if (fault.code) {
        say(t, cleanup_unexpandable, STR(queue_id_str(&c->id)), task_why(t));
        return fault;
    }
    redirect(v, &env);
    if (v->discard || env.recipients.n == 0) {
        parts_drop(v);
        queue_link_abort(v->d->queue, c->ticket);
        c->ticket.number = 0;
        return queued(v);
    }
    return hand_over(t, v, &env);
}

struct reply content_end(struct task *t, struct visit *v)
{
    struct reply r;

    log_name_set(t, v->l->cleanup_name);
    r = finish(t, v);
    log_name_set(t, v->l->log_name);

    /* the text must outlive the content's memory */
    r.text = arena_str(&v->s.scratch, r.text);
    return r;
}

void content_drop(struct visit *v)
{
    struct content *c = &v->c;

    if (c->started && c->ticket.number)
        queue_link_abort(v->d->queue, c->ticket);
    if (c->started) {
        parts_drop(v);
        buf_free(&c->out);
        arena_reset(&c->memory);
    }
    *c = (struct content){ 0 };
}
