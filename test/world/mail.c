/* SPDX-License-Identifier: ISC
 *
 * The mail system.
 */
#include "test/world/world.h"

err mail_scenario(struct task *t, void *arg)
{
    (void)t;
    (void)arg;
    return OK;
}
