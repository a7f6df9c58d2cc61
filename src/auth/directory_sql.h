/* SPDX-License-Identifier: ISC
 *
 * Statements on the directory's file, with the values bound, never pasted.
 */
#ifndef AUTH_DIRECTORY_SQL_H
#define AUTH_DIRECTORY_SQL_H

#include "rt/rt.h"

struct sql;

enum { SQL_COLUMNS_MAX = 8, SQL_ROWS_MAX = 1000000 };

struct sql_row {
    str column[SQL_COLUMNS_MAX];
};
struct sql_rows {
    vec_of(struct sql_row) list;
};

/* Opens (or makes) a database file; closed with a. */
err sql_open(struct task *t, struct arena *a, str path, bool write,
             bool create, struct sql **out);

/* Runs one statement.  Its rows, if any, are in rows_a and added to *rows
 * (both may be NULL); *changed (may be NULL) is how many rows it changed.
 * ERR_DENIED: a constraint forbids it; ERR_IO with why() else. */
err sql_run(struct task *t, struct sql *s, str statement, const str *values,
            size_t n_values, struct arena *rows_a, struct sql_rows *rows,
            size_t *changed);

/* Runs several statements without values or rows. */
err sql_script(struct task *t, struct sql *s, str statements);

#endif
