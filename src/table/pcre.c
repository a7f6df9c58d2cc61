/* SPDX-License-Identifier: ISC
 *
 * pcre: tables (pcre_table(5)), the door to PCRE2.  Matching is bounded: a
 * pattern that would run away counts as one that did not match, with a
 * warning.
 */
#include "table/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    MATCH_LIMIT = 1000000,       /* steps */
    DEPTH_LIMIT = 100000,        /* nested backtracking points */
    HEAP_LIMIT_KIB = 20 * 1024,
    SUBJECT_MAX = 1 << 20,
};

/* A compiled pattern with the room for one match: matching never waits, so
 * one is enough. */
struct compiled {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static int option(char letter)
{
    switch (letter) {
    case 'i': return PCRE2_CASELESS;
    case 'm': return PCRE2_MULTILINE;
    case 's': return PCRE2_DOTALL;
    case 'x': return PCRE2_EXTENDED;
    case 'E': return PCRE2_DOLLAR_ENDONLY;
    case 'U': return PCRE2_UNGREEDY;
    case 'A': return (int)PCRE2_ANCHORED;
    default: return 0;
    }
}

static void close_compiled(void *object)
{
    struct compiled *c = object;

    pcre2_match_context_free(c->context);
    pcre2_match_data_free(c->data);
    pcre2_code_free(c->code);
}

static bool compile(struct arena *a, str pattern, int options,
                    struct table_notes *notes, str where, int line,
                    void **compiled, int *n_groups)
{
    struct compiled *c = arena_new(a, struct compiled);
    PCRE2_UCHAR text[256];
    PCRE2_SIZE at;
    uint32_t groups = 0;
    int number;

    c->code = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""),
                            pattern.n, (uint32_t)options, &number, &at, NULL);
    if (!c->code) {
        pcre2_get_error_message(number, text, sizeof(text));
        table_note(notes, "%.*s, line %d: error in regex at offset %zu: %s",
                   STR(where), line, (size_t)at, (char *)text);
        return false;
    }
    c->data = pcre2_match_data_create_from_pattern(c->code, NULL);
    c->context = pcre2_match_context_create(NULL);
    must(c->data && c->context);
    pcre2_set_match_limit(c->context, MATCH_LIMIT);
    pcre2_set_depth_limit(c->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(c->context, HEAP_LIMIT_KIB);
    arena_own(a, close_compiled, c);
    pcre2_pattern_info(c->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    *compiled = c;
    *n_groups = (int)groups;
    return true;
}

static const char *trouble_of(int result)
{
    switch (result) {
    case PCRE2_ERROR_MATCHLIMIT: return "match limit exceeded";
    case PCRE2_ERROR_DEPTHLIMIT: return "backtracking limit exceeded";
    case PCRE2_ERROR_HEAPLIMIT: return "heap limit exceeded";
    case PCRE2_ERROR_NOMEMORY: return "not enough memory";
    default: return "match error";
    }
}

static int match(void *compiled, str subject, struct arena *a, str *groups,
                 int n_groups, const char **trouble)
{
    struct compiled *c = compiled;
    const PCRE2_SIZE *at;
    int result;

    (void)a;
    if (subject.n > SUBJECT_MAX) {
        *trouble = "subject is too long";
        return -1;
    }
    result = pcre2_match(c->code, (PCRE2_SPTR)(subject.p ? subject.p : ""),
                         subject.n, 0, 0, c->data, c->context);
    if (result == PCRE2_ERROR_NOMATCH)
        return 0;
    if (result <= 0) {
        *trouble = trouble_of(result);
        return -1;
    }
    at = pcre2_get_ovector_pointer(c->data);
    for (int i = 1; i <= n_groups; i++) {
        /* \K in a look-ahead can put the end before the start */
        bool set = i < result && at[2 * i] != PCRE2_UNSET
                && at[2 * i] <= at[2 * i + 1];
        groups[i - 1] = !set ? (str){ 0 }
            : str_of(subject.p + at[2 * i], at[2 * i + 1] - at[2 * i]);
    }
    return 1;
}

static const struct engine perl = {
    .type = S_INIT("pcre"),
    .unclosed = "ignoring",
    .options = PCRE2_CASELESS | PCRE2_DOTALL,
    .option = option,
    .compile = compile,
    .match = match,
};

void pcre_parse(struct arena *a, str text, str origin, int flags,
                struct table_notes *notes, struct rules *out)
{
    pattern_parse(&perl, a, text, origin, flags, notes, out);
}

err pcre_find(const struct rules *r, str key, struct arena *a, str *value,
              struct table_notes *notes)
{
    return pattern_find(&perl, r, key, a, value, notes);
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    struct table_notes notes = { .arena = a };
    err e = pcre_find(tb->state, key, a, value, &notes);

    for (size_t i = 0; i < notes.list.n; i++)
        table_warn(t, tb->env, notes.list.p[i]);
    return e;
}

err table_open_pcre(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };

    tb->ops = &ops;
    return rules_open(t, tb, data, pcre_parse);
}
