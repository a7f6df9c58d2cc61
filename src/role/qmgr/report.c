/* SPDX-License-Identifier: ISC
 *
 * Reports about mail: failures, delays, successes (RFC 3461, RFC 3464;
 * bounce(8)).  A report is a new message of ours; it is appended without a
 * wait between it and the state that its caller appends next, so that both
 * stand in one batch (I3).
 */
#include "role/qmgr/queue.h"

#include "role/events.h"

enum { REPORT_MAX = 512 * 1024, REPORT_SLACK = 64 * 1024 };

static bool notify_wants(const struct recipient *r, enum dsn_kind kind)
{
    int bit = kind == DSN_FAILURE ? NOTIFY_FAILURE
            : kind == DSN_DELAY ? NOTIFY_DELAY : NOTIFY_SUCCESS;

    if (r->notify == 0)
        return kind != DSN_SUCCESS;
    return (r->notify & bit) != 0;
}

static bool concerns(const struct rcpt_state *s, const struct recipient *r,
                     enum dsn_kind kind)
{
    if (!notify_wants(r, kind))
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

/* Who hears of it: the sender; for mail without one the postmaster, if
 * notify_classes says so. */
static str report_to(const struct queue *q, const struct message *m,
                     enum dsn_kind kind, struct arena *a)
{
    struct conf_items classes = conf_items(q->conf, P_notify_classes);

    if (!address_is_null(&m->envelope.sender))
        return address_external(&m->envelope.sender, a);
    for (size_t i = 0; i < classes.n; i++)
        if (kind == DSN_FAILURE && str_eq(classes.p[i], S("2bounce")))
            return conf_str(q->conf, P_2bounce_notice_recipient);
    return S("");
}

static size_t collect(const struct message *m, enum dsn_kind kind,
                      struct dsn_recipient *to)
{
    static const enum dsn_action actions[] = {
        [DSN_FAILURE] = DSN_FAILED,
        [DSN_DELAY] = DSN_DELAYED,
        [DSN_SUCCESS] = DSN_RELAYED,
    };
    size_t n = 0;

    for (size_t i = 0; i < m->envelope.recipients.n; i++) {
        const struct rcpt_state *s = &m->rcpts[i];
        const struct recipient *r = &m->envelope.recipients.p[i];
        if (!concerns(s, r, kind))
            continue;
        to[n++] = (struct dsn_recipient){
            .recipient = r,
            .action = actions[kind],
            .status = str_from(s->dsn),
            .reason = s->reason,
            .remote_mta = s->remote_mta,
            .diagnostic = s->diagnostic,
            .diagnostic_type = str_empty(s->diagnostic) ? S("") : S("smtp"),
        };
    }
    return n;
}

/* The message itself, or its header, up to a bound. */
static err put_original(struct task *t, struct queue *q,
                        const struct message *m, bool whole, size_t most,
                        struct buf *to)
{
    char *memory = heap_alloc(SPOOL_CHUNK_MAX + SPOOL_RECORD_HEAD);
    err e = OK;
    bool end = false;

    for (uint32_t i = 0; i < m->entry->n_extents && !e && !end; i++) {
        const struct extent *x = &m->entry->extents[i];
        str bytes;
        size_t header;
        e = spool_read(t, spool_segment_file(q->spool, x->segment), x,
                       m->entry->id, memory, &bytes);
        if (e)
            break;
        header = whole ? STR_NONE : str_find(bytes, S("\r\n\r\n"));
        if (header != STR_NONE)
            bytes = str_head(bytes, header + 2);
        end = header != STR_NONE || to->n + bytes.n > most;
        buf_add(to, str_head(bytes, most > to->n ? most - to->n : 0));
    }
    heap_free(memory);
    return e;
}

static void envelope_of_report(struct task *t, struct queue *q,
                               const struct message *m, str to,
                               struct arena *a, struct envelope *out)
{
    struct recipient r = { .notify = NOTIFY_NEVER };

    (void)q;
    if (address_parse(to, a, 0, &r.address))
        r.address = m->envelope.sender;
    r.original = r.address.text;
    *out = (struct envelope){
        .arrival_us = rt_wall(t),
        .flags = ENVELOPE_INTERNAL | ENVELOPE_NO_REWRITE
                 | (m->envelope.flags & (ENVELOPE_8BIT | ENVELOPE_SMTPUTF8)),
        .sender = ADDRESS_NULL,
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
    message_add(t, q, entry, env);
    /* no batch holds both the report and what is in the other log: then the
     * report comes first, twice rather than not at all */
    return spool_is_cold(m->entry) ? spool_flush(t, q->spool) : OK;
}

static err make(struct task *t, struct queue *q, struct message *m,
                struct dsn_report *r, str to, struct arena *a)
{
    int64_t now = rt_wall(t);
    uint64_t number = q->next_number++;
    struct queue_id id =
        queue_id_make(number, now,
                      conf_bool(q->conf, P_enable_long_queue_ids));
    size_t limit = (size_t)conf_int(q->conf, P_bounce_size_limit);
    struct envelope env;
    struct buf text;
    bool whole;

    r->to = to;
    r->report_id = queue_id_str(&id);
    r->now_us = now;
    r->zone_s = world_zone_s(t, now);
    whole = dsn_wants_body(r) && m->envelope.size <= limit;
    if (!whole && r->envelope == &m->envelope)
        m->envelope.ret = RET_HDRS;
    buf_init(&text, NULL, REPORT_MAX);
    dsn_head(r, a, &text);
    TRY(put_original(t, q, m, whole, text.n + limit, &text));
    dsn_tail(r, &text);
    envelope_of_report(t, q, m, to, a, &env);
    err e = text.over ? why(t, ERR_LIMIT, "the report is too large")
                      : append(t, q, m, number, buf_str(&text), &env);
    buf_free(&text);
    if (e)
        return e;
    if (r->kind == DSN_FAILURE)
        say(t, qmgr_bounce, STR(queue_id_str(&m->id)),
            STR(queue_id_str(&id)));
    else if (r->kind == DSN_DELAY)
        say(t, qmgr_delay_notice, STR(queue_id_str(&m->id)),
            STR(queue_id_str(&id)));
    else
        say(t, qmgr_success_notice, STR(queue_id_str(&m->id)),
            STR(queue_id_str(&id)));
    return OK;
}

static err report(struct task *t, struct queue *q, struct message *m,
                  enum dsn_kind kind)
{
    const char *before = log_name_get(t);
    struct dsn_report r = {
        .kind = kind,
        .templates = &dsn_templates_default,
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
    struct arena a;
    err e = OK;
    str to;

    arena_init(&a, 0);
    list = arena_array(&a, struct dsn_recipient, m->envelope.recipients.n);
    r.n_recipients = collect(m, kind, list);
    r.recipients = list;
    if (r.n_recipients > 0) {
        if (kind == DSN_DELAY)
            r.retry_until_us = m->envelope.arrival_us
                               + conf_seconds(q->conf,
                                              P_maximal_queue_lifetime)
                                     * 1000000;
        log_name_set(t, "postfix/bounce");
        to = report_to(q, m, kind, &a);
        if (!str_empty(to))
            e = make(t, q, m, &r, to, &a);
        else if (kind == DSN_FAILURE)
            say(t, qmgr_undeliverable_bounce, STR(queue_id_str(&m->id)));
        log_name_set(t, before);
    }
    arena_reset(&a);
    return e;
}

err reports_make(struct task *t, struct queue *q, struct message *m)
{
    TRY(report(t, q, m, DSN_SUCCESS));
    return report(t, q, m, DSN_FAILURE);
}

err delay_report_make(struct task *t, struct queue *q, struct message *m)
{
    int64_t warn = conf_seconds(q->conf, P_delay_warning_time);

    if (warn <= 0 || m->delay_noticed
        || (m->envelope.flags & ENVELOPE_NO_DELAY_NOTICE)
        || rt_wall(t) - m->envelope.arrival_us < warn * 1000000)
        return OK;
    m->delay_noticed = true;
    TRY(report(t, q, m, DSN_DELAY));
    return message_note(t, q, m);
}
