/* SPDX-License-Identifier: ISC
 *
 * The texts of aliases(5), "name: value, value".
 *
 * A line is a list of words and marks: quoted strings, [literals], comments
 * and atoms are words; each of | , . : ; < > @ ) ] is a mark.  Written again,
 * two words have one blank between them, a comma one after it, and nothing
 * else any.
 */
#include "role/tool/postmap.h"

enum { ALIAS_MAX = 16 << 20 };

enum token_kind { TOKEN_ATOM, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_COMMENT,
                  TOKEN_MARK };

struct token {
    enum token_kind kind;
    str text;             /* unquoted; a comment with its parentheses */
};

struct tokens {
    vec_of(struct token) list;
};

static const str marks = S_INIT("|,.:;<>@)]");
static const str specials = S_INIT("|\"(),.:;<>@[]\\ \t\r\n");

/* Text up to the closing mark, backslashes undone; also at the end of the
 * line.  Blanks of all kinds become spaces. */
static str delimited(struct arena *a, struct scan *s, char close)
{
    struct buf text;
    int c;

    buf_init(&text, a, s->in.n + 1);
    while ((c = scan_next(s)) >= 0 && c != close) {
        if (c == '\\' && (c = scan_next(s)) < 0)
            break;
        buf_byte(&text, is_space((char)c) ? ' ' : (char)c);
    }
    return buf_str(&text);
}

/* A comment as it stands; they nest. */
static str comment(struct scan *s)
{
    size_t from = s->at - 1;
    int depth = 1, c;

    while (depth > 0 && (c = scan_next(s)) >= 0) {
        if (c == '\\')
            scan_next(s);
        else if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
    }
    return str_skip(str_head(s->in, s->at), from);
}

static str atom(struct arena *a, struct scan *s)
{
    struct buf text;
    int c;

    buf_init(&text, a, s->in.n + 1);
    while ((c = scan_peek(s)) >= 0) {
        if (c != '\\' && str_chr(specials, (char)c) != STR_NONE)
            break;
        scan_next(s);
        if (c == '\\' && (c = scan_next(s)) < 0)
            break;
        buf_byte(&text, (char)c);
    }
    return buf_str(&text);
}

static void tokenize(struct arena *a, str line, struct tokens *out)
{
    struct scan s = scan_of(line);

    while (!scan_done(&s)) {
        struct token token = { TOKEN_ATOM, { 0 } };
        char c = (char)scan_peek(&s);
        if (is_space(c)) {
            scan_next(&s);
            continue;
        }
        if (str_chr(S("\"[("), c) != STR_NONE)
            scan_next(&s);
        if (c == '"') {
            token = (struct token){ TOKEN_QUOTED, delimited(a, &s, '"') };
        } else if (c == '[') {
            token = (struct token){ TOKEN_LITERAL, delimited(a, &s, ']') };
        } else if (c == '(') {
            token = (struct token){ TOKEN_COMMENT, comment(&s) };
        } else if (str_chr(marks, c) != STR_NONE) {
            token = (struct token){ TOKEN_MARK,
                                    str_head(scan_rest(&s), 1) };
            scan_next(&s);
        } else {
            token.text = atom(a, &s);
        }
        vec_push(a, &out->list, token);
    }
}

static bool is_mark(const struct token *token, char c)
{
    return token->kind == TOKEN_MARK && token->text.p[0] == c;
}

static void add_quoted(struct buf *to, str text)
{
    buf_byte(to, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_byte(to, '\\');
        buf_byte(to, text.p[i]);
    }
    buf_byte(to, '"');
}

/* One token; quoted: as it must be written, else as it is meant. */
static void add_token(struct buf *to, const struct token *token, bool quoted)
{
    switch (token->kind) {
    case TOKEN_QUOTED:
        if (quoted)
            add_quoted(to, token->text);
        else
            buf_add(to, token->text);
        break;
    case TOKEN_LITERAL:
        buf_byte(to, '[');
        buf_add(to, token->text);
        buf_byte(to, ']');
        break;
    case TOKEN_ATOM:
        if (quoted && str_any(token->text, specials) != STR_NONE)
            add_quoted(to, token->text);
        else
            buf_add(to, token->text);
        break;
    default:
        buf_add(to, token->text);
    }
}

static str join(struct arena *a, const struct token *p, size_t n, bool quoted)
{
    struct buf out;

    buf_init(&out, a, ALIAS_MAX);
    for (size_t i = 0; i < n; i++) {
        add_token(&out, &p[i], quoted);
        if (is_mark(&p[i], ',')
            || (i + 1 < n && p[i].kind != TOKEN_MARK
                && p[i + 1].kind != TOKEN_MARK))
            buf_byte(&out, ' ');
    }
    return buf_str(&out);
}

const char *postalias_line(struct arena *a, str line, str *name, str *value)
{
    static const char no_pair[] = "need name:value pair";
    struct tokens tokens = { 0 };
    size_t colon = 0;

    tokenize(a, line, &tokens);
    while (colon < tokens.list.n && !is_mark(&tokens.list.p[colon], ':')) {
        if (is_mark(&tokens.list.p[colon], ','))
            return no_pair;
        colon++;
    }
    if (colon == 0 || colon + 1 >= tokens.list.n)
        return no_pair;
    for (size_t i = 0; i < colon; i++)
        if (is_mark(&tokens.list.p[i], '@'))
            return "name must be local";
    *name = join(a, tokens.list.p, colon, false);
    *value = join(a, tokens.list.p + colon + 1, tokens.list.n - colon - 1,
                  true);
    return NULL;
}
