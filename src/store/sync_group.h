/* SPDX-License-Identifier: ISC
 *
 * Inside store: waiting for a group sync (deliver.h).
 */
#ifndef STORE_SYNC_GROUP_H
#define STORE_SYNC_GROUP_H

#include "store/deliver.h"

/* Everything written to the group's file system before this call is on
 * stable storage when it returns OK. */
err sync_point(struct task *t, struct sync_group *g);

#endif
