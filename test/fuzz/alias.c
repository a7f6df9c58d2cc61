/* SPDX-License-Identifier: ISC
 *
 * Values of aliases, lines of .forward and :include: files.
 */
#include "auth/source.h"
#include "route/alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route r = { .myorigin = S("example.com"), .at_myorigin = true,
                       .swap_bangpath = true, .percent_hack = true };
    struct alias_actions acts = { { 0 } };
    struct auth_account account;
    struct arena a;

    arena_init(&a, 0);
    alias_items(&r, str_of(data, size), &a, &acts);
    for (size_t i = 0; i < acts.list.n; i++)
        if (acts.list.p[i].kind <= ALIAS_FORWARD)
            must(acts.list.p[i].address.local.n > 0);
    passwd_line(str_of(data, size), &a, &account);
    arena_reset(&a);
    return 0;
}
