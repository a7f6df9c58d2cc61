/* SPDX-License-Identifier: ISC
 *
 * What auth has to say.
 */
#ifndef AUTH_EVENTS_H
#define AUTH_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "auth/events.def"
#undef EVENT

#endif
