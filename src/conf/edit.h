/* SPDX-License-Identifier: ISC
 *
 * Changing main.cf and master.cf as text: what is not asked for stays as it
 * is, comments and blank lines included.  Pure: old text in, new text out.
 */
#ifndef CONF_EDIT_H
#define CONF_EDIT_H

#include "conf/master_cf.h"

enum edit_how { EDIT_SET, EDIT_COMMENT_OUT, EDIT_REMOVE };

struct edit_report {
    vec_of(str) warnings;
    str fatal;           /* why the text cannot be edited; set on failure */
    int line;            /* of the text, when that is the reason; or 0 */
};

/* main.cf.  SET: gives name its value where it stands, or at the end;
 * the others comment its lines out or remove them and use no value. */
struct edit_main {
    str name, value;
    bool done;
};
void edit_main(struct arena *a, str text, enum edit_how how,
               struct edit_main *requests, size_t n, struct buf *out,
               struct edit_report *report);

/* master.cf.  name and type choose lines; "*" chooses all.
 *
 *     EDIT_ENTRY   SET puts value, a whole line, in the line's place (or at
 *                  the end); COMMENT_OUT and REMOVE as they say
 *     EDIT_FIELD   SET column to value
 *     EDIT_OPTION  SET -o option=value, or REMOVE it */
enum edit_what { EDIT_ENTRY, EDIT_FIELD, EDIT_OPTION };
struct edit_master {
    str written;         /* the request, for messages */
    str name, type;
    enum master_column column;
    str option, value;
    struct service entry; /* EDIT_ENTRY, SET: value, parsed */
    bool done;
};
err edit_master(struct arena *a, str text, enum edit_what what,
                enum edit_how how, struct edit_master *requests, size_t n,
                struct buf *out, struct edit_report *report);

#endif
