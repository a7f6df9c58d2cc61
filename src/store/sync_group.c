/* SPDX-License-Identifier: ISC
 *
 * Group sync.  A round syncs the whole file system; whoever comes while one
 * runs waits for the next, which the first of them to wake starts.
 *
 * I1  sync_point returns OK only after a round that began after the call.
 * I2  A failed round fails everybody from then on: what is on disk is
 *     unknown, and asking again does not tell.
 */
#include "store/sync_group.h"

struct sync_group {
    struct dir *on;
    struct bell done;
    uint64_t started, ended;    /* rounds */
    bool running;
    err failed;
};

struct sync_group *sync_group_new(struct arena *a, struct dir *on)
{
    struct sync_group *g = arena_new(a, struct sync_group);

    g->on = on;
    return g;
}

static void round_run(struct task *t, struct sync_group *g)
{
    uint64_t round = ++g->started;
    err e;

    g->running = true;
    e = dir_sync_all_aside(t, g->on);
    g->running = false;
    g->ended = round;
    if (e)
        g->failed = e;          /* I2 */
    bell_ring_all(&g->done);
}

err sync_point(struct task *t, struct sync_group *g)
{
    uint64_t want = g->started + 1;

    while (g->ended < want && !g->failed) {
        if (g->running)
            TRY(bell_wait(t, &g->done, NEVER));
        else
            round_run(t, g);
    }
    return g->failed ? why(t, g->failed, "sync of the file system failed")
                     : OK;
}
