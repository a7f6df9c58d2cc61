/* SPDX-License-Identifier: ISC
 *
 * Defaults from the machine.
 *
 *     myhostname   the machine's name; without a dot, .mydomain is added
 *     mydomain     myhostname without its first part, or "localdomain"
 *     mynetworks   networks.c
 *
 * If myhostname is set and mentions $mydomain, and mydomain is not set, then
 * $mydomain is empty there, as in Postfix; conf_read refuses what comes of it.
 */
#include "conf/machine.h"

#include "conf/macro.h"
#include "conf/networks.h"

static str domain_of(str host)
{
    size_t dot = str_chr(host, '.');

    if (dot == STR_NONE)
        return S("localdomain");
    return str_skip(host, dot + 1);
}

err machine_names(struct arena *a, struct conf_scope *s, str dir,
                  const struct conf_facts *facts, str *complaint)
{
    const struct conf_entry *host = scope_written(s, S("myhostname"));
    str name = facts->hostname, domain;

    s->machine = (struct conf_machine){
        .myhostname = facts->hostname,
        .mydomain = S(""),
        .config_directory = dir,
        .process_name = facts->process_name,
        .process_id = facts->process_id,
        .service_name = facts->service_name,
    };
    if (host)
        TRY(macro_expand(s, a, host->value, &name, complaint));
    s->machine.mydomain = domain_of(name);
    if (str_chr(facts->hostname, '.') != STR_NONE)
        return OK;
    TRY(macro_expand(s, a, S("$mydomain"), &domain, complaint));
    s->machine.myhostname = arena_fmt(a, "%.*s.%.*s", STR(facts->hostname),
                                      STR(domain));
    return OK;
}

err machine_networks(struct arena *a, struct conf_scope *s,
                     const struct conf_facts *facts, str *complaint)
{
    str style, interfaces, protocols;

    TRY(macro_expand(s, a, S("$mynetworks_style"), &style, complaint));
    TRY(macro_expand(s, a, S("$inet_interfaces"), &interfaces, complaint));
    TRY(macro_expand(s, a, S("$inet_protocols"), &protocols, complaint));
    return networks_default(a, facts, style, interfaces, protocols,
                            &s->machine.mynetworks, complaint);
}
