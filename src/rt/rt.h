/* SPDX-License-Identifier: ISC
 *
 * The ground: tasks, time, the outside.
 */
#ifndef RT_RT_H
#define RT_RT_H

#include "rt/file.h"
#include "rt/log.h"
#include "rt/port.h"
#include "rt/process.h"
#include "rt/sock.h"
#include "rt/task.h"
#include "rt/world.h"

#endif
