/* SPDX-License-Identifier: ISC
 *
 * A recovery that takes no notice of GONE records: the spool's own, compiled
 * once more with that one word changed.  The linker lets calls of log_recover
 * come here first (--wrap).
 */
#include "spool/events.h"
#include "spool/log.h"
#include "test/world/world.h"

#pragma GCC diagnostic ignored "-Wswitch"
err log_recover_forgetful(struct task *t, struct log *lg);
#define log_recover log_recover_forgetful
#define RECORD_GONE 99
#include "spool/recover.c"
#undef log_recover

static bool forgets;

void recovery_forgets(bool yes)
{
    forgets = yes;
}

err __real_log_recover(struct task *t, struct log *lg);
err __wrap_log_recover(struct task *t, struct log *lg);

err __wrap_log_recover(struct task *t, struct log *lg)
{
    return forgets ? log_recover_forgetful(t, lg)
                   : __real_log_recover(t, lg);
}
