/* SPDX-License-Identifier: ISC
 *
 * From text to typed values: numbers, yes and no, times, lists.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/conf.h"

/* A value of p's kind and within its bounds.  False with *complaint (in a),
 * which says what is wrong and what to write instead. */
bool value_parse(struct arena *a, enum param p, str text, int64_t *number,
                 str *complaint);

/* The next token of *rest, by blanks and commas (also = CONF_LIST_SEPS) that
 * stand outside braces; false when there is none. */
bool value_token(str *rest, str seps, str *token);

/* A compatibility level, major[.minor[.patch]], as a number that orders as
 * the levels do. */
bool level_parse(str text, int64_t *level);

#define CONF_LIST_SEPS S(", \t\r\n")
#define CONF_SPACES S(" \t\r\n\v\f")

#endif
