/* SPDX-License-Identifier: ISC
 *
 * The table of master.cf's commands.
 */
#include "role/service.h"

#include "conf/lines.h"

#include <arpa/inet.h>
#include <netdb.h>

const struct service_kind *service_kind(str command)
{
    static const struct service_kind kinds[] = {
#define SERVICE(command, listens, role) { S_INIT(command), listens, role },
#include "role/services.def"
#undef SERVICE
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (str_eq(kinds[i].command, command))
            return &kinds[i];
    return NULL;
}

/* An -o without its name=value, and words that a daemon has no use for, such
 * as what blanks around "=" leave over: with them the settings of the rest of
 * the line would be lost. */
static str arguments_fault(const struct service *s, struct arena *a)
{
    str name, value, complaint;

    for (size_t i = 0; i < s->n_options; i++) {
        if (!str_eq(s->argv[i], S("-o")))
            continue;
        if (++i == s->n_options)
            return S("option requires an argument -- 'o' (write -o "
                     "name=value)");
        if (!line_name_value(s->argv[i], &name, &value, &complaint))
            return arena_fmt(a, "invalid \"-o %.*s\" option value: %.*s "
                             "(write -o name=value without blanks, or -o "
                             "{ name = value })", STR(s->argv[i]),
                             STR(complaint));
    }
    if (s->n_options < s->n_argv && !str_eq(s->command, S("pipe")))
        return arena_fmt(a, "unexpected command-line argument: %.*s",
                         STR(s->argv[s->n_options]));
    return S("");
}

str service_fault(const struct service *s, struct arena *a)
{
    if (!service_kind(s->command))
        return arena_fmt(a, "the program \"%.*s\" is not built in",
                         STR(s->command));
    return arguments_fault(s, a);
}

/* For machines without /etc/services. */
static uint16_t mail_port(str name)
{
    static const struct { str name; uint16_t port; } ports[] = {
        { S_INIT("smtp"), 25 },         { S_INIT("submission"), 587 },
        { S_INIT("submissions"), 465 }, { S_INIT("smtps"), 465 },
        { S_INIT("lmtp"), 24 },         { S_INIT("sieve"), 4190 },
        { S_INIT("imap"), 143 },        { S_INIT("imaps"), 993 },
        { S_INIT("pop3"), 110 },        { S_INIT("pop3s"), 995 },
    };

    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
        if (str_eq(ports[i].name, name))
            return ports[i].port;
    return 0;
}

static bool port_number(struct arena *a, str name, uint16_t *port)
{
    const struct servent *found;
    uint64_t n;

    if (str_uint(name, 65535, &n)) {
        *port = (uint16_t)n;
        return true;
    }
    found = getservbyname(arena_cstr(a, name), "tcp");
    *port = found ? ntohs((uint16_t)found->s_port) : mail_port(name);
    return *port != 0;
}

bool service_address(const struct service *s, struct arena *a,
                     struct service_address *out)
{
    size_t colon = str_rchr(s->name, ':');
    str host = str_head(s->name, colon == STR_NONE ? 0 : colon);

    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_head(str_skip(host, 1), host.n - 2);
    out->host = host;
    out->port_name = colon == STR_NONE ? s->name : str_skip(s->name, colon + 1);
    return port_number(a, out->port_name, &out->port);
}
