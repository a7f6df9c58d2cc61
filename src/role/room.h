/* SPDX-License-Identifier: ISC
 *
 * Is there room?  What an SMTP server asks before it takes a message for a
 * mailbox of this host, so that a sender hears at once what would bounce.  It
 * opens no path itself: deliver looks, through a process that is the user.
 *
 *     question   str address | u64 size of the message, 0: not known
 *     answer     u8 enum room
 *
 * Who is not known, has no quota or cannot be looked at now has room: the
 * delivery decides.
 */
#ifndef ROLE_ROOM_H
#define ROLE_ROOM_H

#include "rt/rt.h"

enum { ROOM_ASK = 1, ROOM_ADDRESS_MAX = 1024 };

enum room {
    ROOM_YES,
    ROOM_FULL,      /* not now */
    N_ROOMS
};

void room_question_pack(str address, uint64_t size, struct buf *to);
err room_question_unpack(str packed, struct arena *a, str *address,
                         uint64_t *size);
void room_answer_pack(enum room room, struct buf *to);
err room_answer_unpack(str packed, enum room *out);

#endif
