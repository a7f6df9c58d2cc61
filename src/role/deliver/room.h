/* SPDX-License-Identifier: ISC
 *
 * Answers to SMTP servers' questions about room (role/room.h).
 */
#ifndef ROLE_DELIVER_ROOM_H
#define ROLE_DELIVER_ROOM_H

#include "role/deliver/deliver.h"

/* Serves an SMTP server's port, in a task of its own, until it ends. */
void room_port(struct deliver *d, struct port *port);

/* virtual.c: r has a transport that is virtual(8)'s, and no job. */
bool virtual_room(struct task *t, struct run *r, const struct address *to,
                  uint64_t size);

#endif
