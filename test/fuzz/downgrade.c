/* SPDX-License-Identifier: ISC
 *
 * Mail that is converted to seven bits: once is enough.
 */
#include "mail/downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once, twice;
    struct arena a;

    arena_init(&a, 0);
    buf_init(&once, &a, 8 * size + 4096);
    buf_init(&twice, &a, 8 * (8 * size + 4096));
    mime_downgrade(str_of(data, size), &a, &once);
    must(!once.over || size > 4096);
    mime_downgrade(buf_str(&once), &a, &twice);
    arena_reset(&a);
    return 0;
}
