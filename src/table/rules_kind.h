/* SPDX-License-Identifier: ISC
 *
 * Tables that are rules (regexp, pcre, cidr): their parsers, pure, and how a
 * table comes from one.
 */
#ifndef TABLE_RULES_KIND_H
#define TABLE_RULES_KIND_H

#include "table/kind.h"
#include "table/rules.h"

/* Reads a whole text; out->where is set.  What cannot be used is a note, the
 * rest stands.  flags: TABLE_NO_GROUPS. */
typedef void rules_parser(struct arena *a, str text, str origin, int flags,
                          struct table_notes *notes, struct rules *out);
rules_parser cidr_parse, regexp_parse, pcre_parse;

/* Asks.  *trouble is set to a note in a when a rule could not be tried (then
 * it counts as one that did not match). */
err cidr_find(const struct rules *r, str key, struct arena *a, str *value);
err regexp_find(const struct rules *r, str key, struct arena *a, str *value,
                struct table_notes *notes);
err pcre_find(const struct rules *r, str key, struct arena *a, str *value,
              struct table_notes *notes);

/* Reads data, or the name's own { {rule}, ... }, with the parser on a helper
 * thread (patterns need a deep stack), complains, and stores the rules as the
 * table's state. */
err rules_open(struct task *t, struct table *tb,
               const struct table_data *data, rules_parser *parse);

#endif
