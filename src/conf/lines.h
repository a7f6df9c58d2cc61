/* SPDX-License-Identifier: ISC
 *
 * Logical lines, as main.cf and master.cf both have them: blank lines and
 * lines whose first visible character is # are nothing, wherever they stand;
 * a line that starts with a blank goes on where the logical line before it
 * ended.
 */
#ifndef CONF_LINES_H
#define CONF_LINES_H

#include "base/base.h"

struct conf_lines {
    str rest;
    int line;      /* number of the physical line that rest starts with */
};

struct conf_line {
    str text;      /* joined, without blanks at its end */
    int line;      /* number of its first physical line */
    bool stray;    /* starts with a blank: there is nothing to go on from */
};

static inline struct conf_lines conf_lines_of(str text)
{
    return (struct conf_lines){ text, 1 };
}

/* The next logical line, joined in a if it has several parts; false at the
 * end. */
bool conf_lines_next(struct conf_lines *l, struct arena *a,
                     struct conf_line *out);

/* Kinds of physical lines, for who edits them (edit.c). */
enum line_kind { LINE_NOTHING, LINE_STARTS, LINE_GOES_ON };
enum line_kind line_kind_of(str physical);

/* Takes one physical line with its newline, if it has one. */
bool line_physical(str *rest, str *line);

/* Splits "name = value"; blanks around both go.  False with the complaint
 * that Postfix has, such as "missing '=' after attribute name". */
bool line_name_value(str line, str *name, str *value, str *complaint);

#endif
