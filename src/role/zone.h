/* SPDX-License-Identifier: ISC
 *
 * The zone of dates that roles write into mail.
 */
#ifndef ROLE_ZONE_H
#define ROLE_ZONE_H

#include "rt/rt.h"

/* In a. */
str role_zone_name(struct task *t, struct arena *a);

#endif
