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
