/* SPDX-License-Identifier: ISC
 *
 * The spawner: the one part of delivery with root's rights.  It reads no
 * mail, no configuration, no file.  Asked for a user id, a group id and
 * perhaps a root directory, it forks a process that becomes that user for
 * good and gives back a socket to it.
 *
 *  request  u32 magic | u32 uid | u32 gid | u32 length | chroot path
 *  answer   u8 status, with a descriptor if it is 0 | u8 length | why[126]
 *
 * I1  No process it makes has user id 0 or group id 0.
 * I2  Without root's rights it makes processes of its own user and group
 *     only.
 * I3  It ends when its socket is closed, at once on a request that is none.
 */
#ifndef ROLE_DELIVER_SPAWNER_H
#define ROLE_DELIVER_SPAWNER_H

#include "rt/rt.h"

enum { SPAWN_ROOT_MAX = 1024, SPAWN_WHY_MAX = 126 };

/* Forks the spawner; body(fd) is what the processes it makes do.  Called
 * before anything of the outside was read.  *out is the planner's end. */
err spawner_start(struct task *t, void (*body)(int fd), struct sock **out);

/* Asks for a process; one question at a time.  *fd is the socket to it.
 * ERR_DENIED with why(): never will be; another err: not now. */
err spawner_ask(struct task *t, struct sock *spawner, uint32_t uid,
                uint32_t gid, str chroot, int *fd);

/* What it refuses, as a pure rule: NULL or the reason. */
struct spawner_self {
    bool root;
    uint32_t uid, gid;
};
const char *spawner_refuses(const struct spawner_self *self, uint32_t uid,
                            uint32_t gid, bool has_root_dir);

#endif
