/* SPDX-License-Identifier: ISC
 *
 * The directories that must be there before the system runs: master makes
 * them, `postfix check` looks at them; and where master is asked.
 */
#ifndef ROLE_PLACES_H
#define ROLE_PLACES_H

#include "conf/conf.h"

struct place_dir {
    str path;
    uint32_t mode;
    bool owned;     /* by mail_owner, else by root */
};

/* All of them in the order in which they are made; in a.  *n: how many. */
const struct place_dir *place_dirs(const struct conf *c, struct arena *a,
                                   size_t *n);

/* The socket on which master hears of reloads; in a. */
str place_command(const struct conf *c, struct arena *a);

#endif
