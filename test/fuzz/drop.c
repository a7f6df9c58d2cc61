/* SPDX-License-Identifier: ISC
 *
 * Maildrop files come from anybody who may drop mail here.
 */
#include "role/tool/drop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct envelope e;
    struct arena a;
    struct buf again;
    str text;

    arena_init(&a, 0);
    if (!drop_unpack(in, &a, &e, &text)) {
        buf_init(&again, &a, size + 64);
        drop_pack(&e, text, &again);
        must(!drop_unpack(buf_str(&again), &a, &e, &text));
    }
    arena_reset(&a);
    return 0;
}
