/* SPDX-License-Identifier: ISC
 *
 * Recoveries with a mistake: the spool's own code, compiled once more with
 * one word changed.  The linker lets calls come here first (--wrap).
 */
#include "spool/events.h"
#include "spool/log.h"
#include "test/world/world.h"

/* GONE records are taken no notice of. */
#pragma GCC diagnostic ignored "-Wswitch"
void log_replay_forgetful(struct task *t, struct log *lg,
                          struct segment *s, const struct record *r);
#define log_replay log_replay_forgetful
#define RECORD_GONE 99
#include "spool/replay.c"
#undef log_replay
#undef RECORD_GONE

static bool forgets, stops, silent;

void recovery_forgets(bool yes)
{
    forgets = yes;
}

void recovery_stops(bool yes)
{
    stops = yes;
}

void recovery_is_silent(bool yes)
{
    silent = yes;
}

void __real_log_replay(struct task *t, struct log *lg,
                       struct segment *s, const struct record *r);
void __wrap_log_replay(struct task *t, struct log *lg,
                       struct segment *s, const struct record *r);

void __wrap_log_replay(struct task *t, struct log *lg,
                       struct segment *s, const struct record *r)
{
    if (forgets)
        log_replay_forgetful(t, lg, s, r);
    else
        __real_log_replay(t, lg, s, r);
}

/* The first batch that does not count ends a segment, without a word. */
size_t __real_batch_next(str bytes, size_t at, const struct segment *s,
                         struct batch_head *head);
size_t __wrap_batch_next(str bytes, size_t at, const struct segment *s,
                         struct batch_head *head);

size_t __wrap_batch_next(str bytes, size_t at, const struct segment *s,
                         struct batch_head *head)
{
    size_t found = __real_batch_next(bytes, at, s, head);

    return stops && found != at ? bytes.n : found;
}

/* Damage is nobody's business. */
void __real_damage_note(struct task *t, struct spool *sp, str line);
void __wrap_damage_note(struct task *t, struct spool *sp, str line);

void __wrap_damage_note(struct task *t, struct spool *sp, str line)
{
    if (!silent)
        __real_damage_note(t, sp, line);
}
