/* SPDX-License-Identifier: ISC
 *
 * How settings are written: "name = value" and the columns of master.cf, on
 * one line or folded at 80 columns for human eyes.
 */
#ifndef CONF_LAYOUT_H
#define CONF_LAYOUT_H

#include "conf/conf.h"

struct layout {
    struct buf *out;
    bool fold;
    size_t column;       /* where the line stands */
    bool command;        /* folds one column earlier, as Postfix does */
    bool fresh;          /* a continuation line was begun: no blank is due */
};

/* Text as it is. */
void layout_text(struct layout *l, str text);

/* A word, with a blank before it unless it begins a line; where it would
 * pass the margin, on a new continuation line. */
void layout_word(struct layout *l, str word);

/* The words of a value. */
void layout_value(struct layout *l, str value);

/* The command and arguments of a service, arguments in braces where they
 * need them; folded, each -o stands on a line of its own. */
void layout_command(struct layout *l, const struct service *s);

/* A whole line of master.cf, its newline included. */
void layout_service(struct layout *l, const struct service *s);

/* The end of the line. */
void layout_end(struct layout *l);

#endif
