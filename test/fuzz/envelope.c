/* SPDX-License-Identifier: ISC
 *
 * Envelopes from the weaker side: what is unpacked packs to something that
 * unpacks to the same.
 */
#include "mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct envelope e, back;
    struct arena a;
    struct buf b, c;

    arena_init(&a, 0);
    if (envelope_unpack(str_of(data, size), &a, &e) == OK) {
        buf_init(&b, &a, 2 * size + 1000);
        envelope_pack(&e, &b);
        must(envelope_unpack(buf_str(&b), &a, &back) == OK);
        buf_init(&c, &a, 2 * size + 1000);
        envelope_pack(&back, &c);
        must(str_eq(buf_str(&b), buf_str(&c)));
    }
    arena_reset(&a);
    return 0;
}
