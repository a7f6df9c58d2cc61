/* SPDX-License-Identifier: ISC
 *
 * Rules, and answers that quote.
 */
#include "table/rules.h"

#include "table/kind.h"

enum { GROUP_MAX = 99 };

void rules_add(struct arena *a, struct rules *r, struct rule rule)
{
    size_t at = r->list.n;

    if (rule.kind == RULE_ENDIF) {
        must(r->open > 0);
        struct rule *begin = &r->list.p[r->open - 1];
        r->open = begin->end;
        begin->end = at;
    }
    if (rule.kind == RULE_IF) {
        rule.end = r->open;
        r->open = at + 1;
    }
    vec_push(a, &r->list, rule);
}

bool rules_in_if(const struct rules *r)
{
    return r->open > 0;
}

void rules_end(struct rules *r, struct table_notes *notes)
{
    while (r->open) {
        struct rule *begin = &r->list.p[r->open - 1];
        table_note(notes, "%.*s, line %d: IF has no matching ENDIF",
                   STR(r->where), begin->line);
        r->open = begin->end;
        begin->end = r->list.n;
    }
}

size_t rules_step(const struct rules *r, size_t i, bool held)
{
    const struct rule *rule = &r->list.p[i];

    if (rule->kind == RULE_IF && !held)
        return rule->end;
    return i + 1;
}

static bool is_name(char c)
{
    return is_alnum(c) || c == '_';
}

/* Takes the name after a "$": NAME, (NAME) or {NAME}. */
static bool macro_name(struct scan *s, str *name)
{
    int open = scan_peek(s);

    if (open == '(' || open == '{') {
        scan_next(s);
        *name = scan_until(s, open == '(' ? S(")") : S("}"));
        return scan_next(s) >= 0;
    }
    *name = scan_class(s, is_name);
    return true;
}

/* The group that name means, or 0 with a note. */
static int group_of(struct table_notes *notes, str where, int line, str name)
{
    uint64_t group;

    if (!str_uint(name, INT32_MAX, &group)) {
        table_note(notes, "%.*s, line %d: non-numeric replacement index "
                   "\"%.*s\"", STR(where), line, STR(name));
        return 0;
    }
    if (group < 1 || group > GROUP_MAX) {
        table_note(notes, "%.*s, line %d: out of range replacement index "
                   "\"%.*s\"", STR(where), line, STR(name));
        return 0;
    }
    return (int)group;
}

/* One "$..." into *piece; false with a note if it is none. */
static bool macro_parse(struct scan *s, struct table_notes *notes, str where,
                        int line, struct piece *piece)
{
    str name;

    if (scan_byte(s, '$')) {
        *piece = (struct piece){ .text = S("$") };
        return true;
    }
    if (!macro_name(s, &name)) {
        table_note(notes, "truncated macro reference: \"%.*s\"", STR(s->in));
        return false;
    }
    if (str_empty(name)) {
        table_note(notes, "empty macro name: \"%.*s\"", STR(s->in));
        return false;
    }
    *piece = (struct piece){ .group = group_of(notes, where, line, name) };
    return piece->group > 0;
}

bool answer_parse(struct arena *a, struct table_notes *notes, str where,
                  int line, str text, struct answer *out)
{
    struct scan s = scan_of(text);
    vec_of(struct piece) pieces = { 0 };
    int group_max = 0;

    while (!scan_done(&s)) {
        struct piece piece = { .text = scan_until(&s, S("$")) };
        if (piece.text.n) {
            vec_push(a, &pieces, piece);
            continue;
        }
        scan_next(&s);
        if (!macro_parse(&s, notes, where, line, &piece)) {
            table_note(notes, "%.*s, line %d: bad replacement syntax: "
                       "skipping this rule", STR(where), line);
            return false;
        }
        if (piece.group > group_max)
            group_max = piece.group;
        vec_push(a, &pieces, piece);
    }
    *out = (struct answer){ pieces.p, pieces.n, group_max };
    return true;
}

struct answer answer_plain(struct arena *a, str text)
{
    struct piece *piece = arena_new(a, struct piece);

    piece->text = text;
    return (struct answer){ piece, 1, 0 };
}

err answer_expand(const struct answer *ans, const str *groups, int n_groups,
                  struct arena *a, str *value)
{
    struct buf out;

    buf_init(&out, a, TABLE_VALUE_MAX);
    for (size_t i = 0; i < ans->n; i++) {
        const struct piece *piece = &ans->p[i];
        if (piece->group == 0)
            buf_add(&out, piece->text);
        else if (piece->group <= n_groups)
            buf_add(&out, groups[piece->group - 1]);
    }
    if (out.over)
        return ERR_LIMIT;
    *value = buf_str(&out);
    return OK;
}

err rules_inline(struct arena *a, struct table_notes *notes, str type,
                 str name, str *text)
{
    const char *trouble;
    struct buf out;
    str rest, item, rule;

    buf_init(&out, a, TABLE_TEXT_MAX);
    trouble = braces_strip(name, &rest);
    if (trouble) {
        table_note(notes, "%.*s map: %s in \"%.*s\"", STR(type), trouble,
                   STR(name));
        return ERR_SYNTAX;
    }
    while (items_next(&rest, &item)) {
        trouble = braces_strip(item, &rule);
        if (trouble) {
            table_note(notes, "%.*s map: %s in \"%.*s\"", STR(type), trouble,
                       STR(item));
            return ERR_SYNTAX;
        }
        buf_add(&out, rule);
        buf_byte(&out, '\n');
    }
    *text = buf_str(&out);
    return OK;
}
