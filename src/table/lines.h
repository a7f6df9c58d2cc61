/* SPDX-License-Identifier: ISC
 *
 * Logical lines, as all texts of tables have them: blank lines and lines
 * whose first visible character is "#" do not count, wherever they stand; a
 * line that starts with a blank continues the one before.  Pure.
 */
#ifndef TABLE_LINES_H
#define TABLE_LINES_H

#include "base/base.h"

/* Complaints of a pure parser, in order. */
struct table_notes {
    struct arena *arena;
    vec_of(str) list;
};
void table_note(struct table_notes *notes, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct lines {
    str text;
    str origin;      /* for complaints */
    size_t at;
    int line;        /* physical lines read so far */
    struct arena *arena;
    struct table_notes *notes; /* may be NULL */
};

/* The next logical line without blanks at its end, cut at a NUL: a slice of
 * the text, or in the arena.  *line is the number of its first physical line.
 * False at the end. */
bool lines_next(struct lines *l, str *logical, int *line);

/* Splits "key whitespace value": the key ends at the first blank that is
 * neither inside "" nor behind a backslash.  False when a quote is not
 * closed.  Key or value may come out empty. */
bool lines_pair(str logical, str *key, str *value);

/* Takes the next item off a list with commas and blanks between; what stands
 * in { } is not split.  False when there is none. */
bool items_next(str *rest, str *item);

/* *inner is what stands inside the { } that are all of text, without blanks
 * at its ends.  NULL, or what is wrong. */
const char *braces_strip(str text, str *inner);

#endif
