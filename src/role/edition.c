/* SPDX-License-Identifier: ISC
 *
 * Making an edition, holding it, leaving it.
 */
#include "role/edition.h"

struct edition *edition_new(uint32_t number)
{
    struct edition *e = heap_new(struct edition);

    arena_init(&e->memory, 0);
    list_init(&e->keys);
    e->number = number;
    e->n_users = 1;
    return e;
}

struct edition *edition_hold(struct edition *e)
{
    must(e->n_users > 0);
    e->n_users++;
    return e;
}

void edition_leave(struct edition *e)
{
    if (!e)
        return;
    must(e->n_users > 0);
    if (--e->n_users > 0)
        return;
    arena_reset(&e->memory);
    heap_free(e);
}

const struct role_keys *edition_keys(const struct edition *e,
                                     uint32_t service)
{
    list_each(l, &e->keys) {
        const struct role_keys *k = container_of(l, struct role_keys, link);
        if (k->service == service)
            return k;
    }
    return NULL;
}
