/* SPDX-License-Identifier: ISC
 *
 * Templates with %s, %u, %d, %S, %U, %D, %1 ... %9 and %%, as the *_table(5)
 * pages of databases and directories have them; and the settings files of
 * those tables.  Pure.
 */
#ifndef TABLE_TEMPLATE_H
#define TABLE_TEMPLATE_H

#include "table/lines.h"

/* A key or value taken apart. */
struct template_parts {
    str whole, user, domain; /* domain.p NULL: not USER@DOMAIN */
};
struct template_parts template_parts(str s);

/* Whether text is a template. */
bool template_valid(str text);

/* Appends text with its parts filled in from key and (for %s %u %d of a
 * result format) from value; value NULL: those are the key's.  False if a
 * part is missing or empty where it must not be: then there is no query, or
 * no such value. */
bool template_fill(str text, const struct template_parts *key,
                   const struct template_parts *value, struct buf *to);

/* A query as a prepared statement: each string literal that holds a part, and
 * each part outside of one, became ?1, ?2, ...; binds[i] is the template of
 * ?i+1.  What the client sent can therefore never be read as SQL. */
struct template_query {
    str sql;
    str *binds;
    size_t n_binds;
};
void template_query(struct arena *a, str text, struct template_query *out);

/* A file of "name = value" lines.  ERR_SYNTAX with a note. */
struct settings {
    struct map *by_name;     /* to str * */
    str origin;              /* the file, or a prefix for main.cf */
};
err settings_parse(struct arena *a, str text, str origin,
                   struct table_notes *notes, struct settings *out);

#endif
