/* SPDX-License-Identifier: ISC
 *
 * Reading queue files of Postfix.
 */
#include "role/tool/foreign.h"

enum { LENGTH_BYTES_MAX = 5, JUMPS_MAX = 100000, PACKED_MAX = 1 << 20 };

struct reading {
    str file;
    size_t at;
    struct arena *a;
    struct foreign_mail *out;
    struct buf text;
    int notify;             /* of the recipient that comes next */
    str orcpt, original;
    bool has_sender, has_text, ended;
};

/* Adds up the groups of a length; false at the end of the file. */
static bool take_length(struct reading *r, size_t *size)
{
    uint64_t n = 0;

    for (int i = 0; i < LENGTH_BYTES_MAX; i++) {
        unsigned char c;
        if (r->at >= r->file.n)
            return false;
        c = (unsigned char)r->file.p[r->at++];
        n |= (uint64_t)(c & 0x7f) << (7 * i);
        if (!(c & 0x80)) {
            *size = (size_t)n;
            return n <= r->file.n - r->at;
        }
    }
    return false;
}

static bool take_record(struct reading *r, char *type, str *data)
{
    size_t size;

    if (r->at >= r->file.n)
        return false;
    *type = r->file.p[r->at++];
    if (!take_length(r, &size))
        return false;
    *data = str_of(r->file.p + r->at, size);
    r->at += size;
    return true;
}

static bool on_size(struct reading *r, str data)
{
    str word;
    uint64_t n = 0;

    for (int i = 0; str_token(&data, S(" "), &word); i++)
        if (i == 5 && str_uint(word, UINT32_MAX, &n) && n != 0)
            r->out->envelope.flags |= ENVELOPE_SMTPUTF8;
    return true;
}

static bool on_time(struct reading *r, str data)
{
    str seconds, micros = S("0");
    uint64_t s, us = 0;

    if (!str_token(&data, S(" "), &seconds)
        || !str_uint(seconds, INT32_MAX, &s))
        return false;
    if (str_token(&data, S(" "), &micros)
        && !str_uint(micros, 999999, &us))
        return false;
    r->out->envelope.arrival_us = (int64_t)s * 1000000 + (int64_t)us;
    return true;
}

/* Their bits: 1 never, 2 success, 4 failure, 8 delay. */
static int notify_of(uint64_t bits)
{
    return (bits & 1 ? NOTIFY_NEVER : 0) | (bits & 2 ? NOTIFY_SUCCESS : 0)
           | (bits & 4 ? NOTIFY_FAILURE : 0) | (bits & 8 ? NOTIFY_DELAY : 0);
}

static void on_number(struct reading *r, str name, uint64_t n)
{
    struct envelope *e = &r->out->envelope;

    if (str_eq(name, S("notify_flags")))
        r->notify = notify_of(n);
    else if (str_eq(name, S("ret_flags")))
        e->ret = n == 1 ? RET_FULL : n == 2 ? RET_HDRS : RET_UNSAID;
    else if (str_eq(name, S("client_port")) && n <= UINT16_MAX)
        e->client.port = (uint16_t)n;
}

static bool on_attribute(struct reading *r, str data)
{
    struct envelope *e = &r->out->envelope;
    size_t eq = str_chr(data, '=');
    str name = str_head(data, eq), value;
    const struct { str name; str *to; } texts[] = {
        { S("envelope_id"), &e->envid },
        { S("dsn_orig_rcpt"), &r->orcpt },
        { S("client_name"), &e->client.name },
        { S("reverse_client_name"), &e->client.reverse_name },
        { S("client_address"), &e->client.address },
        { S("helo_name"), &e->client.helo },
        { S("protocol_name"), &e->client.protocol },
        { S("sasl_method"), &e->client.sasl_method },
        { S("sasl_username"), &e->client.sasl_user },
        { S("sasl_sender"), &e->client.sasl_sender },
    };
    uint64_t n;

    if (eq == STR_NONE)
        return false;
    value = arena_str(r->a, str_skip(data, eq + 1));
    if (value.n > ENVELOPE_TEXT_MAX)
        return false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (str_eq(name, texts[i].name))
            *texts[i].to = value;
    if (str_eq(name, S("encoding")) && str_eq(value, S("8bit")))
        e->flags |= ENVELOPE_8BIT;
    if (str_uint(value, UINT32_MAX, &n))
        on_number(r, name, n);
    return true;
}

static bool on_sender(struct reading *r, str data)
{
    r->has_sender = true;
    if (str_empty(data)) {
        r->out->envelope.sender = (struct address)ADDRESS_NULL;
        return true;
    }
    return address_of(arena_str(r->a, data), r->a, &r->out->envelope.sender)
           == OK;
}

/* type 'D': one that is done. */
static bool on_recipient(struct reading *r, char type, str data)
{
    struct recipient x = { .notify = r->notify, .orcpt = r->orcpt,
                           .original = r->original };

    if (address_of(arena_str(r->a, data), r->a, &x.address))
        return false;
    if (str_empty(x.original))
        x.original = x.address.text;
    if (type == 'R')
        vec_push(r->a, &r->out->envelope.recipients, x);
    r->notify = 0;
    r->orcpt = r->original = S("");
    return true;
}

/* Somebody sent all of it elsewhere. */
static bool on_redirect(struct reading *r, str data)
{
    r->out->envelope.recipients.n = 0;
    return on_recipient(r, 'R', data);
}

static bool on_jump(struct reading *r, str data)
{
    uint64_t to;

    if (!str_uint(str_trim(data), r->file.n, &to))
        return false;
    if (to > 0)
        r->at = (size_t)to;
    return true;
}

static bool on_record(struct reading *r, char type, str data)
{
    switch (type) {
    case 'C': return on_size(r, data);
    case 'T': return on_time(r, data);
    case 'A': return on_attribute(r, data);
    case 'S': return on_sender(r, data);
    case 'O': r->original = arena_str(r->a, data); return true;
    case 'R':
    case 'D': return on_recipient(r, type, data);
    case '>': return on_redirect(r, data);
    case 'f': r->out->envelope.filter = arena_str(r->a, data); return true;
    case 'M': r->has_text = true; return true;
    case 'N':
    case 'L':
        buf_add(&r->text, data);
        if (type == 'N')
            buf_add(&r->text, S("\r\n"));
        return r->has_text;
    case 'p': return on_jump(r, data);
    case 'E': r->ended = true; return true;
    default:  return true; /* of no meaning here */
    }
}

/* Whether it is an envelope that we could read again. */
static bool is_ours(const struct envelope *e, struct arena *a)
{
    struct envelope again;
    struct buf b;

    buf_init(&b, a, PACKED_MAX);
    envelope_pack(e, &b);
    return !b.over && !envelope_unpack(buf_str(&b), a, &again);
}

err foreign_read(str file, struct arena *a, struct foreign_mail *out)
{
    struct reading r = { .file = file, .a = a, .out = out,
                         .orcpt = S(""), .original = S("") };
    bool good = true;
    char type;
    str data;

    *out = (struct foreign_mail){ 0 };
    buf_init(&r.text, a, 2 * file.n + 16);
    for (int n_jumps = 0; good && !r.ended && n_jumps < JUMPS_MAX;) {
        good = take_record(&r, &type, &data) && on_record(&r, type, data);
        n_jumps += good && type == 'p';
    }
    if (!good || !r.ended || !r.has_sender || !r.has_text || r.text.over)
        return ERR_CORRUPT;
    out->text = buf_str(&r.text);
    out->envelope.size = out->text.n;
    out->envelope.flags |= ENVELOPE_NO_REWRITE;
    return is_ours(&out->envelope, a) ? OK : ERR_CORRUPT;
}
