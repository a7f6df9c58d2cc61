/* SPDX-License-Identifier: ISC
 *
 * The table of master.cf's commands.
 */
#include "role/service.h"

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

/* A level that is not known must not become a lesser one. */
static str client_fault(const struct conf *c, bool lmtp, struct arena *a)
{
    static const str known[] = { S_INIT(""), S_INIT("none"), S_INIT("may"),
                                 S_INIT("encrypt"), S_INIT("verify"),
                                 S_INIT("secure") };
    enum param p = lmtp ? P_lmtp_tls_security_level
                        : P_smtp_tls_security_level;
    enum param maps = lmtp ? P_lmtp_tls_policy_maps : P_smtp_tls_policy_maps;
    bool found = false;

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        found |= str_ieq(conf_str(c, p), known[i]);
    if (!found)
        return arena_fmt(a, "%.*s: the level \"%.*s\" is not built in",
                         STR(conf_param(p)->name), STR(conf_str(c, p)));
    if (!str_empty(conf_str(c, maps)))
        return arena_fmt(a, "%.*s is not built in",
                         STR(conf_param(maps)->name));
    return S("");
}

str service_fault(const struct conf *c, const struct service *s,
                  struct arena *a)
{
    struct conf_findings findings = { 0 };
    bool lmtp = str_eq(s->command, S("lmtp"));
    struct conf *own;
    str fault = S("");

    if (!service_kind(s->command))
        fault = arena_fmt(a, "the program \"%.*s\" is not built in",
                          STR(s->command));
    else if ((lmtp || str_eq(s->command, S("smtp")))
             && !conf_of_service(a, c, s, &findings, &own))
        fault = client_fault(own, lmtp, a);
    return fault;
}
