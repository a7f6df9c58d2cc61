/* SPDX-License-Identifier: ISC
 *
 * What regexp, pcre and cidr tables have in common: rules in order, if and
 * endif around them, and answers that quote what matched.  Pure.
 *
 * I1  Every RULE_IF has an end: the index of its RULE_ENDIF, or of one past
 *     the last rule.  Ends nest.
 */
#ifndef TABLE_RULES_H
#define TABLE_RULES_H

#include "table/lines.h"

enum rule_kind { RULE_ANSWER, RULE_IF, RULE_ENDIF };

/* An answer with $1 in it: literal pieces (group 0) and groups. */
struct piece {
    int group;
    str text;
};
struct answer {
    const struct piece *p;
    size_t n;
    int group_max;       /* the highest group it names */
};

struct rule {
    enum rule_kind kind;
    int line;
    bool negated;
    size_t end;          /* RULE_IF; while open: the one around it + 1 */
    struct answer answer;
    void *pattern;       /* of the engine, or a struct netblock */
    void *second;        /* of the engine: it must hold too; or NULL */
    bool second_negated;
};

struct rules {
    vec_of(struct rule) list;
    size_t open;         /* the innermost open RULE_IF + 1 */
    str where;           /* "regexp map NAME", for complaints */
};

/* Adds a rule to the list; an ENDIF closes the innermost IF and must not be
 * added when rules_in_if() is false. */
void rules_add(struct arena *a, struct rules *r, struct rule rule);
bool rules_in_if(const struct rules *r);

/* After the last rule: complains about what is still open. */
void rules_end(struct rules *r, struct table_notes *notes);

/* The index of the rule to try after rule i, which held or not. */
size_t rules_step(const struct rules *r, size_t i, bool held);

/* Reads the text of an answer: $1 ${1} $(1) $$.  False with a note when it is
 * not one. */
bool answer_parse(struct arena *a, struct table_notes *notes, str where,
                  int line, str text, struct answer *out);

/* A text that is taken as it is. */
struct answer answer_plain(struct arena *a, str text);

/* The answer's text; groups[0] is group 1; a group that did not match is
 * empty.  ERR_LIMIT past TABLE_VALUE_MAX. */
err answer_expand(const struct answer *ans, const str *groups, int n_groups,
                  struct arena *a, str *value);

/* The rules of a name such as "{ {rule}, {rule} }" as a text, one a line.
 * ERR_SYNTAX with a note. */
err rules_inline(struct arena *a, struct table_notes *notes, str type,
                 str name, str *text);

#endif
