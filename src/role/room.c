/* SPDX-License-Identifier: ISC
 *
 * Packing questions about room and their answers.  Pure.
 */
#include "role/room.h"

void room_question_pack(str address, uint64_t size, struct buf *to)
{
    pack_str(to, address);
    pack_u64(to, size);
}

err room_question_unpack(str packed, struct arena *a, str *address,
                         uint64_t *size)
{
    struct unpack u = unpack_of(packed);
    str text = unpack_str(&u, ROOM_ADDRESS_MAX);
    uint64_t n = unpack_u64(&u);

    if (!unpack_end(&u))
        return ERR_CORRUPT;
    *address = arena_str(a, text);
    *size = n;
    return OK;
}

void room_answer_pack(enum room room, struct buf *to)
{
    pack_u8(to, (uint8_t)room);
}

err room_answer_unpack(str packed, enum room *out)
{
    struct unpack u = unpack_of(packed);
    uint8_t room = unpack_u8(&u);

    if (!unpack_end(&u) || room >= N_ROOMS)
        return ERR_CORRUPT;
    *out = (enum room)room;
    return OK;
}
