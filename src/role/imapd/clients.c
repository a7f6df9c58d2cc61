/* SPDX-License-Identifier: ISC
 *
 * Who visits the door: how many from one address.
 */
#include "role/imapd/imapd.h"

struct door_client {
    uint32_t n;
    char address[16];
};

static str address_of(const struct endpoint *peer)
{
    return str_of((const char *)peer->ip, peer->kind == ENDPOINT_IP4 ? 4 : 16);
}

bool door_client_enter(struct imapd *d, const struct endpoint *peer,
                       uint32_t max)
{
    str address = address_of(peer);
    struct door_client *c = map_get(&d->clients, address);

    if (!c) {
        c = heap_new(struct door_client);
        memcpy(c->address, address.p, address.n);
        map_put(&d->clients, str_of(c->address, address.n), c);
    }
    return ++c->n <= max;
}

void door_client_leave(struct imapd *d, const struct endpoint *peer)
{
    str address = address_of(peer);
    struct door_client *c = map_get(&d->clients, address);

    must(c && c->n > 0);
    if (--c->n > 0)
        return;
    map_del(&d->clients, address);
    heap_free(c);
}
