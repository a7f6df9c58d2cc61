/* SPDX-License-Identifier: ISC
 *
 * Rules with regular expressions: reading and asking.
 */
#include "table/pattern.h"

/* Patterns nest at most so deep: engines recurse while compiling. */
enum { PATTERN_DEPTH_MAX = 200 };

struct pattern_parse {
    const struct engine *engine;
    struct arena *arena;
    struct rules *rules;
    struct table_notes *notes;
    int line, flags;
};

#define note(p, fmt, ...)                                                     \
    table_note((p)->notes, "%.*s, line %d: " fmt, STR((p)->rules->where),     \
               (p)->line, ##__VA_ARGS__)

/* Takes "/pattern/options" off text, "!"s before it included. */
struct parsed {
    bool negated;
    str pattern;
    int options;
};

/* The index of the mark that closes the pattern, or STR_NONE. */
static size_t closing(str text, char mark)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\')
            i++;
        else if (text.p[i] == mark)
            return i;
    }
    return STR_NONE;
}

static bool take_options(struct pattern_parse *p, str *text, int *options)
{
    *options = p->engine->options;
    while (text->n && !is_space(text->p[0])
           && !(p->engine->pairs && text->p[0] == '!')) {
        int bit = p->engine->option(text->p[0]);
        if (bit == 0) {
            note(p, "unknown regexp option \"%c\": skipping this rule",
                 text->p[0]);
            return false;
        }
        *options ^= bit;
        *text = str_skip(*text, 1);
    }
    return true;
}

static bool take_pattern(struct pattern_parse *p, str *text,
                         struct parsed *out)
{
    *out = (struct parsed){ 0 };
    while (text->n && (text->p[0] == '!' || is_space(text->p[0]))) {
        out->negated ^= text->p[0] == '!';
        *text = str_skip(*text, 1);
    }
    if (str_empty(*text)) {
        note(p, "no regexp: skipping this rule");
        return false;
    }
    char mark = text->p[0];
    *text = str_skip(*text, 1);
    size_t end = closing(*text, mark);
    if (end == STR_NONE) {
        note(p, "no closing regexp delimiter \"%c\": %s this rule", mark,
             p->engine->unclosed);
        return false;
    }
    out->pattern = str_head(*text, end);
    *text = str_skip(*text, end + 1);
    return take_options(p, text, &out->options);
}

static bool too_deep(str pattern)
{
    int depth = 0;

    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '\\')
            i++;
        else if (pattern.p[i] == '(')
            depth++;
        else if (pattern.p[i] == ')')
            depth--;
        if (depth > PATTERN_DEPTH_MAX)
            return true;
    }
    return false;
}

static bool compile(struct pattern_parse *p, const struct parsed *parsed,
                    void **pattern, int *n_groups)
{
    if (too_deep(parsed->pattern)) {
        note(p, "parentheses nest too deep: skipping this rule");
        return false;
    }
    return p->engine->compile(p->arena, parsed->pattern, parsed->options,
                              p->notes, p->rules->where, p->line, pattern,
                              n_groups);
}

/* Compiles and adds the rule. */
static void add(struct pattern_parse *p, const struct parsed *parsed,
                struct rule *rule)
{
    int n_groups;

    if (!compile(p, parsed, &rule->pattern, &n_groups))
        return;
    if (rule->answer.group_max > n_groups) {
        note(p, "out of range replacement index \"%d\": skipping this rule",
             rule->answer.group_max);
        return;
    }
    rule->line = p->line;
    rule->negated = parsed->negated;
    rules_add(p->arena, p->rules, *rule);
}

static void parse_if(struct pattern_parse *p, str text)
{
    struct rule rule = { .kind = RULE_IF };
    struct parsed parsed;

    if (!take_pattern(p, &text, &parsed))
        return;
    text = str_trim(text);
    if (!str_empty(text)) {
        note(p, "ignoring extra text after IF statement: \"%.*s\"",
             STR(table_printable(p->arena, text)));
        note(p, "do not prepend whitespace to statements between IF and "
             "ENDIF");
    }
    add(p, &parsed, &rule);
}

static void parse_endif(struct pattern_parse *p, str text)
{
    if (!rules_in_if(p->rules)) {
        note(p, "ignoring ENDIF without matching IF");
        return;
    }
    if (!str_empty(str_trim(text)))
        note(p, "ignoring extra text after ENDIF");
    rules_add(p->arena, p->rules,
              (struct rule){ .kind = RULE_ENDIF, .line = p->line });
}

/* "!/second/options" right behind a pattern: what must not match as well.
 * Its groups are not for the answer. */
static bool take_second(struct pattern_parse *p, str *text, struct rule *rule)
{
    struct parsed parsed;
    int n_groups;

    if (!p->engine->pairs || !str_starts(*text, S("!")))
        return true;
    if (!take_pattern(p, text, &parsed)
        || !compile(p, &parsed, &rule->second, &n_groups))
        return false;
    rule->second_negated = parsed.negated;
    return true;
}

static void parse_answer(struct pattern_parse *p, str text)
{
    struct rule rule = { .kind = RULE_ANSWER };
    struct parsed parsed;

    if (!take_pattern(p, &text, &parsed) || !take_second(p, &text, &rule))
        return;
    text = str_trim(text);
    if (str_empty(text))
        note(p, "no replacement text: using empty string");
    if (!answer_parse(p->arena, p->notes, p->rules->where, p->line, text,
                      &rule.answer))
        return;
    if (parsed.negated && rule.answer.group_max) {
        note(p, "$number found in negative match replacement text: "
             "skipping this rule");
        return;
    }
    if ((p->flags & TABLE_NO_GROUPS) && rule.answer.group_max) {
        note(p, "regular expression substitution is not allowed: "
             "skipping this rule");
        return;
    }
    add(p, &parsed, &rule);
}

/* Whether text begins with word as a word of its own. */
static bool is_word(str text, str word)
{
    return str_istarts(text, word)
        && (text.n == word.n || !is_alnum(text.p[word.n]));
}

static void parse_line(struct pattern_parse *p, str text)
{
    if (!is_alnum(text.p[0]))
        parse_answer(p, text);
    else if (is_word(text, S("if")))
        parse_if(p, str_skip(text, 2));
    else if (is_word(text, S("endif")))
        parse_endif(p, str_skip(text, 5));
    else
        note(p, "ignoring unrecognized request");
}

void pattern_parse(const struct engine *e, struct arena *a, str text,
                   str origin, int flags, struct table_notes *notes,
                   struct rules *out)
{
    struct lines lines = { .text = text, .origin = origin, .arena = a,
                           .notes = notes };
    struct pattern_parse p = { .engine = e, .arena = a, .rules = out,
                               .notes = notes, .flags = flags };
    str logical;

    while (lines_next(&lines, &logical, &p.line))
        parse_line(&p, logical);
    rules_end(out, notes);
}

/* A key that is put to rules. */
struct trial {
    const struct engine *engine;
    const struct rules *rules;
    str key;
    struct arena *arena;
    struct table_notes *notes;
    str groups[100];
};

static bool matches(struct trial *x, const struct rule *rule, void *pattern,
                    int n_groups, bool negated)
{
    const char *trouble = NULL;
    int matched = x->engine->match(pattern, x->key, x->arena, x->groups,
                                   n_groups, &trouble);

    if (matched < 0)
        table_note(x->notes, "%.*s, line %d: %s", STR(x->rules->where),
                   rule->line, trouble);
    return matched >= 0 && (matched > 0) != negated;
}

static bool holds(struct trial *x, const struct rule *rule)
{
    return matches(x, rule, rule->pattern, rule->answer.group_max,
                   rule->negated)
           && (!rule->second
               || matches(x, rule, rule->second, 0, rule->second_negated));
}

err pattern_find(const struct engine *e, const struct rules *r, str key,
                 struct arena *a, str *value, struct table_notes *notes)
{
    struct trial x = { .engine = e, .rules = r, .arena = a, .notes = notes };
    bool held = true;

    x.key = arena_str(a, key); /* regexec() likes a NUL behind it */
    for (size_t i = 0; i < r->list.n; i = rules_step(r, i, held)) {
        const struct rule *rule = &r->list.p[i];
        if (rule->kind == RULE_ENDIF)
            continue;
        held = holds(&x, rule);
        if (held && rule->kind == RULE_ANSWER)
            return answer_expand(&rule->answer, x.groups,
                                 rule->answer.group_max, a, value);
    }
    return ERR_ABSENT;
}
