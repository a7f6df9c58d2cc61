/* SPDX-License-Identifier: ISC
 *
 * Becoming a role, for main.
 */
#ifndef ROLE_START_H
#define ROLE_START_H

#include "role/role.h"

/* Runs the role of this process until master or it ends; the exit status. */
int role_start(str name);

/* Runs master; the exit status. */
int master_start(const struct master_options *o);

#endif
