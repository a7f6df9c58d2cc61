/* SPDX-License-Identifier: ISC
 *
 * Where a name gets its text from: the overrides of a service or command
 * line, main.cf, the defaults of transports' own parameters, the built-in
 * defaults; in this order.
 */
#ifndef CONF_SCOPE_H
#define CONF_SCOPE_H

#include "conf/conf.h"

/* What was written about one parameter. */
struct conf_entry {
    str name, value;
    int line;            /* 0: from an override */
};

/* Defaults that the machine gives. */
struct conf_machine {
    str myhostname, mydomain, mynetworks, config_directory;
    str process_name, process_id, service_name;
};

struct conf_scope {
    const struct map *overrides; /* of struct conf_entry; NULL: none */
    const struct map *main;      /* the same */
    const struct map *transports;/* the same: defaults of derived names */
    struct conf_machine machine;
};

/* What was written, by override or in main.cf, or NULL. */
const struct conf_entry *scope_written(const struct conf_scope *s, str name);

/* The built-in default or a transport's derived one; false if name has
 * none. */
bool scope_preset(const struct conf_scope *s, str name, str *text);

/* One or the other. */
bool scope_text(const struct conf_scope *s, str name, str *text);

/* process_name and process_id: facts that nobody can set. */
bool scope_read_only(str name);

#endif
