/* SPDX-License-Identifier: ISC
 *
 * Cutting lists into words and marks: one pass, no recursion.
 */
#include "mail/token.h"

static const str marks = S_INIT("|%!,.:;<>@)]");
static const str ends = S_INIT("|%!\"(),.:;<>@[]\\ \t\r\n"); /* an atom */

bool token_needs_quotes(str text)
{
    return str_any(text, S("|\"(),.:;<>@[]\\ \t\r\n")) != STR_NONE;
}

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
        if (c != '\\' && str_chr(ends, (char)c) != STR_NONE)
            break;
        scan_next(s);
        if (c == '\\' && (c = scan_next(s)) < 0)
            break;
        buf_byte(&text, (char)c);
    }
    return buf_str(&text);
}

void tokens_read(str text, struct arena *a, struct tokens *out)
{
    struct scan s = scan_of(text);

    while (!scan_done(&s)) {
        struct token token = { TOKEN_ATOM, false, { 0 } };
        char c = (char)scan_peek(&s);
        if (is_space(c)) {
            scan_next(&s);
            continue;
        }
        if (str_chr(S("\"[("), c) != STR_NONE)
            scan_next(&s);
        if (c == '"') {
            token.kind = TOKEN_QUOTED;
            token.text = delimited(a, &s, '"');
        } else if (c == '[') {
            token.kind = TOKEN_LITERAL;
            token.text = delimited(a, &s, ']');
        } else if (c == '(') {
            token.kind = TOKEN_COMMENT;
            token.text = comment(&s);
        } else if (str_chr(marks, c) != STR_NONE) {
            token.kind = TOKEN_MARK;
            token.text = str_head(scan_rest(&s), 1);
            scan_next(&s);
        } else {
            token.escaped = c == '\\';
            token.text = atom(a, &s);
        }
        vec_push(a, &out->list, token);
    }
}
