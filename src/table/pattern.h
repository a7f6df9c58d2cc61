/* SPDX-License-Identifier: ISC
 *
 * What regexp and pcre tables share: "/pattern/flags answer", if, endif and
 * negation around an engine.
 */
#ifndef TABLE_PATTERN_H
#define TABLE_PATTERN_H

#include "table/rules_kind.h"

/* A kind of regular expressions. */
struct engine {
    str type;
    const char *unclosed;  /* what happens to a rule with no closing mark */
    int options;           /* those that are on by themselves */
    bool pairs;            /* "/pattern/!/second/ answer" */
    /* The option bit of a letter after the pattern; 0: unknown. */
    int (*option)(char letter);
    /* Compiles into the arena.  *n_groups: groups in it.  False with a
     * note. */
    bool (*compile)(struct arena *a, str pattern, int options,
                    struct table_notes *notes, str where, int line,
                    void **compiled, int *n_groups);
    /* 1 matches (groups[0] is group 1, n_groups of them are set), 0 does not;
     * -1: could not be tried, with *trouble. */
    int (*match)(void *compiled, str subject, struct arena *a, str *groups,
                 int n_groups, const char **trouble);
};

void pattern_parse(const struct engine *e, struct arena *a, str text,
                   str origin, int flags, struct table_notes *notes,
                   struct rules *out);
err pattern_find(const struct engine *e, const struct rules *r, str key,
                 struct arena *a, str *value, struct table_notes *notes);

#endif
