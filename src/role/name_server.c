/* SPDX-License-Identifier: ISC
 *
 * lookup_dns_server and the files beside it.
 */
#include "role/name_server.h"

enum { DNS_PORT = 53 };

/* "192.0.2.1", "[2001:db8::1]:53", "127.0.0.1:5353". */
static err server_of(struct task *t, str text, struct endpoint *out)
{
    size_t end = str_chr(text, ']'), colon = str_rchr(text, ':');
    uint64_t port = DNS_PORT;
    str address = text;

    if (colon != STR_NONE && colon != str_chr(text, ':') && end == STR_NONE)
        colon = STR_NONE; /* IPv6 without a port */
    if (colon != STR_NONE && (end == STR_NONE || colon > end)) {
        address = str_head(text, colon);
        if (!str_uint(str_skip(text, colon + 1), 65535, &port))
            port = 0;
    }
    if (port == 0 || endpoint_parse(address, (uint16_t)port, out))
        return why(t, ERR_SYNTAX, "lookup_dns_server: bad address \"%.*s\"",
                   STR(text));
    return OK;
}

err name_server_settings(struct task *t, const struct conf *c,
                         struct dns_settings *out)
{
    str server = conf_str(c, P_lookup_dns_server);
    struct dns_settings s = {
        .hosts = conf_str(c, P_lookup_hosts_file),
        .root_key = conf_str(c, P_lookup_trust_anchor_file),
    };

    if (!str_empty(server))
        TRY(server_of(t, server, &s.server));
    *out = s;
    return OK;
}
