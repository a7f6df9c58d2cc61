/* SPDX-License-Identifier: ISC
 *
 * Where a name gets its text from.
 */
#include "conf/scope.h"

bool scope_read_only(str name)
{
    return str_eq(name, S("process_name")) || str_eq(name, S("process_id"));
}

const struct conf_entry *scope_written(const struct conf_scope *s, str name)
{
    const struct conf_entry *entry = NULL;

    if (scope_read_only(name))
        return NULL;
    if (s->overrides)
        entry = map_get(s->overrides, name);
    if (!entry && s->main)
        entry = map_get(s->main, name);
    return entry;
}

bool scope_preset(const struct conf_scope *s, str name, str *text)
{
    enum param p = conf_param_find(name);
    const struct conf_entry *derived;

    switch (p) {
    case P_myhostname:
        *text = s->machine.myhostname;
        return true;
    case P_mydomain:
        *text = s->machine.mydomain;
        return true;
    case P_mynetworks:
        *text = s->machine.mynetworks;
        return true;
    case P_config_directory:
        *text = s->machine.config_directory;
        return true;
    case P_process_name:
        *text = s->machine.process_name;
        return true;
    case P_process_id:
        *text = s->machine.process_id;
        return true;
    case P_service_name:
        *text = s->machine.service_name;
        return true;
    case N_PARAMS:
        break;
    default:
        *text = conf_param(p)->preset;
        return true;
    }
    derived = s->transports ? map_get(s->transports, name) : NULL;
    if (!derived)
        return false;
    *text = derived->value;
    return true;
}

bool scope_text(const struct conf_scope *s, str name, str *text)
{
    const struct conf_entry *entry = scope_written(s, name);

    if (!entry)
        return scope_preset(s, name, text);
    *text = entry->value;
    return true;
}
