/* SPDX-License-Identifier: ISC
 *
 * What queue tools ask, over the socket public/qmgr: one FACE_ADMIN frame a
 * question, its body one verb byte and its arguments; rows come back as
 * FACE_ROW, then FACE_ROWS_END with u32: how many messages were concerned.
 *
 *   'l'                   list: a row is a struct queue_row
 *   'c' str id            cat: rows are 'e' the packed envelope, 'b' body bytes
 *   'f'                   flush all
 *   'i' str id            flush one
 *   's' str site          flush one destination domain
 *   'd','h','H','r' id    delete, hold, release, requeue; id "ALL" for all
 */
#ifndef ROLE_QMGR_ADMIN_H
#define ROLE_QMGR_ADMIN_H

#include "role/qmgr/queue.h"

#endif
