/* SPDX-License-Identifier: ISC
 *
 * Packing jobs and results.  Pure.
 */
#include "spool/face.h"

enum { TEXT_MAX = 4096, RCPT_MIN = 2 + 5 * 4 };

void job_pack(const struct job *j, struct buf *to)
{
    pack_u64(to, j->message);
    pack_str(to, j->queue_id);
    pack_str(to, j->transport);
    pack_str(to, j->nexthop);
    pack_i64(to, j->dispatch_us);
    pack_u32(to, j->attempts);
    pack_u32(to, j->connections);
    envelope_pack(&j->envelope, to);
    pack_u32(to, j->n_extents);
    pack_u32(to, j->n_known);
    for (uint32_t i = 0; i < j->n_known; i++)
        extent_pack(to, &j->extents[i]);
}

err job_unpack(str packed, struct arena *a, struct job *out)
{
    struct unpack u = unpack_of(packed);
    struct job j = { .message = unpack_u64(&u) };
    struct extent *x;

    j.queue_id = unpack_str(&u, TEXT_MAX);
    j.transport = unpack_str(&u, TEXT_MAX);
    j.nexthop = unpack_str(&u, TEXT_MAX);
    j.dispatch_us = unpack_i64(&u);
    j.attempts = unpack_u32(&u);
    j.connections = unpack_u32(&u);
    envelope_unpack_from(&u, a, &j.envelope);
    j.n_extents = unpack_u32(&u);
    j.n_known = unpack_count(&u, EXTENT_PACKED);
    if (j.n_known > j.n_extents)
        return ERR_CORRUPT;
    x = arena_array(a, struct extent, j.n_known);
    for (uint32_t i = 0; i < j.n_known; i++) {
        extent_unpack(&u, &x[i]);
        if (x[i].size > SPOOL_CHUNK_MAX)
            return ERR_CORRUPT;
    }
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    j.extents = x;
    *out = j;
    return OK;
}

void result_pack(const struct result *r, struct buf *to)
{
    pack_u8(to, r->destination_dead);
    pack_str(to, str_head(r->dead_reason, TEXT_MAX));
    pack_u32(to, r->n_rcpts);
    for (uint32_t i = 0; i < r->n_rcpts; i++) {
        const struct result_rcpt *x = &r->rcpts[i];
        pack_u8(to, (uint8_t)x->outcome);
        pack_u8(to, (uint8_t)x->how);
        pack_str(to, str_from(x->dsn));
        pack_str(to, str_head(x->text, TEXT_MAX));
        pack_str(to, str_head(x->relay, TEXT_MAX));
        pack_str(to, str_head(x->remote_mta, TEXT_MAX));
        pack_str(to, str_head(x->diagnostic, TEXT_MAX));
        pack_str(to, str_head(x->report_to, TEXT_MAX));
    }
}

static err rcpt_unpack(struct unpack *u, struct result_rcpt *x)
{
    str dsn;

    x->outcome = (enum outcome)unpack_u8(u);
    x->how = (enum sent_how)unpack_u8(u);
    dsn = unpack_str(u, sizeof(x->dsn) - 1);
    x->text = unpack_str(u, TEXT_MAX);
    x->relay = unpack_str(u, TEXT_MAX);
    x->remote_mta = unpack_str(u, TEXT_MAX);
    x->diagnostic = unpack_str(u, TEXT_MAX);
    x->report_to = unpack_str(u, TEXT_MAX);
    if (x->outcome > OUTCOME_PASS || x->how > SENT_PASSED || u->bad)
        return ERR_CORRUPT;
    memcpy(x->dsn, dsn.p, dsn.n);
    return OK;
}

err result_unpack(str packed, struct arena *a, struct result *out)
{
    struct unpack u = unpack_of(packed);
    struct result r = { .destination_dead = unpack_u8(&u) != 0 };
    struct result_rcpt *x;

    r.dead_reason = unpack_str(&u, TEXT_MAX);
    r.n_rcpts = unpack_count(&u, RCPT_MIN);
    x = arena_array(a, struct result_rcpt, r.n_rcpts);
    for (uint32_t i = 0; i < r.n_rcpts; i++)
        TRY(rcpt_unpack(&u, &x[i]));
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    r.rcpts = x;
    *out = r;
    return OK;
}
