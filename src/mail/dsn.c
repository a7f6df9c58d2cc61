/* SPDX-License-Identifier: ISC
 *
 * Writing reports.
 */
#include "mail/dsn.h"

#include "mail/date.h"
#include "mail/header.h"

enum { TEXT_COLUMNS = 78, FIELD_MAX = 16 * 1024, REASON_MAX = 4000 };

static const str actions[] = {
    [DSN_FAILED] = S_INIT("failed"),
    [DSN_DELAYED] = S_INIT("delayed"),
    [DSN_DELIVERED] = S_INIT("delivered"),
    [DSN_RELAYED] = S_INIT("relayed"),
    [DSN_EXPANDED] = S_INIT("expanded"),
    [DSN_DELIVERABLE] = S_INIT("deliverable"),
    [DSN_UNDELIVERABLE] = S_INIT("undeliverable"),
};

str dsn_action_name(enum dsn_action action)
{
    must(action < sizeof(actions) / sizeof(*actions));
    return actions[action];
}

static bool is_utf8(const struct dsn_report *r)
{
    return r->envelope->flags & ENVELOPE_SMTPUTF8;
}

bool dsn_wants_body(const struct dsn_report *r)
{
    if (r->to_postmaster || r->kind != DSN_FAILURE)
        return false;
    return r->envelope->ret != RET_HDRS;
}

static void put_boundary(const struct dsn_report *r, struct buf *to)
{
    buf_fmt(to, "%.*s.%" PRId64 "/%.*s", STR(r->queue_id),
            r->now_us / 1000000, STR(r->facts.myhostname));
}

/* A line of ours. */
static void put_line(struct buf *to, str s)
{
    buf_add(to, s);
    buf_add(to, S("\r\n"));
}

static void put_part(const struct dsn_report *r, str description, str type,
                     struct buf *to)
{
    buf_add(to, S("\r\n--"));
    put_boundary(r, to);
    buf_add(to, S("\r\n"));
    header_put(to, S("Content-Description"), description);
    header_put(to, S("Content-Type"), type);
    if (is_utf8(r) || (r->envelope->flags & ENVELOPE_8BIT))
        header_put(to, S("Content-Transfer-Encoding"), S("8bit"));
    buf_add(to, S("\r\n"));
}

/* "address (name)" is "name <address>" (header_from_format = standard). */
static void put_named(str address, str name, struct buf *to)
{
    if (str_any(name, S("()\"\\<>@,;:.[]")) == STR_NONE)
        header_fmt(to, S("From"), "%.*s <%.*s>", STR(name), STR(address));
    else
        header_fmt(to, S("From"), "%.*s (%.*s)", STR(address), STR(name));
}

/* The template's From: with addresses completed by the origin. */
static void put_from(const struct dsn_report *r, str from, struct arena *a,
                     struct buf *to)
{
    struct address_list l = address_list_of(from);
    struct address_item item;
    struct buf b;
    size_t at = 0;
    str rest;

    buf_init(&b, a, FIELD_MAX);
    while (address_list_next(&l, a, &item)) {
        if (item.kind != ITEM_MAILBOX || item.bad ||
            address_is_null(&item.address) || item.address.domain.n)
            continue;
        buf_add(&b, (str){ from.p + at, item.to - at });
        buf_fmt(&b, "@%.*s", STR(r->origin));
        at = item.to;
    }
    rest = str_trim(str_skip(from, at));
    if (at > 0 && str_starts(rest, S("(")) && str_ends(rest, S(")"))) {
        put_named(buf_str(&b), str_head(str_skip(rest, 1), rest.n - 2), to);
        return;
    }
    buf_add(&b, str_skip(from, at));
    header_put(to, S("From"), buf_str(&b));
}

static void put_header(const struct dsn_report *r, struct arena *a,
                       struct buf *to)
{
    const struct dsn_template *tm = &r->templates->of[r->kind];
    str date = date_rfc5322(a, r->now_us, r->zone_s, r->zone_name);
    struct date d = date_of(r->now_us, 0);
    struct buf boundary;

    buf_fmt(to, "Received: by %.*s (Postfix)\r\n\tid %.*s; %.*s\r\n",
            STR(r->facts.myhostname), STR(r->report_id), STR(date));
    header_put(to, S("Date"), date);
    put_from(r, tm->from, a, to);
    header_put(to, S("Subject"),
               r->to_postmaster && tm->postmaster_subject.n
                   ? tm->postmaster_subject : tm->subject);
    header_put(to, S("To"), r->to);
    header_put(to, S("Auto-Submitted"), S("auto-replied"));
    header_put(to, S("MIME-Version"), S("1.0"));
    buf_init(&boundary, a, 1024);
    put_boundary(r, &boundary);
    header_fmt(to, S("Content-Type"),
               "multipart/report; report-type=%s; boundary=\"%.*s\"",
               is_utf8(r) ? "global-delivery-status" : "delivery-status",
               STR(buf_str(&boundary)));
    if (is_utf8(r) || (r->envelope->flags & ENVELOPE_8BIT))
        header_put(to, S("Content-Transfer-Encoding"), S("8bit"));
    header_fmt(to, S("Message-Id"), "<%04d%02d%02d%02d%02d%02d.%.*s@%.*s>",
               d.year, d.month, d.day, d.hour, d.minute, d.second,
               STR(r->report_id), STR(r->facts.myhostname));
    buf_add(to, S("\r\n"));
    put_line(to, S("This is a MIME-encapsulated message."));
}

/* Appends text with CR LF line ends. */
static void put_lines(str text, struct buf *to)
{
    str line;

    if (str_ends(text, S("\n")))
        text.n--;
    while (str_cut(&text, '\n', &line))
        put_line(to, line);
}

/* Appends text in lines of at most TEXT_COLUMNS, later ones indented. */
static void put_wrapped(str text, struct buf *to)
{
    size_t column = 0;
    str word;

    text = str_head(text, REASON_MAX);
    while (str_token(&text, str_of(" \t\r\n\0", 5), &word)) {
        if (column && column + 1 + word.n > TEXT_COLUMNS) {
            buf_add(to, S("\r\n    "));
            column = 4;
        } else if (column) {
            buf_byte(to, ' ');
            column++;
        }
        buf_add(to, word);
        column += word.n;
    }
    buf_add(to, S("\r\n"));
}

static void put_reason(const struct dsn_recipient *d, struct arena *a,
                       struct buf *to)
{
    const struct recipient *rc = d->recipient;
    str address = address_external(&rc->address, a);
    struct buf b;

    buf_init(&b, a, FIELD_MAX);
    buf_fmt(&b, "<%.*s>", STR(address));
    if (rc->original.n && !str_ieq(rc->original, rc->address.text))
        buf_fmt(&b, " (expanded from <%.*s>)",
                STR(address_shown(rc->original, a)));
    buf_add(&b, S(": "));
    buf_add(&b, str_head(d->reason, REASON_MAX));
    buf_add(to, S("\r\n"));
    put_wrapped(buf_str(&b), to);
}

static void put_notification(const struct dsn_report *r, struct arena *a,
                             struct buf *to)
{
    const struct dsn_template *tm = &r->templates->of[r->kind];
    struct buf text;
    str type = arena_fmt(a, "text/plain; charset=%.*s",
                         STR(is_utf8(r) ? S("utf-8") : tm->charset));

    put_part(r, S("Notification"), type, to);
    if (!r->to_postmaster) {
        buf_init(&text, a, 128 * 1024);
        dsn_template_text(tm->text, &r->facts, &text);
        put_lines(buf_str(&text), to);
    }
    for (size_t i = 0; i < r->n_recipients; i++)
        put_reason(&r->recipients[i], a, to);
}

static const char *address_type(str address)
{
    return str_is_ascii(address) ? "rfc822" : "utf-8";
}

static void put_recipient(const struct dsn_report *r,
                          const struct dsn_recipient *d, struct arena *a,
                          struct buf *to)
{
    str final = address_external(&d->recipient->address, a);
    str diagnostic = d->diagnostic.n ? d->diagnostic : d->reason;
    str orcpt = d->recipient->orcpt;
    size_t semi = str_chr(orcpt, ';');

    buf_add(to, S("\r\n"));
    header_fmt(to, S("Final-Recipient"), "%s; %.*s", address_type(final),
               STR(final));
    if (semi != STR_NONE)
        header_fmt(to, S("Original-Recipient"), "%.*s;%.*s",
                   STR(str_head(orcpt, semi)), STR(str_skip(orcpt, semi + 1)));
    else if (d->recipient->original.n)
        header_fmt(to, S("Original-Recipient"), "%s; %.*s",
                   address_type(d->recipient->original),
                   STR(address_shown(d->recipient->original, a)));
    header_put(to, S("Action"), dsn_action_name(d->action));
    header_put(to, S("Status"), d->status);
    if (d->remote_mta.n)
        header_fmt(to, S("Remote-MTA"), "dns; %.*s", STR(d->remote_mta));
    header_fmt(to, S("Diagnostic-Code"), "%.*s; %.*s",
               STR(d->diagnostic_type.n ? d->diagnostic_type
                                        : S("X-Postfix")),
               STR(str_head(diagnostic, REASON_MAX)));
    if (d->action == DSN_DELAYED && r->retry_until_us) {
        str until = date_rfc5322(a, r->retry_until_us, r->zone_s,
                                 r->zone_name);
        header_put(to, S("Will-Retry-Until"), until);
    }
}

static void put_status(const struct dsn_report *r, struct arena *a,
                       struct buf *to)
{
    const struct envelope *e = r->envelope;
    str sender = address_external(&e->sender, a);

    put_part(r, S("Delivery report"),
             is_utf8(r) ? S("message/global-delivery-status")
                        : S("message/delivery-status"), to);
    header_fmt(to, S("Reporting-MTA"), "dns; %.*s",
               STR(r->facts.myhostname));
    if (e->envid.n)
        header_put(to, S("Original-Envelope-Id"), e->envid);
    header_put(to, S("X-Postfix-Queue-ID"), r->queue_id);
    if (sender.n)
        header_fmt(to, S("X-Postfix-Sender"), "%s; %.*s",
                   address_type(sender), STR(sender));
    header_put(to, S("Arrival-Date"),
               date_rfc5322(a, e->arrival_us, r->zone_s, r->zone_name));
    for (size_t i = 0; i < r->n_recipients; i++)
        put_recipient(r, &r->recipients[i], a, to);
}

static str original_description(const struct dsn_report *r, struct arena *a)
{
    bool waits = r->kind == DSN_FAILURE || r->kind == DSN_DELAY;

    return arena_fmt(a, "%sMessage%s", waits ? "Undelivered " : "",
                     dsn_wants_body(r) ? "" : " Headers");
}

void dsn_head(const struct dsn_report *r, struct arena *scratch,
              struct buf *to)
{
    static const char *const types[2][2] = {
        { "text/rfc822-headers", "message/rfc822" },
        { "message/global-headers", "message/global" },
    };

    must(r->kind < N_DSN);
    put_header(r, scratch, to);
    put_notification(r, scratch, to);
    put_status(r, scratch, to);
    put_part(r, original_description(r, scratch),
             str_from(types[is_utf8(r)][dsn_wants_body(r)]), to);
}

void dsn_tail(const struct dsn_report *r, struct buf *to)
{
    buf_add(to, S("\r\n--"));
    put_boundary(r, to);
    buf_add(to, S("--\r\n"));
}
