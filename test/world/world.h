/* SPDX-License-Identifier: ISC
 *
 * Scenarios in the simulated world.  A scenario runs under one seed in a
 * process of its own; it says broken() when an invariant does not hold.
 */
#ifndef TEST_WORLD_WORLD_H
#define TEST_WORLD_WORLD_H

#include "rt/sim.h"

/* Sums over all seeds, in memory shared with the runner. */
struct tally {
    uint64_t sealed, ended, crashes, kills, io_errors, recoveries, copied,
        cooled, full, rotted, duplicates, delivered, bounced, deferred, refused,
        virtual_s;
};

/* Mistakes that the checks have to find. */
enum mutant { MUTANT_NONE, MUTANT_EARLY_ACK, MUTANT_FORGETS_DONE,
              MUTANT_STOPS_AT_HOLES, MUTANT_SAYS_NOTHING, N_MUTANTS };

struct run {
    uint64_t seed;
    enum mutant mutant;
    struct tally *tally;
    bool quiet;             /* a mutant's failures are nobody's news */
    int n_broken;
};

void broken(struct run *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The scenarios; arg is a struct run. */
err spool_scenario(struct task *t, void *run);
err mail_scenario(struct task *t, void *run);

/* What recovery is under MUTANT_FORGETS_DONE and MUTANT_STOPS_AT_HOLES
 * (forgetful.c). */
void recovery_forgets(bool yes);
void recovery_stops(bool yes);
void recovery_is_silent(bool yes);

static inline uint64_t below(struct task *t, uint64_t n)
{
    return rt_random_below(t, n);
}

static inline bool one_in(struct task *t, uint64_t n)
{
    return below(t, n) == 0;
}

#endif
