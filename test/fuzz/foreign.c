/* SPDX-License-Identifier: ISC
 *
 * Queue files that somebody else's Postfix left; an envelope that was read
 * must be one that we can pack and unpack.
 */
#include "role/tool/foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct foreign_mail m;
    struct envelope e;
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    if (!foreign_read(str_of(data, size), &a, &m)) {
        buf_init(&b, &a, 16 * size + 4096);
        envelope_pack(&m.envelope, &b);
        must(b.over || !envelope_unpack(buf_str(&b), &a, &e));
    }
    arena_reset(&a);
    return 0;
}
