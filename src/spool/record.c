/* SPDX-License-Identifier: ISC
 *
 * Records to bytes and back.  Pure.
 */
#include "spool/record.h"

static void head_put(char *to, const struct record *r, size_t size)
{
    put_u32(to, RECORD_MAGIC);
    put_u32(to + 4, (uint32_t)size);
    put_u32(to + 8, 0);
    put_u32(to + 12, r->type);
    put_u64(to + 16, r->generation);
    put_u64(to + 24, r->message);
}

void record_put(char *to, const struct record *r, str first, str second)
{
    size_t size = first.n + second.n;
    size_t whole = record_size(size);
    char *payload = to + SPOOL_RECORD_HEAD;

    head_put(to, r, size);
    if (first.n)
        memcpy(payload, first.p, first.n);
    if (second.n)
        memcpy(payload + first.n, second.p, second.n);
    memset(payload + size, 0, whole - SPOOL_RECORD_HEAD - size);
    put_u32(to + 8, crc32c(0, str_of(to, SPOOL_RECORD_HEAD + size)));
}

err record_get(str bytes, uint64_t generation, bool whole, struct record *out)
{
    char head[SPOOL_RECORD_HEAD];
    uint32_t size, crc;

    if (bytes.n < SPOOL_RECORD_HEAD || get_u32(bytes.p) != RECORD_MAGIC)
        return ERR_CORRUPT;
    size = get_u32(bytes.p + 4);
    if (size > bytes.n - SPOOL_RECORD_HEAD
        || get_u64(bytes.p + 16) != generation)
        return ERR_CORRUPT;
    *out = (struct record){
        .type = (enum record_type)get_u32(bytes.p + 12),
        .generation = generation,
        .message = get_u64(bytes.p + 24),
        .payload = { bytes.p + SPOOL_RECORD_HEAD, size },
    };
    if (!whole)
        return OK;
    memcpy(head, bytes.p, sizeof(head));
    put_u32(head + 8, 0);
    crc = crc32c(crc32c(0, str_of(head, sizeof(head))), out->payload);
    return crc == get_u32(bytes.p + 8) ? OK : ERR_CORRUPT;
}

void batch_head_put(char *to, uint64_t generation,
                    const struct batch_head *head)
{
    struct record r = { .type = RECORD_BATCH, .generation = generation,
                        .message = head->id_max };
    char payload[BATCH_PAYLOAD];

    put_u64(payload, head->sequence);
    put_u32(payload + 8, head->size);
    put_u32(payload + 12, head->heads_crc);
    put_u32(payload + 16, head->n_records);
    put_u32(payload + 20, head->n_segments);
    record_put(to, &r, str_of(payload, sizeof(payload)), S(""));
}

err batch_head_get(const struct record *r, struct batch_head *out)
{
    if (r->type != RECORD_BATCH || r->payload.n != BATCH_PAYLOAD)
        return ERR_CORRUPT;
    *out = (struct batch_head){
        .sequence = get_u64(r->payload.p),
        .size = get_u32(r->payload.p + 8),
        .heads_crc = get_u32(r->payload.p + 12),
        .n_records = get_u32(r->payload.p + 16),
        .n_segments = get_u32(r->payload.p + 20),
        .id_max = r->message,
    };
    if (out->size == 0 || out->size % BATCH_ALIGN)
        return ERR_CORRUPT;
    return OK;
}

void extent_pack(struct buf *b, const struct extent *x)
{
    pack_u32(b, x->segment);
    pack_u32(b, x->offset);
    pack_u32(b, x->size);
    pack_u64(b, x->generation);
}

void extent_unpack(struct unpack *u, struct extent *x)
{
    x->segment = unpack_u32(u);
    x->offset = unpack_u32(u);
    x->size = unpack_u32(u);
    x->generation = unpack_u64(u);
}

err spool_read(struct task *t, struct file *segment, const struct extent *x,
               uint64_t id, char *p, str *bytes)
{
    struct record r;
    size_t n;

    err e = file_read(t, segment, x->offset, p, SPOOL_RECORD_HEAD + x->size,
                      &n);

    if (e) /* a bad sector; it is for this message alone */
        return e == ERR_IO ? ERR_CORRUPT : e;
    if (record_get(str_of(p, n), x->generation, true, &r)
        || r.type != RECORD_CHUNK || r.message != id
        || r.payload.n != x->size)
        return why(t, ERR_CORRUPT, "segment %u offset %u: not a piece of "
                   "message %" PRIx64, x->segment, x->offset, id);
    *bytes = r.payload;
    return OK;
}
