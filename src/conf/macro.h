/* SPDX-License-Identifier: ISC
 *
 * $name and its relatives (postconf(5)):
 *
 *     $name ${name} $(name)         the value, itself expanded
 *     ${name?text} ${name:text}     text if the value is (not) there
 *     ${name?{text}:{text}}         one or the other
 *     ${{a} == {b} ? {x} : {y}}     also != < <= > >=, and ==level ...
 *     $$                            a dollar sign
 *
 * "There" means not empty as written, before it is expanded.  Comparison is
 * by number when both sides are all digits, else by bytes; with "level"
 * behind the operator both are compatibility levels (major.minor.patch).
 *
 * M1  Work is bounded whatever the text: depth, number of references, and
 *     size of the result.
 */
#ifndef CONF_MACRO_H
#define CONF_MACRO_H

#include "conf/scope.h"

#define MACRO_DEPTH_MAX 100
#define MACRO_STEPS_MAX 10000
#define MACRO_SIZE_MAX ((size_t)1 << 20)

/* Expands text in a.  ERR_SYNTAX with *complaint (in a) if it cannot be. */
err macro_expand(const struct conf_scope *scope, struct arena *a, str text,
                 str *out, str *complaint);

/* The names that text asks for, in every branch, in order and repeated as
 * they are.  An unreadable part ends the search of that part. */
struct macro_names {
    vec_of(str) list;
};
void macro_names_find(struct arena *a, str text, struct macro_names *names);

/* Whether text itself, not its branches, can be read.  ERR_SYNTAX with
 * *complaint. */
err macro_check(struct arena *a, str text, str *complaint);

#endif
