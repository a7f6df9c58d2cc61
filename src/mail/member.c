/* SPDX-License-Identifier: ISC
 *
 * Address lists are read from the right to the left, since only what stands
 * to the right tells what a word is: a name before <...> or before a group's
 * ":" is not an address.
 *
 *   member   the tokens between i and to are one
 *   name     what comes is a name before <...>: up to , ; : or >
 *   group    what comes is a group's name: up to ","
 *
 * Each token is looked at twice at most.
 */
#include "mail/member.h"

#include "mail/token.h"

enum place { PLACE_MEMBER, PLACE_NAME, PLACE_GROUP };

struct walk {
    const struct token *p;
    size_t i;               /* the token that is looked at */
    size_t from, to;        /* the member's tokens so far */
    bool grouped;           /* there is a ";" to the right */
    enum place place;
    struct arena *a;
    struct members *out;
};

/* The tokens from, from + 1 ... as text. */
static str join(const struct walk *w, size_t from, size_t to)
{
    struct buf b;

    buf_init(&b, w->a, STR_NONE / 2);
    for (size_t i = from; i < to; i++) {
        if (w->p[i].kind == TOKEN_COMMENT)
            continue;
        if (w->p[i].kind == TOKEN_LITERAL)
            buf_byte(&b, '[');
        buf_add(&b, w->p[i].text);
        if (w->p[i].kind == TOKEN_LITERAL)
            buf_byte(&b, ']');
    }
    return buf_str(&b);
}

static void give(struct walk *w, size_t from, size_t to, bool brackets)
{
    struct member m = { .text = S("") };

    while (from < to && w->p[from].kind == TOKEN_COMMENT)
        from++;
    if (from == to && !brackets)
        return;
    m.null = from == to;
    if (!m.null) {
        m.text = join(w, from, to);
        m.escaped = w->p[from].escaped;
    }
    vec_push(w->a, &w->out->list, m);
}

static void end_member(struct walk *w)
{
    give(w, w->from, w->to, false);
    w->from = w->to = 0;
}

/* At a ">": up to its "<", or to the beginning if there is none. */
static void on_bracket(struct walk *w)
{
    size_t to = w->i, from = w->i;

    end_member(w);
    while (from > 0 && !token_is_mark(&w->p[from - 1], '<'))
        from--;
    give(w, from, to, from > 0);
    w->i = from > 0 ? from - 1 : 0;
    w->place = PLACE_NAME;
}

/* Whether the name goes on to the left of this token. */
static bool still_name(struct walk *w, const struct token *x)
{
    if (w->place == PLACE_GROUP && !token_is_mark(x, ','))
        return true;
    if (w->place == PLACE_NAME && (x->kind != TOKEN_MARK ||
        str_chr(S(",;:>"), x->text.p[0]) == STR_NONE))
        return true;
    if (w->place == PLACE_NAME && token_is_mark(x, ':') && !w->grouped) {
        w->place = PLACE_MEMBER; /* the colon itself goes */
        return true;
    }
    w->place = PLACE_MEMBER;
    return false;
}

static void on_token(struct walk *w)
{
    const struct token *x = &w->p[w->i];

    if (x->kind == TOKEN_COMMENT ||
        (w->place != PLACE_MEMBER && still_name(w, x)))
        return;
    if (token_is_mark(x, ',') || token_is_mark(x, ';') ||
        (token_is_mark(x, ':') && w->grouped)) {
        end_member(w);
        w->grouped |= x->text.p[0] == ';';
        if (x->text.p[0] == ':')
            w->place = PLACE_GROUP;
        return;
    }
    if (token_is_mark(x, '>')) {
        on_bracket(w);
        return;
    }
    if (x->kind != TOKEN_MARK && w->from < w->to &&
        w->p[w->from].kind != TOKEN_MARK)
        end_member(w);
    if (w->from == w->to)
        w->to = w->i + 1;
    w->from = w->i;
}

static void reverse(struct members *m, size_t from)
{
    for (size_t i = from, k = m->list.n; i + 1 < k; i++) {
        struct member x = m->list.p[i];
        m->list.p[i] = m->list.p[--k];
        m->list.p[k] = x;
    }
}

void members_read(str text, struct arena *a, struct members *out)
{
    struct tokens tokens = { 0 };
    struct walk w = { .a = a, .out = out };
    size_t before = out->list.n;

    tokens_read(text, a, &tokens);
    w.p = tokens.list.p;
    w.i = tokens.list.n;
    while (w.i > 0) {
        w.i--;
        on_token(&w);
    }
    end_member(&w);
    reverse(out, before);
}

err member_address(const struct member *m, struct arena *a,
                   struct address *out)
{
    str text = m->text;
    size_t colon = str_starts(text, S("@")) ? str_chr(text, ':') : STR_NONE;

    if (colon != STR_NONE)
        text = str_skip(text, colon + 1);
    return address_of(text, a, out);
}

struct address member_unusable(str text, struct arena *a)
{
    struct address x;
    struct buf b;

    text = str_head(text, ADDRESS_LOCAL_MAX / 2);
    buf_init(&b, a, ADDRESS_MAX);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_byte(&b, c < 32 || c >= 127 ? '?' : (char)c);
    }
    buf_add(&b, S("@."));
    if (address_of(buf_str(&b), a, &x))
        must_not_reach(); /* any text will do as a local part */
    return x;
}
