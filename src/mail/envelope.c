/* SPDX-License-Identifier: ISC
 *
 * Packing and copying envelopes.
 */
#include "mail/envelope.h"

enum { RECIPIENT_SIZE_MIN = 6 * 4 };

/* The strings of an envelope in their packed order: one list, so that
 * packing, unpacking and copying cannot disagree. */
#define ENVELOPE_STRINGS(X)                                                   \
    X(envid)                                                                  \
    X(rewrite_domain)                                                         \
    X(verp)                                                                   \
    X(filter)                                                                 \
    X(message_id)                                                             \
    X(client.name)                                                            \
    X(client.reverse_name)                                                    \
    X(client.address)                                                         \
    X(client.helo)                                                            \
    X(client.protocol)                                                        \
    X(client.sasl_method)                                                     \
    X(client.sasl_user)                                                       \
    X(client.sasl_sender)                                                     \
    X(client.tls)

#define RECIPIENT_STRINGS(X)                                                  \
    X(original)                                                               \
    X(orcpt)                                                                  \
    X(transport)                                                              \
    X(dsn_text)

static void pack_recipient(const struct recipient *r, struct buf *to)
{
    pack_str(to, r->address.text);
    pack_u32(to, (uint32_t)r->notify);
#define X(field) pack_str(to, r->field);
    RECIPIENT_STRINGS(X)
#undef X
}

void envelope_pack(const struct envelope *e, struct buf *to)
{
    must(e->recipients.n <= ENVELOPE_RECIPIENTS_MAX);
    pack_u8(to, ENVELOPE_VERSION);
    pack_i64(to, e->arrival_us);
    pack_u32(to, (uint32_t)e->flags);
    pack_str(to, e->sender.text);
    pack_u8(to, (uint8_t)e->ret);
    pack_u16(to, e->client.port);
    pack_u64(to, e->size);
    pack_u32(to, e->hops);
#define X(field) pack_str(to, e->field);
    ENVELOPE_STRINGS(X)
#undef X
    pack_u32(to, (uint32_t)e->recipients.n);
    for (size_t i = 0; i < e->recipients.n; i++)
        pack_recipient(&e->recipients.p[i], to);
}

/* A string without line ends and NULs: these fields go into headers, log
 * lines and other people's protocols. */
static str unpack_text(struct unpack *u)
{
    str s = unpack_str(u, ENVELOPE_TEXT_MAX);

    if (str_any(s, str_of("\r\n\0", 3)) == STR_NONE)
        return s;
    u->bad = true;
    return S("");
}

static void unpack_address(struct unpack *u, struct arena *a,
                           struct address *out)
{
    str s = unpack_str(u, ADDRESS_MAX);

    *out = ADDRESS_NULL;
    if (s.n && address_of(s, a, out))
        u->bad = true;
}

static void unpack_recipient(struct unpack *u, struct arena *a,
                             struct recipient *r)
{
    unpack_address(u, a, &r->address);
    r->notify = (int)(unpack_u32(u) & 15);
#define X(field) r->field = unpack_text(u);
    RECIPIENT_STRINGS(X)
#undef X
}

void envelope_unpack_from(struct unpack *u, struct arena *a,
                          struct envelope *out)
{
    struct envelope e = { 0 };
    uint32_t n;
    uint8_t ret;

    if (unpack_u8(u) != ENVELOPE_VERSION)
        u->bad = true;
    e.arrival_us = unpack_i64(u);
    e.flags = (int)(unpack_u32(u) & 0xffff);
    unpack_address(u, a, &e.sender);
    ret = unpack_u8(u);
    e.ret = (enum dsn_ret)ret;
    e.client.port = unpack_u16(u);
    e.size = unpack_u64(u);
    e.hops = unpack_u32(u);
#define X(field) e.field = unpack_text(u);
    ENVELOPE_STRINGS(X)
#undef X
    n = unpack_count(u, RECIPIENT_SIZE_MIN);
    if (n > ENVELOPE_RECIPIENTS_MAX || ret > RET_HDRS || e.arrival_us < 0)
        u->bad = true;
    if (u->bad)
        return;
    e.recipients.p = arena_array(a, struct recipient, n);
    e.recipients.n = e.recipients.cap = n;
    for (uint32_t i = 0; i < n && !u->bad; i++)
        unpack_recipient(u, a, &e.recipients.p[i]);
    if (!u->bad)
        *out = e;
}

err envelope_unpack(str packed, struct arena *a, struct envelope *out)
{
    struct unpack u = unpack_of(packed);
    struct envelope e;

    envelope_unpack_from(&u, a, &e);
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    *out = e;
    return OK;
}

static struct address address_copy(const struct address *x, struct arena *a)
{
    struct address copy = *x;

    copy.text = arena_str(a, x->text);
    copy.local = str_head(copy.text, x->local.n);
    copy.domain = str_skip(copy.text, copy.text.n - x->domain.n);
    return copy;
}

void recipient_copy(const struct recipient *r, struct arena *a,
                    struct recipient *out)
{
    struct recipient copy = *r;

    copy.address = address_copy(&r->address, a);
#define X(field) copy.field = arena_str(a, r->field);
    RECIPIENT_STRINGS(X)
#undef X
    *out = copy;
}

void envelope_copy(const struct envelope *e, struct arena *a,
                   struct envelope *out)
{
    struct envelope copy = *e;

    copy.sender = address_copy(&e->sender, a);
#define X(field) copy.field = arena_str(a, e->field);
    ENVELOPE_STRINGS(X)
#undef X
    copy.recipients.p = arena_array(a, struct recipient, e->recipients.n);
    copy.recipients.cap = e->recipients.n;
    for (size_t i = 0; i < e->recipients.n; i++)
        recipient_copy(&e->recipients.p[i], a, &copy.recipients.p[i]);
    *out = copy;
}
