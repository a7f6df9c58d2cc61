/* SPDX-License-Identifier: ISC
 *
 * The events of table/.
 */
#ifndef TABLE_EVENTS_H
#define TABLE_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "table/events.def"
#undef EVENT

#endif
