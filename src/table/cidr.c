/* SPDX-License-Identifier: ISC
 *
 * cidr: tables (cidr_table(5)): networks in order, the first that holds the
 * address answers.
 */
#include "table/rules_kind.h"

#include "table/netblock.h"

struct cidr_parse {
    struct arena *arena;
    struct rules *rules;
    struct table_notes *notes;
    int line;
};

static void skip(struct cidr_parse *p, const char *trouble)
{
    table_note(p->notes, "%.*s, line %d: %s: skipping this rule",
               STR(p->rules->where), p->line, trouble);
}

/* Whether text begins with word as a word of its own; it is taken off. */
static bool take_word(str *text, str word)
{
    if (!str_istarts(*text, word)
        || (text->n > word.n && is_alnum(text->p[word.n])))
        return false;
    *text = str_trim(str_skip(*text, word.n));
    return true;
}

/* Takes "!"s and blanks off; whether they negate. */
static bool take_negation(str *text)
{
    bool negated = false;

    while (text->n && (text->p[0] == '!' || is_space(text->p[0]))) {
        negated ^= text->p[0] == '!';
        *text = str_skip(*text, 1);
    }
    return negated;
}

static void parse_endif(struct cidr_parse *p, str rest)
{
    if (!str_empty(rest))
        skip(p, "garbage after ENDIF");
    else if (!rules_in_if(p->rules))
        skip(p, "ENDIF without IF");
    else
        rules_add(p->arena, p->rules,
                  (struct rule){ .kind = RULE_ENDIF, .line = p->line });
}

static void parse_block(struct cidr_parse *p, struct rule *rule, str pattern,
                        str result)
{
    struct netblock *block = arena_new(p->arena, struct netblock);
    const char *trouble = netblock_parse(p->arena, pattern, block);

    if (trouble) {
        skip(p, trouble);
        return;
    }
    if (rule->kind == RULE_ANSWER && str_empty(result)) {
        skip(p, "no lookup result");
        return;
    }
    rule->pattern = block;
    rule->answer = answer_plain(p->arena, result);
    rules_add(p->arena, p->rules, *rule);
}

static void parse_line(struct cidr_parse *p, str text)
{
    struct rule rule = { .line = p->line };
    str pattern = text, result = { 0 };

    if (take_word(&text, S("endif"))) {
        parse_endif(p, text);
        return;
    }
    if (take_word(&text, S("if")))
        rule.kind = RULE_IF;
    rule.negated = take_negation(&text);
    pattern = text;
    if (rule.kind == RULE_ANSWER) {
        size_t end = str_any(text, S(" \t\r\n\v\f"));
        pattern = str_head(text, end == STR_NONE ? text.n : end);
        result = str_trim(str_skip(text, pattern.n));
    }
    if (str_empty(pattern))
        skip(p, "no address pattern");
    else
        parse_block(p, &rule, pattern, result);
}

void cidr_parse(struct arena *a, str text, str origin, int flags,
                struct table_notes *notes, struct rules *out)
{
    struct lines lines = { .text = text, .origin = origin, .arena = a,
                           .notes = notes };
    struct cidr_parse p = { .arena = a, .rules = out, .notes = notes };
    str logical;

    (void)flags;
    while (lines_next(&lines, &logical, &p.line))
        parse_line(&p, logical);
    rules_end(out, notes);
}

err cidr_find(const struct rules *r, str key, struct arena *a, str *value)
{
    struct netblock address;
    bool held = true;

    if (!netblock_single(key, &address))
        return ERR_ABSENT;
    for (size_t i = 0; i < r->list.n; i = rules_step(r, i, held)) {
        const struct rule *rule = &r->list.p[i];
        if (rule->kind == RULE_ENDIF)
            continue;
        const struct netblock *block = rule->pattern;
        /* IPv4 rules say nothing about IPv6, negated or not */
        held = block->size == address.size
            && netblock_holds(block, &address) != rule->negated;
        if (held && rule->kind == RULE_ANSWER)
            return answer_expand(&rule->answer, NULL, 0, a, value);
    }
    return ERR_ABSENT;
}

static err find(struct task *t, struct table *tb, str key, struct arena *a,
                str *value)
{
    (void)t;
    return cidr_find(tb->state, key, a, value);
}

err table_open_cidr(struct task *t, struct table *tb,
                    const struct table_data *data)
{
    static const struct table_ops ops = { find, NULL };

    tb->ops = &ops;
    return rules_open(t, tb, data, cidr_parse);
}
