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
    while (text->n && !is_space(text->p[0])) {
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

/* Compiles and adds the rule. */
static void add(struct pattern_parse *p, const struct parsed *parsed,
                struct rule *rule)
{
    int n_groups;

    if (too_deep(parsed->pattern)) {
        note(p, "parentheses nest too deep: skipping this rule");
        return;
    }
    if (!p->engine->compile(p->arena, parsed->pattern, parsed->options,
                            p->notes, p->rules->where, p->line,
                            &rule->pattern, &n_groups))
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

static void parse_answer(struct pattern_parse *p, str text)
{
    struct rule rule = { .kind = RULE_ANSWER };
    struct parsed parsed;

    if (!take_pattern(p, &text, &parsed))
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

err pattern_find(const struct engine *e, const struct rules *r, str key,
                 struct arena *a, str *value, struct table_notes *notes)
{
    str groups[100];
    bool held = true;

    key = arena_str(a, key); /* regexec() likes a NUL behind it */
    for (size_t i = 0; i < r->list.n; i = rules_step(r, i, held)) {
        const struct rule *rule = &r->list.p[i];
        const char *trouble = NULL;
        if (rule->kind == RULE_ENDIF)
            continue;
        int matched = e->match(rule->pattern, key, a, groups,
                               rule->answer.group_max, &trouble);
        if (matched < 0)
            table_note(notes, "%.*s, line %d: %s", STR(r->where), rule->line,
                       trouble);
        held = matched >= 0 && (matched > 0) != rule->negated;
        if (held && rule->kind == RULE_ANSWER)
            return answer_expand(&rule->answer, groups,
                                 rule->answer.group_max, a, value);
    }
    return ERR_ABSENT;
}
