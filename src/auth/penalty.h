/* SPDX-License-Identifier: ISC
 *
 * Who guessed lately.  A table of fixed size: clients share a place if their
 * keyed hashes meet.  An IPv6 client is its /64, since it may take any address
 * in there.
 *
 * I1  The same name with the same password counts once: programs try one
 *     password by every mechanism that they know.  It tells a guesser nothing
 *     new, so it waits for nothing either.
 * I2  Who logs in loses what was counted against that name, and nothing else:
 *     an account of one's own is no licence to guess others'.
 */
#ifndef AUTH_PENALTY_H
#define AUTH_PENALTY_H

#include "rt/rt.h"

enum { PENALTY_PLACES = 1024, PENALTY_GUESSES = 12,
       PENALTY_GOOD = 4096 };

struct penalty_guess {
    when at;            /* 0: none */
    uint64_t user, pair;
};

struct penalty {
    struct penalty_guess guesses[PENALTY_GUESSES];
};

/* Keyed hashes of names with passwords that were right lately: who comes with
 * one of them again is no guesser. */
struct penalty_good {
    uint64_t pairs[PENALTY_GOOD];
};
void penalty_good_note(struct penalty_good *g, str user, str secret);
bool penalty_good_known(const struct penalty_good *g, str user, str secret);

/* The place of a client; client is its address, any text is fine. */
struct penalty *penalty_of(struct penalty *places, str client);

/* What this guess costs after those that stand there. */
int64_t penalty_ms_of(struct penalty *p, when now, str user, str secret);

void penalty_note(struct penalty *p, when now, str user, str secret);
void penalty_forgive(struct penalty *p, str user);

#endif
