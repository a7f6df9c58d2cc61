/* SPDX-License-Identifier: ISC
 *
 * Rules of regexp, pcre and cidr tables, and questions to them.  The first
 * byte picks the kind, the first line is the question.
 */
#include "table/rules_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 2000 }; /* keeps matching times small */

static void ask(int kind, struct arena *a, str text, str key)
{
    static rules_parser *const parsers[] = { regexp_parse, pcre_parse,
                                             cidr_parse };
    struct table_notes notes = { .arena = a };
    struct rules rules = { .where = S("fuzz") };
    str value;
    err e;

    parsers[kind](a, text, S("fuzz"), 0, &notes, &rules);
    must(!rules_in_if(&rules));
    for (size_t i = 0; i < rules.list.n; i++) /* I1 */
        must(rules.list.p[i].kind != RULE_IF
             || (rules.list.p[i].end > i
                 && rules.list.p[i].end <= rules.list.n));
    if (kind == 0)
        e = regexp_find(&rules, key, a, &value, &notes);
    else if (kind == 1)
        e = pcre_find(&rules, key, a, &value, &notes);
    else
        e = cidr_find(&rules, key, a, &value);
    must(e == OK || e == ERR_ABSENT || e == ERR_LIMIT);
}

/* libc's own engine is not on trial: hostile patterns, which are the
 * administrator's own, make it take all memory. */
static bool harmless(str text)
{
    int n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += str_chr(S("*+?{\\"), text.p[i]) != STR_NONE;
    return n <= 5 && text.n < 200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    str text, key;

    if (size < 1 || size > TEXT_MAX)
        return 0;
    int kind = data[0] % 4 == 0 ? 0 : 1 + data[0] % 2;
    text = str_of(data + 1, size - 1);
    if (kind == 0 && !harmless(text))
        return 0;
    if (!str_cut(&text, '\n', &key))
        key = (str){ 0 };
    arena_init(&a, 0);
    ask(kind, &a, text, key);
    must(rules_inline(&a, &(struct table_notes){ .arena = &a }, S("x"), text,
                      &text) == OK || true);
    arena_reset(&a);
    return 0;
}
