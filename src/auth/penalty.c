/* SPDX-License-Identifier: ISC
 *
 * Counting guesses.
 */
#include "auth/penalty.h"

#include <string.h>

enum { FORGET_S = 120, MAX_MS = 16000, FREE = 1, PREFIX_SIZE = 8 };

static uint64_t pair_hash(str user, str secret)
{
    uint64_t both[2] = { str_hash(user, true), str_hash(secret, false) };

    return str_hash(str_of(both, sizeof(both)), false);
}

void penalty_good_note(struct penalty_good *g, str user, str secret)
{
    uint64_t pair = pair_hash(user, secret);

    g->pairs[pair % PENALTY_GOOD] = pair;
}

bool penalty_good_known(const struct penalty_good *g, str user, str secret)
{
    uint64_t pair = pair_hash(user, secret);

    return g->pairs[pair % PENALTY_GOOD] == pair;
}

struct penalty *penalty_of(struct penalty *places, str client)
{
    static const char mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\377',
                                   '\377' };
    struct endpoint e;
    str key = client;

    if (!endpoint_parse(client, 0, &e)) {
        if (e.kind == ENDPOINT_IP4)
            key = str_of(e.ip, 4);
        else if (memcmp(e.ip, mapped, sizeof(mapped)) == 0)
            key = str_of(e.ip + sizeof(mapped), 4);
        else
            key = str_of(e.ip, PREFIX_SIZE);
    }
    return &places[str_hash(key, false) % PENALTY_PLACES];
}

static bool fresh(const struct penalty_guess *g, when now)
{
    return g->at && now - g->at <= FORGET_S * (when)1000000;
}

static int64_t penalty_ms(const struct penalty *p, when now)
{
    int64_t ms = 1000;
    int n = 0;

    for (int i = 0; i < PENALTY_GUESSES; i++)
        n += fresh(&p->guesses[i], now);
    if (n <= FREE)
        return 0;
    for (int i = FREE; i < n && ms < MAX_MS; i++)
        ms *= 2;
    return ms < MAX_MS ? ms : MAX_MS;
}

static struct penalty_guess *find(struct penalty *p, when now, uint64_t pair)
{
    for (int i = 0; i < PENALTY_GUESSES; i++)
        if (fresh(&p->guesses[i], now) && p->guesses[i].pair == pair)
            return &p->guesses[i];
    return NULL;
}

int64_t penalty_ms_of(struct penalty *p, when now, str user, str secret)
{
    return find(p, now, pair_hash(user, secret)) ? 0 : penalty_ms(p, now);
}

void penalty_note(struct penalty *p, when now, str user, str secret)
{
    struct penalty_guess new = { now ? now : 1, str_hash(user, true),
                                 pair_hash(user, secret) };
    struct penalty_guess *at = find(p, now, new.pair); /* I1 */

    if (!at) {
        at = &p->guesses[0];
        for (int i = 1; i < PENALTY_GUESSES; i++)
            if (p->guesses[i].at < at->at)
                at = &p->guesses[i];
    }
    *at = new;
}

void penalty_forgive(struct penalty *p, str user)
{
    uint64_t hash = str_hash(user, true);

    for (int i = 0; i < PENALTY_GUESSES; i++)
        if (p->guesses[i].user == hash)
            p->guesses[i] = (struct penalty_guess){ 0 };
}
