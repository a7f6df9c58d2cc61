/* SPDX-License-Identifier: ISC
 *
 * The table of master.cf's commands.
 */
#include "role/service.h"

#include "conf/lines.h"

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
