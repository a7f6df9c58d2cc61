/* SPDX-License-Identifier: ISC
 *
 * How many connections each user of this host has to a socket that is open to
 * all of them: a few each, so that what one of them holds the others do not
 * miss.  Root and the mail system itself may have more.
 */
#ifndef ROLE_CROWD_H
#define ROLE_CROWD_H

#include "base/base.h"

struct crowd {
    struct map users;       /* uid -> struct crowd_user */
};

void crowd_init(struct crowd *c);
void crowd_free(struct crowd *c);

/* One connection more; crowd_leave at its end.  False: this user has enough
 * of them; *say is set for the first that is refused since the user had none
 * or less than half. */
bool crowd_enter(struct crowd *c, uint32_t uid, bool *say);
void crowd_leave(struct crowd *c, uint32_t uid);

#endif
