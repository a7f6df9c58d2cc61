/* SPDX-License-Identifier: ISC
 *
 * The words and marks of lists as people write them: aliases(5), virtual(5),
 * .forward and :include: files, arguments of sendmail(1).  Quoted strings,
 * [literals], (comments) and atoms are words; each of | % ! , . : ; < > @ ) ]
 * is a mark.  A backslash takes the next byte along, whatever it is.
 *
 * Unlike the lexemes of header fields (lex.h), which keep their places in
 * the text so that it can be written again, tokens are what was meant.
 */
#ifndef MAIL_TOKEN_H
#define MAIL_TOKEN_H

#include "base/base.h"

enum token_kind { TOKEN_ATOM, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_COMMENT,
                  TOKEN_MARK };

struct token {
    enum token_kind kind;
    bool escaped;         /* an atom that began with a backslash */
    str text;             /* without quotes, brackets and backslashes; a
                             comment as it stands */
};

struct tokens {
    vec_of(struct token) list;
};

/* Adds the tokens of text.  What is not closed ends with the text. */
void tokens_read(str text, struct arena *a, struct tokens *out);

static inline bool token_is_mark(const struct token *token, char c)
{
    return token->kind == TOKEN_MARK && token->text.p[0] == c;
}

/* Whether an atom could not be written as it is meant. */
bool token_needs_quotes(str text);

#endif
