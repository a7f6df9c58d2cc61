/* SPDX-License-Identifier: ISC
 *
 * Records: a type byte, the length of the data in groups of seven bits, the
 * data.  The first record tells the offset of the message, so the envelope's
 * records are gone through twice.
 */
#include "role/tool/queue_file.h"

#include "mail/date.h"

enum { TYPE_SIZE = 'C', TYPE_TIME = 'T', TYPE_ATTRIBUTE = 'A',
       TYPE_SENDER = 'S', TYPE_MESSAGE = 'M', TYPE_TEXT = 'N',
       TYPE_EXTRACTED = 'X', TYPE_END = 'E', TYPE_ORIGINAL = 'O',
       TYPE_RECIPIENT = 'R', TYPE_DONE = 'D' };

struct printer {
    const struct queue_file *f;
    struct buf *to;
    int show, zone_s;
    uint64_t from, at;
    bool mute;              /* measuring only */
    struct arena a;
};

static uint64_t record_size(size_t data)
{
    uint64_t n = 2;

    for (; data > 127; data >>= 7)
        n++;
    return n;
}

/* Moves over a record; whether it is to be shown, after its prefix. */
static bool record(struct printer *p, int section, char type, size_t data)
{
    uint64_t at = p->at;

    p->at += record_size(data) + data;
    if (p->mute || !(p->show & section) || at < p->from)
        return false;
    if (p->show & SHOW_OFFSETS)
        buf_fmt(p->to, "%9" PRIu64 " ", at);
    if (p->show & SHOW_TYPES)
        buf_fmt(p->to, "%3d ", type);
    return true;
}

static void put(struct printer *p, char type, const char *name, str value)
{
    if (record(p, SHOW_ENVELOPE, type, value.n))
        buf_fmt(p->to, "%s: %.*s\n", name, STR(value));
}

static void heading(struct printer *p, char type, const char *text)
{
    if (record(p, SHOW_ENVELOPE, type, 0))
        buf_fmt(p->to, "*** %s %.*s ***\n", text, STR(p->f->name));
}

static void attribute(struct printer *p, const char *name, str value)
{
    if (!str_empty(value))
        put(p, TYPE_ATTRIBUTE, "named_attribute",
            arena_fmt(&p->a, "%s=%.*s", name, STR(value)));
}

static void number(struct printer *p, const char *name, uint64_t n)
{
    if (n)
        attribute(p, name, arena_fmt(&p->a, "%" PRIu64, n));
}

static void put_times(struct printer *p)
{
    int64_t us = p->f->envelope->arrival_us;
    str date = date_asctime(&p->a, us, p->zone_s);
    str seconds = arena_fmt(&p->a, "%" PRId64 " %06" PRId64, us / 1000000,
                            us % 1000000);

    if (record(p, SHOW_ENVELOPE, TYPE_TIME, seconds.n))
        buf_fmt(p->to, "message_arrival_time: %.*s\n", STR(date));
    if (record(p, SHOW_ENVELOPE, TYPE_ATTRIBUTE,
               S("create_time=1234567890").n))
        buf_fmt(p->to, "create_time: %.*s\n", STR(date));
}

static void put_client(struct printer *p)
{
    const struct envelope_client *c = &p->f->envelope->client;
    bool ip6 = str_chr(c->address, ':') != STR_NONE;

    attribute(p, "log_client_name", c->name);
    attribute(p, "log_client_address", c->address);
    number(p, "log_client_port", c->port);
    attribute(p, "log_message_origin",
              arena_fmt(&p->a, "%.*s[%.*s]", STR(c->name), STR(c->address)));
    attribute(p, "log_helo_name", c->helo);
    attribute(p, "log_protocol_name", c->protocol);
    attribute(p, "client_name", c->name);
    attribute(p, "reverse_client_name", c->reverse_name);
    attribute(p, "client_address", c->address);
    number(p, "client_port", c->port);
    attribute(p, "helo_name", c->helo);
    attribute(p, "protocol_name", c->protocol);
    number(p, "client_address_type", ip6 ? 10 : 2);
    attribute(p, "sasl_method", c->sasl_method);
    attribute(p, "sasl_username", c->sasl_user);
    attribute(p, "sasl_sender", c->sasl_sender);
}

/* Postfix' numbers of the NOTIFY words. */
static uint64_t notify_flags(int notify)
{
    return (notify & NOTIFY_NEVER ? 1 : 0) | (notify & NOTIFY_SUCCESS ? 2 : 0)
           | (notify & NOTIFY_FAILURE ? 4 : 0)
           | (notify & NOTIFY_DELAY ? 8 : 0);
}

static void put_recipient(struct printer *p, size_t i)
{
    const struct recipient *r = &p->f->envelope->recipients.p[i];
    bool done = p->f->done && p->f->done[i];

    number(p, "notify_flags", notify_flags(r->notify));
    attribute(p, "dsn_orig_rcpt", r->orcpt);
    put(p, TYPE_ORIGINAL, "original_recipient", r->original);
    put(p, done ? TYPE_DONE : TYPE_RECIPIENT,
        done ? "done_recipient" : "recipient", r->address.text);
}

/* The envelope's records after the first. */
static void put_rest(struct printer *p)
{
    const struct envelope *e = p->f->envelope;
    bool local = (e->flags & ENVELOPE_LOCAL) != 0;

    put_times(p);
    attribute(p, "rewrite_context",
              str_empty(e->rewrite_domain) ? S("local") : S("remote"));
    attribute(p, "envelope_id", e->envid);
    number(p, "ret_flags", e->ret == RET_FULL ? 1 : e->ret == RET_HDRS ? 2
                                                                      : 0);
    put(p, TYPE_SENDER, "sender", e->sender.text);
    attribute(p, "verp_delimiters", e->verp);
    attribute(p, "encoding", e->flags & ENVELOPE_8BIT ? S("8bit") : S(""));
    attribute(p, "content_filter", e->filter);
    if (!local && !str_empty(e->client.address))
        put_client(p);
    for (size_t i = 0; i < e->recipients.n; i++)
        put_recipient(p, i);
    heading(p, TYPE_MESSAGE, "MESSAGE CONTENTS");
}

/* Everything before the message; its offset is known the second time. */
static void put_envelope(struct printer *p, uint64_t offset)
{
    const struct envelope *e = p->f->envelope;

    p->at = 0;
    if (!p->mute && p->show & SHOW_ENVELOPE && p->from == 0)
        buf_fmt(p->to, "*** ENVELOPE RECORDS %.*s ***\n", STR(p->f->name));
    put(p, TYPE_SIZE, "message_size",
        arena_fmt(&p->a, "%15" PRIu64 " %15" PRIu64 " %15zu %15d %15" PRIu64
                  " %15d", (uint64_t)p->f->text.n, offset, e->recipients.n,
                  0, (uint64_t)p->f->text.n,
                  (e->flags & ENVELOPE_SMTPUTF8) != 0));
    put_rest(p);
}

static void put_text(struct printer *p)
{
    str rest = p->f->text, line;
    bool header = true;

    if (!rest.n)
        rest.p = NULL;
    while (str_cut(&rest, '\n', &line)) {
        if (!rest.p && str_empty(line))
            break; /* the text ended in LF */
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        header = header && !str_empty(line);
        if (record(p, header ? SHOW_HEADER : SHOW_BODY, TYPE_TEXT, line.n))
            buf_fmt(p->to, "%s%.*s\n",
                    p->show & SHOW_NAMES ? "regular_text: " : "",
                    STR(line));
    }
}

void queue_file_put(const struct queue_file *f, int show, uint64_t from,
                    int zone_s, struct buf *to)
{
    struct printer p = { .f = f, .to = to, .show = show, .from = from,
                         .zone_s = zone_s, .mute = true };

    arena_init(&p.a, 0);
    put_envelope(&p, 0);
    p.mute = false;
    put_envelope(&p, p.at);
    put_text(&p);
    heading(&p, TYPE_EXTRACTED, "HEADER EXTRACTED");
    heading(&p, TYPE_END, "MESSAGE FILE END");
    arena_reset(&p.a);
}
