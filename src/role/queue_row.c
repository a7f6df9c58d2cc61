/* SPDX-License-Identifier: ISC
 *
 * Reading a row of a queue listing.
 */
#include "role/queue_row.h"

enum { TEXT_MAX = 8192 };

err queue_row_unpack(str packed, struct arena *a, struct queue_row *out)
{
    struct unpack u = unpack_of(packed);
    struct queue_row r;
    struct queue_row_rcpt *x;

    r.queue = unpack_str(&u, TEXT_MAX);
    r.id = unpack_str(&u, TEXT_MAX);
    r.arrival_us = unpack_i64(&u);
    r.size = unpack_u64(&u);
    r.forced = unpack_u8(&u) != 0;
    r.sender = unpack_str(&u, TEXT_MAX);
    r.n_rcpts = unpack_count(&u, 8);
    x = arena_array(a, struct queue_row_rcpt, r.n_rcpts);
    for (uint32_t i = 0; i < r.n_rcpts; i++) {
        x[i].address = unpack_str(&u, TEXT_MAX);
        x[i].reason = unpack_str(&u, TEXT_MAX);
    }
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    r.rcpts = x;
    *out = r;
    return OK;
}
