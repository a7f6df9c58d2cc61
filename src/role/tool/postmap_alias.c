/* SPDX-License-Identifier: ISC
 *
 * The texts of aliases(5), "name: value, value".
 *
 * A line is a list of words and marks (mail/token.h).  Written again, two
 * words have one blank between them, a comma one after it, "<" one before it,
 * and nothing else any.
 */
#include "role/tool/postmap.h"

#include "mail/token.h"

enum { ALIAS_MAX = 16 << 20 };

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
        if (quoted && token_needs_quotes(token->text))
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
        if (token_is_mark(&p[i], ',')
            || (i + 1 < n && token_is_mark(&p[i + 1], '<'))
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

    tokens_read(line, a, &tokens);
    while (colon < tokens.list.n
           && !token_is_mark(&tokens.list.p[colon], ':')) {
        if (token_is_mark(&tokens.list.p[colon], ','))
            return no_pair;
        colon++;
    }
    if (colon == 0 || colon + 1 >= tokens.list.n)
        return no_pair;
    for (size_t i = 0; i < colon; i++)
        if (token_is_mark(&tokens.list.p[i], '@'))
            return "name must be local";
    *name = join(a, tokens.list.p, colon, false);
    *value = join(a, tokens.list.p + colon + 1, tokens.list.n - colon - 1,
                  true);
    return NULL;
}
