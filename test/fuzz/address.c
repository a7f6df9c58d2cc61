/* SPDX-License-Identifier: ISC
 *
 * Paths, addresses and lists.  What was read is valid, and its external form
 * reads as the same address.
 */
#include "mail/address.h"
#include "mail/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct address *x, struct arena *a)
{
    struct address y;

    if (address_is_null(x))
        return;
    must(address_parse(address_external(x, a), a, 0, &y) == OK);
    must(str_eq(x->text, y.text) && str_eq(x->domain, y.domain));
    must(address_of(x->text, a, &y) == OK);
    must(str_eq(x->local, y.local) && str_eq(x->domain, y.domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    struct scan s = scan_of(in);
    struct address_list l = address_list_of(in);
    struct address_item item;
    struct address x;
    struct arena a;

    arena_init(&a, 0);
    for (int flags = 0; flags < 4; flags++) {
        s.at = 0;
        if (address_path(&s, &a, flags, &x) == OK)
            same_again(&x, &a);
    }
    if (address_of(in, &a, &x) == OK)
        same_again(&x, &a);
    while (address_list_next(&l, &a, &item)) {
        must(item.from <= item.to && item.to <= size);
        same_again(&item.address, &a);
    }
    host_valid(in, true);
    host_literal(in, NULL);
    arena_reset(&a);
    return 0;
}
