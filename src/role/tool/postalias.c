/* SPDX-License-Identifier: ISC
 *
 * postalias(1): postmap for the texts of aliases(5).
 */
#include "role/tool/postmap.h"

int tool_postalias(struct task *t, const struct tool_args *args)
{
    struct arena a;
    struct postmap pm = { .args = args, .arena = &a, .aliases = true };
    int status;

    arena_init(&a, 0);
    status = postmap_main(t, &pm);
    arena_reset(&a);
    return status;
}
