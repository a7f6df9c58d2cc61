/* SPDX-License-Identifier: ISC
 *
 * Reports about mail: failures, delays, successes (RFC 3461, RFC 3464;
 * bounce(8)).  A report is a new message of ours; it is appended without a
 * wait between it and the state that its caller appends next, so that both
 * stand in one batch (I3).
 */
#include "role/qmgr/queue.h"

#include "mail/header.h"
#include "role/events.h"
#include "role/zone.h"

enum { REPORT_MAX = 900 * 1024, ORIGINAL_MAX = 512 * 1024,
       REPORT_SLACK = 64 * 1024 };

static bool notify_wants(const struct recipient *r, enum dsn_kind kind)
{
    int bit = kind == DSN_FAILURE ? NOTIFY_FAILURE
            : kind == DSN_DELAY ? NOTIFY_DELAY : NOTIFY_SUCCESS;

    if (r->notify == 0)
        return kind != DSN_SUCCESS;
    return (r->notify & bit) != 0;
}

/* owner: the report for a list's owner, who always hears of failures; empty:
 * the sender's. */
static bool concerns(const struct rcpt_state *s, const struct recipient *r,
                     enum dsn_kind kind, str owner)
{
    if (kind == DSN_FAILURE && !str_eq(s->report_to, owner))
        return false;
    if (str_empty(owner) && !notify_wants(r, kind))
        return false;
    switch (kind) {
    case DSN_FAILURE:
        return s->status == RCPT_FAILED;
    case DSN_DELAY:
        return s->status == RCPT_DEFERRED;
    default:
        return s->status == RCPT_DONE && s->success_wanted;
    }
}

static bool has_class(const struct queue *q, str class)
{
    struct conf_items list = conf_items(q->conf, P_notify_classes);

    for (size_t i = 0; i < list.n; i++)
        if (str_ieq(list.p[i], class))
            return true;
    return false;
}

/* Whose failure nobody is told of any more, so that nothing goes in circles:
 * our own notices to a postmaster. */
static str notice_sender(const struct queue *q, struct arena *a)
{
    return arena_fmt(a, "%.*s@%.*s",
                     STR(conf_str(q->conf, P_double_bounce_sender)),
                     STR(conf_str(q->conf, P_myorigin)));
}

/* One who hears of it. */
struct audience {
    str to;                 /* empty: nobody */
    bool postmaster;        /* a copy: without text, header only */
};

enum { AUDIENCE_MAX = 2 };

/* The sender, and the postmaster as notify_classes says; a bounce of a bounce
 * goes to the latter only, and a bounce of that to nobody. */
static void choose(const struct queue *q, const struct message *m,
                   enum dsn_kind kind, struct arena *a,
                   struct audience out[AUDIENCE_MAX])
{
    bool null = address_is_null(&m->envelope.sender);
    str to = address_external(&m->envelope.sender, a);

    if (str_ieq(to, notice_sender(q, a)))
        return;
    if (!null)
        out[0] = (struct audience){ to, false };
    if (kind == DSN_FAILURE && null
        && (has_class(q, S("bounce")) || has_class(q, S("2bounce"))))
        to = conf_str(q->conf, P_2bounce_notice_recipient);
    else if (kind == DSN_FAILURE && !null && has_class(q, S("bounce")))
        to = conf_str(q->conf, P_bounce_notice_recipient);
    else if (kind == DSN_DELAY && has_class(q, S("delay")))
        to = conf_str(q->conf, P_delay_notice_recipient);
    else
        return;
    out[1] = (struct audience){ to, true };
}

static size_t collect(const struct message *m, enum dsn_kind kind, str owner,
                      struct dsn_recipient *to, uint32_t *index)
{
    size_t n = 0;

    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        const struct rcpt_state *s = &m->rcpts[i];
        const struct recipient *r = &m->envelope.recipients.p[i];
        if (!concerns(s, r, kind, owner))
            continue;
        index[n] = (uint32_t)i;
        to[n++] = (struct dsn_recipient){
            .recipient = r,
            .action = kind == DSN_FAILURE ? DSN_FAILED
                    : kind == DSN_DELAY ? DSN_DELAYED : s->action,
            .status = str_from(s->dsn),
            .reason = s->reason,
            .remote_mta = s->remote_mta,
            .diagnostic = s->diagnostic,
            .diagnostic_type = str_empty(s->diagnostic) ? S("") : S("smtp"),
        };
    }
    return n;
}

/* How much of the piece is header: up to the empty line, which may begin in
 * one piece and end in another.  *seen counts the bytes of "CR LF CR LF" that
 * have come; a message begins at a line's start. */
static size_t header_part(str piece, size_t *seen)
{
    static const char end[] = "\r\n\r\n";

    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] == end[*seen])
            ++*seen;
        else
            *seen = piece.p[i] == '\r';
        if (*seen == sizeof(end) - 1)
            return i + 1;
    }
    return piece.n;
}

/* The message itself, or its header, up to a bound; as much as can be read,
 * for who sent it is to hear of its failure all the same. */
static void put_original(struct task *t, struct queue *q,
                        const struct message *m, bool whole, size_t most,
                        struct buf *to)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    size_t seen = 2;
    err e = OK;
    bool end = false;

    for (uint32_t i = 0; i < m->entry->n_extents && !e && !end; i++) {
        const struct extent *x = &m->entry->extents[i];
        str bytes;
        e = spool_read(t, spool_segment_file(q->spool, x->segment), x,
                       m->entry->id, memory, &bytes);
        if (e)
            break;
        if (!whole)
            bytes = str_head(bytes, header_part(bytes, &seen));
        end = seen == 4 || to->n + bytes.n > most;
        buf_add(to, str_head(bytes, most > to->n ? most - to->n : 0));
    }
    if (seen == 4 && !whole && str_ends(buf_str(to), S("\r\n\r\n")))
        to->n -= 2; /* the empty line is no part of the header */
    if (e)
        say(t, role_warn, task_why(t));
    heap_free(memory);
}

/* "postmaster" is "postmaster@$myorigin". */
static str complete(const struct queue *q, str address, struct arena *a)
{
    return str_rchr(address, '@') != STR_NONE ? address
         : arena_fmt(a, "%.*s@%.*s", STR(address),
                     STR(conf_str(q->conf, P_myorigin)));
}

static void envelope_of_report(struct task *t, struct queue *q,
                               const struct message *m,
                               const struct audience *who, struct arena *a,
                               struct envelope *out)
{
    struct recipient r = { .notify = 0 };
    struct address sender = ADDRESS_NULL;

    if (address_parse(complete(q, who->to, a), a, 0, &r.address))
        r.address = m->envelope.sender;
    if (who->postmaster
        && address_parse(notice_sender(q, a), a, 0, &sender))
        sender = (struct address)ADDRESS_NULL;
    r.original = r.address.text;
    *out = (struct envelope){
        .arrival_us = rt_wall(t),
        .flags = ENVELOPE_INTERNAL | ENVELOPE_NO_REWRITE
                 | (m->envelope.flags & (ENVELOPE_8BIT | ENVELOPE_SMTPUTF8)),
        .sender = sender,
        .envid = m->envelope.envid,
    };
    vec_push(a, &out->recipients, r);
}

/* Appends the report as a message; the wait for room comes first. */
static err append(struct task *t, struct queue *q, const struct message *m,
                  uint64_t number, str body, struct envelope *env)
{
    struct spool_draft *d = spool_begin(q->spool, number);
    struct spool_entry *entry;
    struct buf b;
    err e;

    env->size = body.n;
    buf_init(&b, NULL, REPORT_SLACK);
    pack_u32(&b, 0);
    envelope_pack(env, &b);
    pack_u32_at(&b, 0, (uint32_t)(b.n - 4));
    e = spool_together(t, q->spool, body.n + b.n + REPORT_SLACK);
    for (str rest = body; rest.n > 0 && !e;
         rest = str_skip(rest, SPOOL_CHUNK_MAX))
        e = spool_chunk(t, q->spool, d, str_head(rest, SPOOL_CHUNK_MAX));
    if (e)
        spool_abort(q->spool, d);
    else
        e = spool_seal_later(t, q->spool, d, buf_str(&b), &entry);
    buf_free(&b);
    TRY(e);
    message_add_later(t, q, entry, env);
    if (!spool_is_cold(m->entry))
        return OK;
    /* no batch holds both the report and what is in the other log: then the
     * report comes first, twice rather than not at all */
    e = spool_flush(t, q->spool);
    return e == ERR_LIMIT ? OK : e;
}

static void say_made(struct task *t, const struct message *m,
                     const struct dsn_report *r)
{
    str id = queue_id_str(&m->id);

    if (r->to_postmaster)
        say(t, qmgr_postmaster_notice, STR(id),
            r->kind == DSN_FAILURE ? "non-delivery" : "delay",
            STR(r->report_id));
    else if (r->kind == DSN_FAILURE)
        say(t, qmgr_bounce, STR(id), STR(r->report_id));
    else if (r->kind == DSN_DELAY)
        say(t, qmgr_delay_notice, STR(id), STR(r->report_id));
    else
        say(t, qmgr_success_notice, STR(id), STR(r->report_id));
}

/* Writes the report into text. */
static err compose(struct task *t, struct queue *q, struct message *m,
                   struct dsn_report *r, struct arena *a, struct buf *text)
{
    size_t said = (size_t)conf_int(q->conf, P_bounce_size_limit);
    size_t limit = said < ORIGINAL_MAX ? said : ORIGINAL_MAX;
    enum dsn_ret ret = m->envelope.ret;
    bool whole = dsn_wants_body(r) && m->envelope.size <= limit;

    if (!whole)
        m->envelope.ret = RET_HDRS;
    dsn_head(r, a, text);
    m->envelope.ret = ret;
    header_fmt(text, S("Return-Path"), "<%.*s>",
               STR(address_external(&m->envelope.sender, a)));
    if (text->over)
        return ERR_LIMIT;
    put_original(t, q, m, whole, text->n + limit, text);
    dsn_tail(r, text);
    return text->over ? ERR_LIMIT : OK;
}

/* The same, naming as many recipients as a report has room for. */
static err compose_fitting(struct task *t, struct queue *q,
                           struct message *m, struct dsn_report *r,
                           struct arena *a, struct buf *text)
{
    err e = compose(t, q, m, r, a, text);

    while (e == ERR_LIMIT && r->n_recipients > 1) {
        buf_clear(text);
        text->over = false;
        r->n_recipients /= 2;
        e = compose(t, q, m, r, a, text);
    }
    return e == ERR_LIMIT ? why(t, e, "the report is too large") : e;
}

static err make(struct task *t, struct queue *q, struct message *m,
                struct dsn_report *r, const struct audience *who)
{
    int64_t now = rt_wall(t);
    uint64_t number = q->next_number++;
    struct queue_id id =
        queue_id_make(number, now,
                      conf_bool(q->conf, P_enable_long_queue_ids));
    struct envelope env;
    struct arena a;
    struct buf text;
    err e;

    arena_init(&a, 0);
    r->to = complete(q, who->to, &a);
    r->to_postmaster = who->postmaster;
    r->report_id = queue_id_str(&id);
    r->now_us = now;
    r->zone_s = world_zone_s(t, now);
    r->zone_name = role_zone_name(t, &a);
    buf_init(&text, NULL, REPORT_MAX);
    e = compose_fitting(t, q, m, r, &a, &text);
    if (!e) {
        struct edition *ed = edition_hold(q->edition); /* env's words */
        envelope_of_report(t, q, m, who, &a, &env);
        e = append(t, q, m, number, buf_str(&text), &env);
        edition_leave(ed);
    }
    if (!e)
        say_made(t, m, r);
    buf_free(&text);
    arena_reset(&a);
    return e;
}

/* The three services of bounce(8) have one name in the log. */
static const char *bounce_name(const struct queue *q, struct arena *a)
{
    return arena_fmt(a, "%.*s/bounce",
                     STR(conf_str(q->conf, P_syslog_name))).p;
}

/* Reports to everybody who hears of it, about as many of r's recipients as
 * the first has room for; then that is r->n_recipients. */
static err make_round(struct task *t, struct queue *q, struct message *m,
                      struct dsn_report *r,
                      const struct audience who[AUDIENCE_MAX])
{
    bool first = true;

    for (size_t i = 0; i < AUDIENCE_MAX; i++) {
        struct dsn_report part = *r;
        if (str_empty(who[i].to))
            continue;
        for (size_t at = 0; at < r->n_recipients; at += part.n_recipients) {
            part.recipients = r->recipients + at;
            part.n_recipients = r->n_recipients - at;
            TRY(make(t, q, m, &part, &who[i]));
            if (first)
                r->n_recipients = part.n_recipients;
            first = false;
        }
    }
    return OK;
}

/* Those who have been reported are done.  If reports about others follow,
 * which need batches of their own, it is noted in the same batch (I3). */
static err round_done(struct task *t, struct queue *q, struct message *m,
                      const uint32_t *index, const struct dsn_report *r,
                      bool is_last)
{
    if (r->kind == DSN_DELAY)
        return OK;
    for (size_t i = 0; i < r->n_recipients; i++) {
        m->rcpts[index[i]].status = RCPT_DONE;
        m->rcpts[index[i]].success_wanted = false;
    }
    return is_last ? OK
         : message_note_done(t, q, m, index, (uint32_t)r->n_recipients);
}

/* As many rounds as it takes to name all of the n recipients. */
static err make_all(struct task *t, struct queue *q, struct message *m,
                    struct dsn_report *r, const uint32_t *index, str owner)
{
    const struct dsn_recipient *list = r->recipients;
    size_t n = r->n_recipients;
    struct audience who[AUDIENCE_MAX] = { 0 };
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    if (str_empty(owner))
        choose(q, m, r->kind, &a, who);
    else
        who[0].to = owner;
    if (str_empty(who[0].to) && str_empty(who[1].to)) {
        if (r->kind == DSN_FAILURE && !address_is_null(&m->envelope.sender))
            say(t, qmgr_undeliverable_bounce, STR(queue_id_str(&m->id)));
        n = 0;
    }
    for (size_t at = 0; at < n && !e; at += r->n_recipients) {
        r->recipients = list + at;
        r->n_recipients = n - at;
        e = make_round(t, q, m, r, who);
        if (!e)
            e = round_done(t, q, m, index + at, r,
                           at + r->n_recipients == n);
    }
    arena_reset(&a);
    return e;
}

static err report(struct task *t, struct queue *q, struct message *m,
                  enum dsn_kind kind, str owner)
{
    const char *before = log_name_get(t);
    struct edition *ed = edition_hold(q->edition); /* r's words */
    struct dsn_report r = {
        .kind = kind,
        .templates = queue_sight(ed)->templates,
        .facts = {
            .myhostname = conf_str(q->conf, P_myhostname),
            .mydomain = conf_str(q->conf, P_mydomain),
            .delay_warning_s = conf_seconds(q->conf, P_delay_warning_time),
            .queue_lifetime_s = conf_seconds(q->conf,
                                             P_maximal_queue_lifetime),
        },
        .origin = conf_str(q->conf, P_myorigin),
        .queue_id = queue_id_str(&m->id),
        .envelope = &m->envelope,
    };
    struct dsn_recipient *list;
    uint32_t *index;
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    list = arena_array(&a, struct dsn_recipient, m->envelope.recipients.n);
    index = arena_array(&a, uint32_t, m->envelope.recipients.n);
    r.n_recipients = collect(m, kind, owner, list, index);
    r.recipients = list;
    if (r.n_recipients > 0) {
        if (kind == DSN_DELAY)
            r.retry_until_us = m->envelope.arrival_us
                               + conf_seconds(q->conf,
                                              P_maximal_queue_lifetime)
                                     * 1000000;
        log_name_set(t, bounce_name(q, &a));
        e = make_all(t, q, m, &r, index, owner);
        log_name_set(t, before);
    }
    arena_reset(&a);
    edition_leave(ed);
    return e;
}

err reports_make(struct task *t, struct queue *q, struct message *m)
{
    TRY(report(t, q, m, DSN_SUCCESS, S("")));
    TRY(report(t, q, m, DSN_FAILURE, S("")));
    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        str owner = m->rcpts[i].report_to;
        bool told = str_empty(owner) || m->rcpts[i].status != RCPT_FAILED;
        for (size_t k = 0; k < i && !told; k++)
            told = m->rcpts[k].status == RCPT_FAILED
                   && str_eq(m->rcpts[k].report_to, owner);
        if (!told)
            TRY(report(t, q, m, DSN_FAILURE, owner));
    }
    return OK;
}

err delay_report_make(struct task *t, struct queue *q, struct message *m)
{
    int64_t warn = conf_seconds(q->conf, P_delay_warning_time);

    if (warn <= 0 || m->delay_noticed
        || (m->envelope.flags & ENVELOPE_NO_DELAY_NOTICE)
        || rt_wall(t) - m->envelope.arrival_us < warn * 1000000)
        return OK;
    m->delay_noticed = true;
    TRY(report(t, q, m, DSN_DELAY, S("")));
    return message_note(t, q, m);
}
