/* SPDX-License-Identifier: ISC
 *
 * What policy has to say.
 */
#ifndef POLICY_EVENTS_H
#define POLICY_EVENTS_H

#include "rt/log.h"

#define EVENT EVENT_DECLARE
#include "policy/events.def"
#undef EVENT

#endif
