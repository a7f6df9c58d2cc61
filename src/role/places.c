/* SPDX-License-Identifier: ISC
 *
 * The list itself.
 */
#include "role/places.h"

static const struct place_dir below_queue[] = {
    { S_INIT("pid"), 0755, false },
    { S_INIT("public"), 0755, true },
    { S_INIT("private"), 0700, true },
    { S_INIT("log"), 0700, true },
    { S_INIT("maildrop"), 01733, true },
    { S_INIT("incoming"), 0700, true },
    { S_INIT("active"), 0700, true },
    { S_INIT("deferred"), 0700, true },
    { S_INIT("hold"), 0700, true },
    { S_INIT("corrupt"), 0700, true },
};

enum { N_BELOW = sizeof(below_queue) / sizeof(*below_queue), N_TOP = 2 };

const struct place_dir *place_dirs(const struct conf *c, struct arena *a,
                                   size_t *n)
{
    struct place_dir *all = arena_array(a, struct place_dir, N_TOP + N_BELOW);
    str queue = conf_str(c, P_queue_directory);

    all[0] = (struct place_dir){ queue, 0755, false };
    all[1] = (struct place_dir){ conf_str(c, P_data_directory), 0700, true };
    for (size_t i = 0; i < N_BELOW; i++) {
        all[N_TOP + i] = below_queue[i];
        all[N_TOP + i].path = arena_fmt(a, "%.*s/%.*s", STR(queue),
                                        STR(below_queue[i].path));
    }
    *n = N_TOP + N_BELOW;
    return all;
}

/* Beside the pid file: only root makes files there. */
str place_command(const struct conf *c, struct arena *a)
{
    return arena_fmt(a, "%.*s/pid/master.command",
                     STR(conf_str(c, P_queue_directory)));
}
