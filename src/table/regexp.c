/* SPDX-License-Identifier: ISC
 *
 * regexp: tables (regexp_table(5)) over POSIX regular expressions.
 */
#include "table/pattern.h"

#include <regex.h>

enum { OPTION_CASE = 1, OPTION_MULTILINE = 2, OPTION_EXTENDED = 4 };

static int option(char letter)
{
    switch (letter) {
    case 'i': return OPTION_CASE;
    case 'm': return OPTION_MULTILINE;
    case 'x': return OPTION_EXTENDED;
    default: return 0;
    }
}

static void close_regex(void *regex)
{
    regfree(regex);
}

static bool compile(struct arena *a, str pattern, int options,
                    struct table_notes *notes, str where, int line,
                    void **compiled, int *n_groups)
{
    regex_t *regex = arena_new(a, regex_t);
    int flags = (options & OPTION_CASE ? REG_ICASE : 0)
              | (options & OPTION_MULTILINE ? REG_NEWLINE : 0)
              | (options & OPTION_EXTENDED ? REG_EXTENDED : 0);
    char text[256];
    int failed;

    failed = regcomp(regex, arena_cstr(a, pattern), flags);
    if (failed) {
        regerror(failed, regex, text, sizeof(text));
        table_note(notes, "%.*s, line %d: %s", STR(where), line, text);
        return false;
    }
    arena_own(a, close_regex, regex);
    *compiled = regex;
    *n_groups = (int)regex->re_nsub;
    return true;
}

static int match(void *compiled, str subject, struct arena *a, str *groups,
                 int n_groups, const char **trouble)
{
    size_t n = (size_t)n_groups + 1;
    regmatch_t *at = arena_array(a, regmatch_t, n);
    int result;

    at[0] = (regmatch_t){ 0, (regoff_t)subject.n };
    result = regexec(compiled, subject.p ? subject.p : "", n, at,
                     REG_STARTEND);
    if (result == REG_NOMATCH)
        return 0;
    if (result) {
        *trouble = result == REG_ESPACE ? "Memory exhausted"
                                        : "match error";
        return -1;
    }
    for (size_t i = 1; i < n; i++)
        groups[i - 1] = at[i].rm_so < 0 ? (str){ 0 }
            : str_of(subject.p + at[i].rm_so,
                     (size_t)(at[i].rm_eo - at[i].rm_so));
    return 1;
}

static const struct engine posix = {
    .type = S_INIT("regexp"),
    .unclosed = "skipping",
    .options = OPTION_CASE | OPTION_EXTENDED,
    .pairs = true,
    .option = option,
    .compile = compile,
    .match = match,
};

void regexp_parse(struct arena *a, str text, str origin, int flags,
                  struct table_notes *notes, struct rules *out)
{
    pattern_parse(&posix, a, text, origin, flags, notes, out);
}

err regexp_find(const struct rules *r, str key, struct arena *a, str *value,
                struct table_notes *notes)
{
    return pattern_find(&posix, r, key, a, value, notes);
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    struct table_notes notes = { .arena = a };
    err e = regexp_find(tb->state, key, a, value, &notes);

    for (size_t i = 0; i < notes.list.n; i++)
        table_warn(t, tb->env, notes.list.p[i]);
    return e;
}

err table_open_regexp(struct task *t, struct table *tb,
                      const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };

    tb->ops = &ops;
    return rules_open(t, tb, data, regexp_parse);
}
