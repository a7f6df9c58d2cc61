/* SPDX-License-Identifier: ISC
 *
 * What the directory's file consists of.
 */
#ifndef AUTH_DIRECTORY_SCHEMA_H
#define AUTH_DIRECTORY_SCHEMA_H

#include "auth/directory_sql.h"

/* Makes what is missing in a new file. */
err directory_schema_make(struct task *t, struct sql *s);

/* Adds the indexes that a file of an earlier release does not have. */
err directory_schema_index(struct task *t, struct sql *s);

/* ERR_CORRUPT with why(): no directory, or one of a later version. */
err directory_schema_check(struct task *t, struct sql *s, str path);

#endif
