/* SPDX-License-Identifier: ISC
 *
 * Delivery lines.
 */
#include "role/delivered.h"

#include "role/events.h"

/* Two significant digits, as people read delays: "0.03", "1.2", "12". */
static void put_delay(struct buf *b, int64_t us)
{
    if (us < 0)
        us = 0;
    if (us < 10000) {
        int64_t hundredths = (us + 5000) / 10000;
        buf_add(b, hundredths ? S("0.01") : S("0"));
    } else if (us < 1000000) {
        int64_t hundredths = (us + 5000) / 10000;
        if (hundredths >= 100)
            buf_add(b, S("1"));
        else if (hundredths % 10)
            buf_fmt(b, "0.%02d", (int)hundredths);
        else
            buf_fmt(b, "0.%d", (int)(hundredths / 10));
    } else if (us < 9950000) {
        int64_t tenths = (us + 50000) / 100000;
        if (tenths % 10)
            buf_fmt(b, "%d.%d", (int)(tenths / 10), (int)(tenths % 10));
        else
            buf_uint(b, (uint64_t)(tenths / 10));
    } else {
        buf_uint(b, (uint64_t)((us + 500000) / 1000000));
    }
}

static const char *status_of(enum outcome o, bool soft)
{
    switch (o) {
    case OUTCOME_SENT:
    case OUTCOME_FORWARDED:
        return "sent";
    case OUTCOME_BOUNCED:
        return soft ? "SOFTBOUNCE" : "bounced";
    default:
        return "deferred";
    }
}

void delivery_say(struct task *t, const char *log_name,
                  const struct delivery_line *line, const struct recipient *r,
                  const struct result_rcpt *x)
{
    int64_t now = rt_wall(t);
    int64_t start = line->start_us ? line->start_us : now;
    int64_t connected = line->connected_us ? line->connected_us : start;
    const char *before = log_name_get(t);
    struct arena a;
    struct buf delays, delay, orig, use;
    char dsn[sizeof(x->dsn)];

    arena_init(&a, 0);
    buf_init(&delays, &a, 200);
    buf_init(&delay, &a, 64);
    buf_init(&orig, &a, 4096);
    buf_init(&use, &a, 64);
    put_delay(&delay, now - line->arrival_us);
    put_delay(&delays, line->dispatch_us - line->arrival_us);
    buf_byte(&delays, '/');
    put_delay(&delays, start - line->dispatch_us);
    buf_byte(&delays, '/');
    put_delay(&delays, connected - start);
    buf_byte(&delays, '/');
    put_delay(&delays, now - connected);
    if (!str_empty(r->original) && !str_ieq(r->original, r->address.text))
        buf_fmt(&orig, " orig_to=<%.*s>,", STR(address_shown(r->original, &a)));
    if (line->n_used > 1)
        buf_fmt(&use, " conn_use=%u,", line->n_used);
    memcpy(dsn, x->dsn, sizeof(dsn));
    if (x->outcome == OUTCOME_BOUNCED && line->soft_bounce)
        dsn[0] = '4';
    log_name_set(t, log_name);
    say(t, delivery, STR(line->queue_id),
        STR(address_external(&r->address, &a)),
        STR(buf_str(&orig)), STR(x->relay), STR(buf_str(&use)),
        STR(buf_str(&delay)), STR(buf_str(&delays)), dsn,
        status_of(x->outcome, line->soft_bounce), STR(x->text));
    log_name_set(t, before);
    arena_reset(&a);
}
