/* SPDX-License-Identifier: ISC
 *
 * Looking at an alias before it is added.
 */
#ifndef ROLE_TOOL_ALIAS_CHECK_H
#define ROLE_TOOL_ALIAS_CHECK_H

#include "role/tool/admin.h"

/* The operands are the address and its targets.  ERR_DENIED with why(): it
 * would lead mail in a circle, or away from a user; with --force that is only
 * said.  Warns of targets that nobody here has. */
err alias_check(struct task *t, struct admin *ad);

#endif
