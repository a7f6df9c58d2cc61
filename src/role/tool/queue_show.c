/* SPDX-License-Identifier: ISC
 *
 * Listings.  Columns: the queue id with its mark (11 wide, or 17 for long
 * ids), the size, the arrival in local time without the year, the sender.
 * A reason stands before the first of the recipients in a row that share it,
 * and ends at column 78.
 */
#include "role/tool/queue_show.h"

#include "mail/address.h"
#include "mail/date.h"

enum { REASON_END = 76 };

str queue_show_address(str internal, struct arena *a)
{
    struct address x;

    if (str_empty(internal))
        return S("MAILER-DAEMON");
    if (address_of(internal, a, &x))
        return internal;
    return address_external(&x, a);
}

/* Text for a terminal: control bytes as question marks. */
static void put_printable(struct buf *to, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_byte(to, c < ' ' || c == 127 ? '?' : s.p[i]);
    }
}

static char mark_of(const struct queue_row *r)
{
    if (r->forced)
        return '#';
    if (str_eq(r->queue, S("active")))
        return '*';
    return str_eq(r->queue, S("hold")) ? '!' : 0;
}

static void put_head(const struct queue_show *s, struct buf *to)
{
    buf_add(to, s->long_ids
                    ? S("----Queue ID----- --Size-- ---Arrival Time---- "
                        "--Sender/Recipient------\n")
                    : S("-Queue ID-  --Size-- ----Arrival Time---- "
                        "-Sender/Recipient-------\n"));
}

static void put_first_line(const struct queue_show *s,
                           const struct queue_row *r, int zone_s,
                           struct arena *a, struct buf *to)
{
    char mark = mark_of(r);
    str id = mark ? arena_fmt(a, "%.*s%c", STR(r->id), mark) : r->id;
    str date = date_asctime(a, r->arrival_us, zone_s);

    if (s->long_ids)
        buf_fmt(to, "%-17.*s %8" PRIu64 " %19.19s ", STR(id), r->size,
                date.p);
    else
        buf_fmt(to, "%-11.*s %7" PRIu64 " %20.20s ", STR(id), r->size,
                date.p);
    put_printable(to, queue_show_address(r->sender, a));
    buf_byte(to, '\n');
}

static void put_table_row(const struct queue_show *s,
                          const struct queue_row *r, int zone_s,
                          struct arena *a, struct buf *to)
{
    str before = S("");

    put_first_line(s, r, zone_s, a, to);
    for (uint32_t i = 0; i < r->n_rcpts; i++) {
        const struct queue_row_rcpt *x = &r->rcpts[i];
        if (!str_empty(x->reason) && !str_eq(x->reason, before)) {
            buf_fmt(to, "%*s(", x->reason.n < REASON_END
                                    ? (int)(REASON_END - x->reason.n) : 0,
                    "");
            put_printable(to, x->reason);
            buf_add(to, S(")\n"));
        }
        before = x->reason;
        buf_fmt(to, "%*s", s->long_ids ? 47 : 41, "");
        put_printable(to, queue_show_address(x->address, a));
        buf_byte(to, '\n');
    }
    buf_byte(to, '\n');
}

void json_put(struct buf *to, str s)
{
    static const char escapes[] = "\bb\ff\nn\rr\tt";

    buf_byte(to, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *e = c && c < ' ' ? memchr(escapes, c, 10) : NULL;
        if (c == '"' || c == '\\')
            buf_fmt(to, "\\%c", c);
        else if (e)
            buf_fmt(to, "\\%c", e[1]);
        else if (c < ' ' || c == 127)
            buf_fmt(to, "\\u%04x", c);
        else
            buf_byte(to, s.p[i]);
    }
    buf_byte(to, '"');
}

static void put_json_row(const struct queue_row *r, struct arena *a,
                         struct buf *to)
{
    buf_add(to, S("{\"queue_name\": "));
    json_put(to, r->queue);
    buf_add(to, S(", \"queue_id\": "));
    json_put(to, r->id);
    buf_fmt(to, ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRIu64
            ", \"forced_expire\": %s, \"sender\": ",
            r->arrival_us / 1000000, r->size, r->forced ? "true" : "false");
    json_put(to, queue_show_address(r->sender, a));
    buf_add(to, S(", \"recipients\": ["));
    for (uint32_t i = 0; i < r->n_rcpts; i++) {
        buf_add(to, i ? S(", {\"address\": ") : S("{\"address\": "));
        json_put(to, queue_show_address(r->rcpts[i].address, a));
        if (!str_empty(r->rcpts[i].reason)) {
            buf_add(to, S(", \"delay_reason\": "));
            json_put(to, r->rcpts[i].reason);
        }
        buf_byte(to, '}');
    }
    buf_add(to, S("]}\n"));
}

void queue_show_row(struct queue_show *s, const struct queue_row *r,
                    int zone_s, struct arena *scratch, struct buf *to)
{
    if (s->json) {
        put_json_row(r, scratch, to);
    } else {
        if (s->n == 0)
            put_head(s, to);
        put_table_row(s, r, zone_s, scratch, to);
    }
    s->n++;
    s->bytes += r->size;
}

void queue_show_end(const struct queue_show *s, struct buf *to)
{
    if (s->json)
        return;
    if (s->n == 0)
        buf_add(to, S("Mail queue is empty\n"));
    else
        buf_fmt(to, "-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n",
                s->bytes / 1024, s->n, s->n == 1 ? "" : "s");
}
