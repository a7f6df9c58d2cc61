/* SPDX-License-Identifier: ISC
 *
 * The lexer of structured fields.
 */
#include "mail/lex.h"

/* Takes a bracketed lexeme; the opening byte was seen and not taken.  A
 * close of 0 means comments: parentheses that nest. */
static void bracketed(struct scan *s, char close, struct lexeme *x)
{
    size_t depth = 1;
    int c;

    s->at++;
    x->open = true;
    while ((c = scan_next(s)) >= 0) {
        if (c == '\\') {
            scan_next(s);
        } else if (close ? c == close : c == ')') {
            if (--depth == 0) {
                x->open = false;
                return;
            }
        } else if (!close && c == '(') {
            depth++;
        }
    }
}

static bool ends_atom(char c, str specials)
{
    return is_space(c) || c == '(' || c == '"' || c == '[' ||
           str_chr(specials, c) != STR_NONE;
}

static void atom(struct scan *s, str specials)
{
    int c;

    while ((c = scan_peek(s)) >= 0 && !ends_atom((char)c, specials)) {
        s->at++;
        if (c == '\\')
            scan_next(s);
    }
}

struct lexeme lex_next(struct scan *s, str specials)
{
    struct lexeme x = { .from = s->at };
    int c = scan_peek(s);

    if (c < 0) {
        x.kind = LEX_END;
    } else if (is_space((char)c)) {
        x.kind = LEX_SPACE;
        while (scan_peek(s) >= 0 && is_space((char)scan_peek(s)))
            s->at++;
    } else if (c == '(') {
        x.kind = LEX_COMMENT;
        bracketed(s, 0, &x);
    } else if (c == '"') {
        x.kind = LEX_QUOTED;
        bracketed(s, '"', &x);
    } else if (c == '[') {
        x.kind = LEX_LITERAL;
        bracketed(s, ']', &x);
    } else if (str_chr(specials, (char)c) != STR_NONE) {
        x.kind = LEX_SPECIAL;
        x.special = (char)c;
        s->at++;
    } else {
        x.kind = LEX_ATOM;
        atom(s, specials);
    }
    x.to = s->at;
    must(x.kind == LEX_END || x.to > x.from);
    return x;
}

void lex_value(struct buf *to, str in, const struct lexeme *x)
{
    size_t from = x->from, end = x->to;

    if (x->kind == LEX_QUOTED || x->kind == LEX_COMMENT) {
        from++;
        if (!x->open)
            end--;
    }
    for (size_t i = from; i < end; i++) {
        char c = in.p[i];
        if (x->kind == LEX_SPACE) {
            buf_byte(to, ' ');
            return;
        }
        if (c == '\\' && i + 1 < end)
            c = in.p[++i];
        else if (c == '\r' || c == '\n')
            continue;
        buf_byte(to, c);
    }
}
