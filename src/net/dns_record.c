/* SPDX-License-Identifier: ISC
 *
 * Records and answers: as DNS has them (RFC 1035, 2782, 6698), and packed
 * between roles.  Pure.
 *
 *     answer  u8 outcome | u8 secure | u32 ttl | u32 n | n records
 *     record  u16 type | u32 ttl | u16 preference, weight, port | str name |
 *             u8 endpoint kind | str ip | str data
 */
#include "net/dns_local.h"

#include "mail/host.h"

#include <idn2.h>

enum { LABEL_MAX = 63, DATA_MAX = 64 * 1024, RECORD_SIZE_MIN = 25 };

/* What a label may hold when it is asked for: everything that is not white
 * space, control or a dot; DNS itself takes any byte. */
static bool label_valid(str label)
{
    if (label.n == 0 || label.n > LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.n; i++)
        if ((unsigned char)label.p[i] <= ' ' || label.p[i] == 127
            || label.p[i] == '\\')
            return false;
    return true;
}

static bool to_ascii(str name, struct arena *a, str *out)
{
    char *ascii;

    if (idn2_lookup_u8((const uint8_t *)arena_cstr(a, name),
                       (uint8_t **)&ascii,
                       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    *out = arena_str(a, str_from(ascii));
    idn2_free(ascii);
    return true;
}

bool dns_name_make(str name, struct arena *a, str *out)
{
    str rest, label;

    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > 4 * DNS_NAME_MAX
        || str_chr(name, 0) != STR_NONE)
        return false;
    if (!str_is_ascii(name) && !to_ascii(name, a, &name))
        return false;
    if (name.n > DNS_NAME_MAX - 2)
        return false;
    rest = name;
    while (str_cut(&rest, '.', &label))
        if (!label_valid(label))
            return false;
    *out = arena_str(a, name);
    return true;
}

/* --- the wire ------------------------------------------------------------ */

static bool read_u16(struct scan *s, uint16_t *n)
{
    int high = scan_next(s), low = scan_next(s);

    *n = (uint16_t)(high << 8 | low);
    return high >= 0 && low >= 0;
}

/* A name without compression, whatever is in it. */
static bool read_labels(struct scan *s, struct arena *a, str *out)
{
    struct buf b;
    int n;

    buf_init(&b, a, DNS_NAME_MAX);
    while ((n = scan_next(s)) > 0) {
        str label = str_head(scan_rest(s), (size_t)n);
        if (n > LABEL_MAX || label.n != (size_t)n
            || str_chr(label, '.') != STR_NONE)
            return false;
        if (b.n)
            buf_byte(&b, '.');
        buf_add(&b, label);
        s->at += (size_t)n;
    }
    if (n < 0 || b.over)
        return false;
    *out = b.n ? buf_str(&b) : S(".");
    return true;
}

/* One that is no host name is refused: its bytes would reach log lines and
 * table keys. */
static bool read_name(struct scan *s, struct arena *a, str *out)
{
    return read_labels(s, a, out)
           && (str_eq(*out, S(".")) || host_valid(*out, false));
}

/* People write addresses there, and mean them. */
static bool read_exchanger(struct scan *s, struct arena *a, str *out)
{
    return read_labels(s, a, out)
           && (str_eq(*out, S(".")) || host_valid(*out, false)
               || host_ip4_valid(*out));
}

static bool read_address(struct scan *s, size_t size, struct dns_record *r)
{
    str ip = scan_rest(s);

    if (ip.n != size)
        return false;
    r->address.kind = size == 4 ? ENDPOINT_IP4 : ENDPOINT_IP6;
    memcpy(r->address.ip, ip.p, size);
    s->at += size;
    return true;
}

static bool read_text(struct scan *s, struct arena *a, str *out)
{
    struct buf b;
    int n;

    buf_init(&b, a, DATA_MAX);
    while ((n = scan_next(s)) >= 0) {
        str part = str_head(scan_rest(s), (size_t)n);
        if (part.n != (size_t)n)
            return false;
        buf_add(&b, part);
        s->at += (size_t)n;
    }
    *out = buf_str(&b);
    return true;
}

static bool read_rdata(struct scan *s, struct arena *a, struct dns_record *r)
{
    switch (r->type) {
    case DNS_A:
        return read_address(s, 4, r);
    case DNS_AAAA:
        return read_address(s, 16, r);
    case DNS_NS:
    case DNS_CNAME:
    case DNS_PTR:
        return read_name(s, a, &r->name);
    case DNS_MX:
        return read_u16(s, &r->preference)
            && read_exchanger(s, a, &r->name);
    case DNS_SRV:
        return read_u16(s, &r->preference) && read_u16(s, &r->weight)
            && read_u16(s, &r->port) && read_name(s, a, &r->name);
    case DNS_TXT:
        return read_text(s, a, &r->data);
    case DNS_TLSA:
        r->data = arena_str(a, scan_rest(s));
        s->at = s->in.n;
        return true;
    }
    return false;
}

bool dns_record_read(enum dns_type type, str rdata, struct arena *a,
                     struct dns_record *out)
{
    struct dns_record r = { .type = type };
    struct scan s = scan_of(rdata);

    if (!read_rdata(&s, a, &r) || !scan_done(&s))
        return false;
    *out = r;
    return true;
}

/* --- between roles ------------------------------------------------------- */

static void pack_record(const struct dns_record *r, struct buf *to)
{
    size_t size = r->address.kind == ENDPOINT_IP4 ? 4
                : r->address.kind == ENDPOINT_IP6 ? 16 : 0;

    pack_u16(to, (uint16_t)r->type);
    pack_u32(to, r->ttl);
    pack_u16(to, r->preference);
    pack_u16(to, r->weight);
    pack_u16(to, r->port);
    pack_str(to, r->name);
    pack_u8(to, (uint8_t)(size ? r->address.kind : ENDPOINT_NONE));
    pack_str(to, str_of(r->address.ip, size));
    pack_str(to, r->data);
}

void dns_answer_pack(const struct dns_answer *x, struct buf *to)
{
    size_t n = x->n < DNS_RECORDS_MAX ? x->n : DNS_RECORDS_MAX;

    pack_u8(to, (uint8_t)x->outcome);
    pack_u8(to, x->secure);
    pack_u32(to, x->ttl);
    pack_u32(to, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        pack_record(&x->p[i], to);
}

static void unpack_record(struct unpack *u, struct arena *a,
                          struct dns_record *r)
{
    str ip;

    r->type = (enum dns_type)unpack_u16(u);
    r->ttl = unpack_u32(u);
    r->preference = unpack_u16(u);
    r->weight = unpack_u16(u);
    r->port = unpack_u16(u);
    r->name = arena_str(a, unpack_str(u, DNS_NAME_MAX));
    r->address.kind = (enum endpoint_kind)unpack_u8(u);
    ip = unpack_str(u, 16);
    r->data = arena_str(a, unpack_str(u, DATA_MAX));
    if (ip.n != (r->address.kind == ENDPOINT_IP4 ? 4
                 : r->address.kind == ENDPOINT_IP6 ? 16 : 0)
        || r->address.kind > ENDPOINT_IP6)
        u->bad = true;
    else if (ip.n)
        memcpy(r->address.ip, ip.p, ip.n);
}

bool dns_answer_unpack(struct unpack *u, struct arena *a,
                       struct dns_answer *out)
{
    struct dns_answer x = { 0 };
    struct dns_record *p;

    x.outcome = (enum dns_outcome)unpack_u8(u);
    x.secure = unpack_u8(u) == 1;
    x.ttl = unpack_u32(u);
    x.n = unpack_count(u, RECORD_SIZE_MIN);
    if (u->bad || x.outcome > DNS_BOGUS || x.n > DNS_RECORDS_MAX)
        return false;
    p = arena_array(a, struct dns_record, x.n);
    for (size_t i = 0; i < x.n && !u->bad; i++)
        unpack_record(u, a, &p[i]);
    x.p = p;
    if (u->bad || (x.outcome == DNS_FOUND) != (x.n > 0))
        return false;
    *out = x;
    return true;
}

void dns_answer_copy(const struct dns_answer *x, struct arena *a,
                     struct dns_answer *out)
{
    struct dns_record *p = arena_array(a, struct dns_record, x->n);

    *out = *x;
    for (size_t i = 0; i < x->n; i++) {
        p[i] = x->p[i];
        p[i].name = arena_str(a, x->p[i].name);
        p[i].data = arena_str(a, x->p[i].data);
    }
    out->p = p;
}
