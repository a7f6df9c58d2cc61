/* SPDX-License-Identifier: ISC
 *
 * The text of main.cf as entries by name (postconf(5)), and the overrides of
 * -o options in the same form.
 */
#ifndef CONF_MAIN_CF_H
#define CONF_MAIN_CF_H

#include "conf/scope.h"

/* Reads all of text into entries (a map of struct conf_entry, allocated in
 * a): of entries with the same name the last one stays.  Findings are fatal
 * for a line that is no "name = value" and warnings for a name that is set
 * twice. */
void main_cf_parse(struct arena *a, str file, str text, struct map *entries,
                   struct conf_findings *findings);

/* One "name=value"; false with *complaint. */
bool main_cf_override(struct arena *a, str text, struct map *entries,
                      str *complaint);

#endif
