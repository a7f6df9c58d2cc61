/* SPDX-License-Identifier: ISC
 *
 * The text of master.cf as services (master(5)).  Only the grammar: whether a
 * service makes sense is conf.c's to say.
 */
#ifndef CONF_MASTER_CF_H
#define CONF_MASTER_CF_H

#include "conf/conf.h"

struct service_list {
    vec_of(struct service) list;
};

/* Reads all of text; every logical line gives a service or a finding.  Lines
 * with the same name and type are all kept. */
void master_cf_parse(struct arena *a, str file, str text,
                     struct service_list *services,
                     struct conf_findings *findings);

/* One logical line; false with *complaint.  Doubts about arguments that do
 * not spoil the line are findings. */
bool master_cf_line(struct arena *a, str file, int line, str text,
                    struct service *out, struct conf_findings *findings,
                    str *complaint);

/* Numbers of the columns, as in service.raw, and their names. */
enum master_column { COLUMN_SERVICE, COLUMN_TYPE, COLUMN_PRIVATE,
                     COLUMN_UNPRIVILEGED, COLUMN_CHROOT, COLUMN_WAKEUP,
                     COLUMN_LIMIT, COLUMN_COMMAND, N_COLUMNS };
str master_column_name(enum master_column column);

/* Whether value can stand in that column. */
bool master_column_valid(enum master_column column, str value);

str service_type_name(enum service_type type);
bool service_type_find(str name, enum service_type *type);

/* Walks the -o options: *at starts at 0 and is then the index of the value
 * in argv; false at the end.  Values without = are passed over. */
bool service_option_next(const struct service *s, size_t *at, str *name,
                         str *value);

#endif
