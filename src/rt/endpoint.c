/* SPDX-License-Identifier: ISC
 *
 * Addresses as text and back.  Pure.
 */
#include "rt/sock.h"

#include <arpa/inet.h>

err endpoint_parse(str address, uint16_t port, struct endpoint *out)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct endpoint e = { .port = port };

    if (address.n >= 2 && address.p[0] == '['
        && address.p[address.n - 1] == ']')
        address = str_head(str_skip(address, 1), address.n - 2);
    if (str_istarts(address, S("IPv6:")))
        address = str_skip(address, 5);
    if (address.n == 0 || address.n >= sizeof(text))
        return ERR_SYNTAX;
    memcpy(text, address.p, address.n);
    text[address.n] = 0;
    if (inet_pton(AF_INET, text, e.ip) == 1)
        e.kind = ENDPOINT_IP4;
    else if (inet_pton(AF_INET6, text, e.ip) == 1)
        e.kind = ENDPOINT_IP6;
    else
        return ERR_SYNTAX;
    *out = e;
    return OK;
}

err endpoint_unix(str path, struct endpoint *out)
{
    struct endpoint e = { .kind = ENDPOINT_UNIX };

    if (path.n == 0 || path.n >= sizeof(e.path))
        return ERR_LIMIT;
    memcpy(e.path, path.p, path.n);
    *out = e;
    return OK;
}

str endpoint_address(const struct endpoint *e, struct arena *a)
{
    char text[INET6_ADDRSTRLEN];

    if (e->kind != ENDPOINT_IP4 && e->kind != ENDPOINT_IP6)
        return S("unknown");
    inet_ntop(e->kind == ENDPOINT_IP4 ? AF_INET : AF_INET6, e->ip, text,
              sizeof(text));
    return arena_str(a, str_from(text));
}

str endpoint_text(const struct endpoint *e, struct arena *a)
{
    str address;

    if (e->kind == ENDPOINT_UNIX)
        return arena_str(a, str_from(e->path));
    address = endpoint_address(e, a);
    return arena_fmt(a, "[%.*s]:%u", STR(address), e->port);
}

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == ENDPOINT_UNIX)
        return str_eq(str_from(a->path), str_from(b->path));
    return memcmp(a->ip, b->ip, a->kind == ENDPOINT_IP4 ? 4 : 16) == 0;
}
