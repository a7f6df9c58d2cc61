/* SPDX-License-Identifier: ISC
 *
 * Which parameter names mean something.  Built-in names do; so do names that
 * services give (TRANSPORT_destination_recipient_limit), restriction classes,
 * the parameters of database clients (for "ldap:name" name_server_host), and
 * whatever another value asks for as $name.  What is set and means nothing
 * is probably misspelt.
 */
#ifndef CONF_NAMES_H
#define CONF_NAMES_H

#include "conf/macro.h"
#include "conf/master_cf.h"

enum name_class { NAME_NONE, NAME_BUILTIN, NAME_SERVICE, NAME_USER };

/* A name that is set without meaning, or asked for without being set, or set
 * although it cannot be. */
enum doubt_kind { DOUBT_UNUSED, DOUBT_UNDEFINED, DOUBT_READ_ONLY };
struct name_doubt {
    enum doubt_kind kind;
    bool in_master;      /* in master.cf, not main.cf */
    int line;
    str name, value;     /* value: of what is set */
};
struct name_doubts {
    vec_of(struct name_doubt) list;
};

struct names;

/* entries: main.cf's; services: all lines of master.cf. */
struct names *names_find(struct arena *a, const struct map *entries,
                         const struct service_list *services);

enum name_class names_class(const struct names *n, str name);

/* The defaults of names that services give: a map of struct conf_entry. */
const struct map *names_transports(const struct names *n);

/* The doubts in order of the files. */
const struct name_doubts *names_doubts(const struct names *n);

/* "unused parameter: a=b" and the like, as Postfix words it. */
str name_doubt_text(struct arena *a, const struct name_doubt *d);

#endif
