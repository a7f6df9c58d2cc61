/* SPDX-License-Identifier: ISC
 *
 * The name of the zone that this machine's clock shows: "CET", "UTC".
 */
#include "role/zone.h"

#include <time.h>

str role_zone_name(struct task *t, struct arena *a)
{
    time_t s = (time_t)(rt_wall(t) / 1000000);
    struct tm tm;

    localtime_r(&s, &tm);
    return arena_str(a, str_from(tm.tm_zone));
}
