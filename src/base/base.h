/* SPDX-License-Identifier: ISC
 *
 * The soil: words and memory.  Everything above includes this.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <inttypes.h>
#include <stdarg.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/must.h"
#include "base/pack.h"
#include "base/scan.h"
#include "base/str.h"
#include "base/text.h"

#include "base/ban.h"

#endif
