/* SPDX-License-Identifier: ISC
 *
 * The store's events, see events.def.
 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "store/events.def"
#undef EVENT

#endif
