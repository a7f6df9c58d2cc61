/* SPDX-License-Identifier: ISC
 *
 * Expanding $name and its relatives.  A reference is parsed into a struct
 * reference first; expanding one and searching one for names both work on
 * that.  Complaints have the shape and words that administrators know from
 * Postfix.
 */
#include "conf/macro.h"

#include "conf/value.h"

struct walk {
    const struct conf_scope *scope; /* NULL: only searching names */
    struct macro_names *names;      /* NULL: expanding */
    struct arena *arena;
    str complaint;
    int steps;
};

/* One parsed reference.  left is set for a comparison, name otherwise. */
struct reference {
    bool compares;
    str name;
    str left, right, operator_;
    bool has_yes, has_no, has_choice;
    str yes, no;
};

static bool is_name_char(char c)
{
    return is_alnum(c) || c == '_';
}

static err complain(struct walk *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static err complain(struct walk *w, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    w->complaint = arena_vfmt(w->arena, fmt, ap);
    va_end(ap);
    return ERR_SYNTAX;
}

static void skip_spaces(struct scan *s)
{
    (void)scan_while(s, CONF_SPACES);
}

/* Takes what stands between an opening bracket, which is next, and the one
 * that closes it. */
static bool take_balanced(struct scan *s, char open, char close, str *inner)
{
    size_t depth = 0;
    str rest = scan_rest(s);

    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == open)
            depth++;
        else if (rest.p[i] == close && --depth == 0) {
            *inner = (str){ rest.p + 1, i - 1 };
            s->at += i + 1;
            return true;
        }
    }
    return false;
}

static str first20(struct scan *s)
{
    return str_head(scan_rest(s), 20);
}

/* The part of a complaint that stands before >>>: what was last taken. */
static str taken_since(const struct scan *s, size_t from)
{
    str all = str_head(s->in, s->at);

    return str_rtrim(str_skip(all, from));
}

/* One choice: {text}, or all that is left (the older form, which keeps its
 * blanks).  *before is for a complaint about what follows. */
static err parse_branch(struct walk *w, struct scan *s, str *branch,
                        str *before)
{
    str all = scan_rest(s);
    size_t from;

    skip_spaces(s);
    if (scan_peek(s) != '{') {
        *branch = all;
        s->at = s->in.n;
        return OK;
    }
    from = s->at + 1;
    if (!take_balanced(s, '{', '}', branch))
        return complain(w, "unbalanced {} in attribute expression: \"%.*s\"",
                        STR(scan_rest(s)));
    *before = taken_since(s, from);
    skip_spaces(s);
    return OK;
}

/* ? or : and the choices, behind the name or the comparison. */
static err parse_choice(struct walk *w, struct scan *s, size_t from,
                        struct reference *r)
{
    str before = S(""), rest = scan_rest(s), name = taken_since(s, from);

    skip_spaces(s);
    if (scan_done(s))
        return OK;
    r->has_choice = true;
    r->has_yes = scan_byte(s, '?');
    if (r->has_yes) {
        TRY(parse_branch(w, s, &r->yes, &before));
        if (scan_done(s))
            return OK;
        if (scan_peek(s) != ':')
            return complain(w, "\":\" expected at: \"...%.*s>>>%.*s\"",
                            STR(before), STR(first20(s)));
    }
    r->has_no = scan_byte(s, ':');
    if (!r->has_no && r->compares)
        return complain(w, "\"?\" or \":\" expected at: \"...}>>>%.*s\"",
                        STR(first20(s)));
    if (!r->has_no)
        return complain(w, "attribute name syntax error at: "
                        "\"...%.*s>>>%.*s\"", STR(name),
                        STR(str_head(rest, 20)));
    TRY(parse_branch(w, s, &r->no, &before));
    if (!scan_done(s))
        return complain(w, "unexpected input at: \"...%.*s>>>%.*s\"",
                        STR(before), STR(first20(s)));
    return OK;
}

static str take_operator(struct scan *s)
{
    static const str operators[] = { S_INIT("=="), S_INIT("!="), S_INIT("<="),
                                     S_INIT(">="), S_INIT("<"), S_INIT(">") };

    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
        if (scan_word(s, operators[i]))
            return operators[i];
    return S("");
}

/* {left} operator {right} */
static err parse_comparison(struct walk *w, struct scan *s,
                            struct reference *r)
{
    size_t from = s->at + 1, operator_at;
    str suffix, rest;

    r->compares = true;
    if (!take_balanced(s, '{', '}', &r->left))
        return complain(w, "unbalanced {} in attribute expression: \"%.*s\"",
                        STR(scan_rest(s)));
    str before = taken_since(s, from);
    skip_spaces(s);
    operator_at = s->at;
    r->operator_ = take_operator(s);
    if (r->operator_.n == 0)
        return complain(w, "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or "
                        "\">=\"\" or \">\" expected at: \"...%.*s>>>%.*s\"",
                        STR(before), STR(first20(s)));
    suffix = scan_class(s, is_alnum);
    if (suffix.n && !str_eq(suffix, S("level")))
        return complain(w, "bad operator suffix at: \"...%.*s>>>%.*s\"",
                        STR(r->operator_), STR(suffix));
    r->operator_ = taken_since(s, operator_at);
    rest = str_head(scan_rest(s), 20);
    skip_spaces(s);
    if (scan_peek(s) != '{'
        || !take_balanced(s, '{', '}', &r->right))
        return complain(w, "\"{expression}\" expected at: \"...{%.*s} %.*s"
                        ">>>%.*s\"", STR(r->left), STR(r->operator_),
                        STR(rest));
    return OK;
}

/* What stands between the brackets. */
static err parse_inner(struct walk *w, str whole, str inner,
                       struct reference *r)
{
    struct scan s = scan_of(inner);
    size_t from;

    skip_spaces(&s);
    from = s.at;
    if (scan_peek(&s) == '{') {
        TRY(parse_comparison(w, &s, r));
    } else {
        r->name = scan_class(&s, is_name_char);
        if (r->name.n == 0)
            return complain(w, "empty macro name: \"%.*s\"", STR(whole));
    }
    return parse_choice(w, &s, from, r);
}

/* The reference that starts with the $ at s; whole is for complaints. */
static err parse_reference(struct walk *w, str whole, struct scan *s,
                           struct reference *r)
{
    int c;
    str inner;

    *r = (struct reference){ .name = S("") };
    scan_byte(s, '$');
    c = scan_peek(s);
    if (c == '{' || c == '(') {
        if (!take_balanced(s, (char)c, c == '{' ? '}' : ')', &inner))
            return complain(w, "truncated macro reference: \"%.*s\"",
                            STR(whole));
        return parse_inner(w, whole, inner, r);
    }
    r->name = scan_class(s, is_name_char);
    if (r->name.n == 0)
        return complain(w, "empty macro name: \"%.*s\"", STR(whole));
    return OK;
}

static err walk_text(struct walk *w, str text, int depth, struct buf *out);

static bool all_digits(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

static err compare(struct walk *w, const struct reference *r, str left,
                   str right, int *order)
{
    str level;

    if (str_ends(r->operator_, S("level"))) {
        int64_t a = 0, b = 0;
        if (!level_parse(left, &a) || !level_parse(right, &b)) {
            level = level_parse(left, &a) ? right : left;
            return complain(w, "malformed compatibility level syntax: "
                            "\"%.*s\"", STR(level));
        }
        *order = a < b ? -1 : a > b;
        return OK;
    }
    if (all_digits(left) && all_digits(right)) {
        uint64_t a = 0, b = 0;
        if (!str_uint(left, INT64_MAX, &a) || !str_uint(right, INT64_MAX, &b))
            return complain(w, "bad conversion: %.*s",
                            STR(left.n > right.n ? left : right));
        *order = a < b ? -1 : a > b;
        return OK;
    }
    *order = str_cmp(left, right);
    return OK;
}

static bool holds(str operator_, int order)
{
    bool equal_too = operator_.n > 1 && operator_.p[1] == '=';

    switch (operator_.p[0]) {
    case '=':
        return order == 0;
    case '!':
        return order != 0;
    case '<':
        return order < 0 || (equal_too && order == 0);
    default:
        return order > 0 || (equal_too && order == 0);
    }
}

static err expand_side(struct walk *w, str text, int depth, str *out)
{
    struct buf b;

    buf_init(&b, w->arena, MACRO_SIZE_MAX);
    TRY(walk_text(w, text, depth, &b));
    *out = buf_str(&b);
    return OK;
}

static err expand_reference(struct walk *w, const struct reference *r,
                            int depth, struct buf *out)
{
    str value = S("");
    bool there;

    if (r->compares) {
        str left, right;
        int order = 0;
        TRY(expand_side(w, r->left, depth, &left));
        TRY(expand_side(w, r->right, depth, &right));
        TRY(compare(w, r, left, right, &order));
        value = holds(r->operator_, order) ? S("true") : S("");
    } else if (!scope_text(w->scope, r->name, &value)) {
        value = S("");
    }
    there = value.n > 0;
    if (r->has_choice) {
        if (there && r->has_yes)
            return walk_text(w, r->yes, depth, out);
        if (!there && r->has_no)
            return walk_text(w, r->no, depth, out);
        return OK;
    }
    if (r->compares) {
        buf_add(out, value);
        return OK;
    }
    if (depth >= MACRO_DEPTH_MAX)
        return complain(w, "unreasonable macro call nesting: \"%.*s\"",
                        STR(r->name));
    return walk_text(w, value, depth, out);
}

/* Searching: what one branch says badly does not hide the others. */
static void search_reference(struct walk *w, const struct reference *r,
                             int depth)
{
    if (r->compares) {
        err_ignore(walk_text(w, r->left, depth, NULL));
        err_ignore(walk_text(w, r->right, depth, NULL));
    } else {
        vec_push(w->arena, &w->names->list, r->name);
    }
    err_ignore(walk_text(w, r->yes, depth, NULL));
    err_ignore(walk_text(w, r->no, depth, NULL));
}

static err walk_text(struct walk *w, str text, int depth, struct buf *out)
{
    struct scan s = scan_of(text);

    if (depth > MACRO_DEPTH_MAX + 1)
        return complain(w, "unreasonable macro call nesting: \"%.*s\"",
                        STR(text));
    while (!scan_done(&s)) {
        struct reference r;
        str plain = scan_until(&s, S("$"));
        if (out)
            buf_add(out, plain);
        if (scan_done(&s))
            break;
        if (scan_word(&s, S("$$"))) {
            if (out)
                buf_byte(out, '$');
            continue;
        }
        if (++w->steps > MACRO_STEPS_MAX)
            return complain(w, "too many macro references"); /* M1 */
        TRY(parse_reference(w, text, &s, &r));
        if (w->names)
            search_reference(w, &r, depth + 1);
        else
            TRY(expand_reference(w, &r, depth + 1, out));
    }
    if (out && out->over)
        return complain(w, "the expanded value is too long"); /* M1 */
    return OK;
}

err macro_expand(const struct conf_scope *scope, struct arena *a, str text,
                 str *out, str *complaint)
{
    struct walk w = { .scope = scope, .arena = a };
    struct buf b;

    if (str_chr(text, '$') == STR_NONE) {
        *out = text;
        return OK;
    }
    buf_init(&b, a, MACRO_SIZE_MAX);
    if (walk_text(&w, text, 0, &b)) {
        *complaint = w.complaint;
        return ERR_SYNTAX;
    }
    *out = buf_str(&b);
    return OK;
}

void macro_names_find(struct arena *a, str text, struct macro_names *names)
{
    struct walk w = { .names = names, .arena = a };

    err_ignore(walk_text(&w, text, 0, NULL)); /* complained of elsewhere */
}

err macro_check(struct arena *a, str text, str *complaint)
{
    struct macro_names names = { 0 };
    struct walk w = { .names = &names, .arena = a };

    if (walk_text(&w, text, 0, NULL) == OK)
        return OK;
    *complaint = w.complaint;
    return ERR_SYNTAX;
}
