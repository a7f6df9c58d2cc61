/* SPDX-License-Identifier: ISC
 *
 * The roles' events, see events.def.
 */
#ifndef ROLE_EVENTS_H
#define ROLE_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "role/events.def"
#undef EVENT

#endif
