/* SPDX-License-Identifier: ISC
 *
 * The spool's events, see events.def.
 */
#ifndef SPOOL_EVENTS_H
#define SPOOL_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "spool/events.def"
#undef EVENT

#endif
