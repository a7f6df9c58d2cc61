/* SPDX-License-Identifier: ISC
 *
 * Connections by user.
 */
#include "role/crowd.h"

#include "test/unit/check.h"

#include <unistd.h>

TEST(role_crowd)
{
    uint32_t one = geteuid() + 1, other = one + 1;
    struct crowd c;
    int n = 0;
    bool say;

    crowd_init(&c);
    while (n < 1000 && crowd_enter(&c, one, &say))
        n++;
    check(n > 1 && n < 100);
    check(say);
    check(!crowd_enter(&c, one, &say) && !say);
    check(crowd_enter(&c, other, &say));
    crowd_leave(&c, one);
    check(crowd_enter(&c, one, &say));
    for (int i = 0; i < n; i++)
        crowd_leave(&c, one);
    check(crowd_enter(&c, one, &say));
    crowd_free(&c);
}
