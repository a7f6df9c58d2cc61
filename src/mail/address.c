/* SPDX-License-Identifier: ISC
 *
 * Addresses: the value and the addr-spec reader.  Paths and header lists
 * find where an address begins and ends; spec_read() says what it is.
 */
#include "mail/address.h"

#include "mail/address_spec.h"
#include "mail/lex.h"

#include <string.h>

static bool text_valid(str s, int flags)
{
    bool eight = false;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 32 || c == 127)
            return false;
        eight |= c >= 128;
    }
    return !eight || (!(flags & ADDRESS_ASCII) && utf8_valid(s));
}

/* A domain is a name or a literal: no blanks, quotes, specials in a name;
 * what is in a literal is checked by whoever uses it. */
static bool domain_valid(str s)
{
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return str_any((str){ s.p + 1, s.n - 2 }, S(" []<>@\"\\")) ==
               STR_NONE;
    return str_any(s, S(" \"(),:;<>@[]\\")) == STR_NONE;
}

/* The one maker of addresses; at is where the domain's "@" stands, or
 * text.n.  text lies in an arena already. */
static err address_make(str text, size_t at, int flags, struct address *out)
{
    struct address x = { .text = text };

    x.local = str_head(text, at);
    x.domain = str_skip(text, at + 1);
    if (x.local.n > ADDRESS_LOCAL_MAX || x.domain.n > ADDRESS_DOMAIN_MAX)
        return ERR_LIMIT;
    if (!text_valid(text, flags) || !domain_valid(x.domain))
        return ERR_SYNTAX;
    if (at < text.n && (x.local.n == 0 || x.domain.n == 0))
        return ERR_SYNTAX;
    if (x.domain.n == 0 && str_chr(x.local, '@') != STR_NONE)
        return ERR_SYNTAX; /* I4 */
    *out = x;
    return OK;
}

err address_of(str internal, struct arena *a, struct address *out)
{
    size_t at = str_rchr(internal, '@');

    if (internal.n > ADDRESS_MAX)
        return ERR_LIMIT;
    return address_make(arena_str(a, internal),
                        at == STR_NONE ? internal.n : at, 0, out);
}

err address_join(str local, str domain, struct arena *a, struct address *out)
{
    struct buf b;

    if (local.n > ADDRESS_LOCAL_MAX || domain.n > ADDRESS_DOMAIN_MAX)
        return ERR_LIMIT;
    buf_init(&b, a, ADDRESS_MAX);
    buf_add(&b, local);
    if (domain.n) {
        buf_byte(&b, '@');
        buf_add(&b, domain);
    }
    return address_make(buf_str(&b), local.n, 0, out);
}

bool address_same(const struct address *x, const struct address *y)
{
    return str_eq(x->local, y->local) && str_ieq(x->domain, y->domain);
}

static bool is_atext(char c)
{
    return is_alnum(c) || (unsigned char)c >= 128 ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

bool address_needs_quotes(str local)
{
    bool dot = true; /* a dot may not come now */

    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];
        if (c == '.' ? dot : !is_atext(c))
            return true;
        dot = c == '.';
    }
    return dot;
}

str address_quote(str local, struct arena *a)
{
    struct buf b;

    if (!address_needs_quotes(local))
        return local;
    buf_init(&b, a, 2 * local.n + 2);
    buf_byte(&b, '"');
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_byte(&b, '\\');
        buf_byte(&b, local.p[i]);
    }
    buf_byte(&b, '"');
    return buf_str(&b);
}

str address_external(const struct address *x, struct arena *a)
{
    struct buf b;

    if (address_is_null(x) || !address_needs_quotes(x->local))
        return x->text;
    buf_init(&b, a, 2 * ADDRESS_MAX + 2);
    buf_add(&b, address_quote(x->local, a));
    if (x->domain.n) {
        buf_byte(&b, '@');
        buf_add(&b, x->domain);
    }
    return buf_str(&b);
}

str address_shown(str internal, struct arena *a)
{
    struct address x;

    return address_of(internal, a, &x) ? internal : address_external(&x, a);
}

static bool never_split(str local, bool dash, bool owner_request_special)
{
    if (str_ieq(local, S("mailer-daemon")) ||
        str_ieq(local, S("double-bounce")) || str_ieq(local, S("postmaster")))
        return true;
    return dash && owner_request_special &&
           (str_istarts(local, S("owner-")) ||
            str_iends(local, S("-request")));
}

bool address_split(str local, str delimiters, bool owner_request_special,
                   str *user, str *extension)
{
    size_t at = local.n > 1 ? str_any(str_skip(local, 1), delimiters)
                            : STR_NONE;

    *user = local;
    *extension = S("");
    if (at == STR_NONE ||
        never_split(local, str_chr(delimiters, '-') != STR_NONE,
                    owner_request_special))
        return false;
    *user = str_head(local, at + 1);
    *extension = str_skip(local, at + 1);
    return true;
}

/* How the words of an addr-spec hang together. */
struct spec {
    struct buf text;
    size_t at;      /* offset of the last "@" in text, or STR_NONE */
    bool joined;    /* the last lexeme that counts was "." or "@": a word may
                       follow */
    bool spaced;    /* white space or a comment came since */
    int flags;
};

static err spec_word(struct spec *sp, str in, const struct lexeme *x)
{
    if (x->open || (sp->spaced && !sp->joined))
        return ERR_SYNTAX;
    if (x->kind == LEX_LITERAL && (sp->flags & ADDRESS_STRICT) &&
        (sp->at == STR_NONE || sp->at + 1 != sp->text.n))
        return ERR_SYNTAX; /* only as a domain, or in a route: u%[x]@y */
    if ((sp->flags & ADDRESS_STRICT) && x->kind == LEX_ATOM &&
        memchr(in.p + x->from, '\\', x->to - x->from))
        return ERR_SYNTAX;
    lex_value(&sp->text, in, x);
    sp->joined = false;
    sp->spaced = false;
    return OK;
}

static err spec_special(struct spec *sp, const struct lexeme *x)
{
    bool strict = sp->flags & ADDRESS_STRICT;

    if (x->special != '.' && x->special != '@')
        return ERR_SYNTAX;
    if (strict && (sp->joined || (x->special == '@' && sp->at != STR_NONE)))
        return ERR_SYNTAX;
    if (x->special == '@')
        sp->at = sp->text.n;
    buf_byte(&sp->text, x->special);
    sp->joined = true;
    sp->spaced = false;
    return OK;
}

err address_spec_read(str in, struct arena *a, int flags,
                      struct address *out)
{
    struct spec sp = { .at = STR_NONE, .joined = true, .flags = flags };
    struct scan s = scan_of(in);
    struct lexeme x;

    if (in.n > 2 * ADDRESS_MAX)
        return ERR_LIMIT;
    buf_init(&sp.text, a, 2 * ADDRESS_MAX);
    while ((x = lex_next(&s, LEX_SPECIALS)).kind != LEX_END) {
        if (x.kind == LEX_SPACE || x.kind == LEX_COMMENT) {
            if (flags & ADDRESS_STRICT)
                return ERR_SYNTAX;
            sp.spaced = true;
        } else if (x.kind == LEX_SPECIAL) {
            TRY(spec_special(&sp, &x));
        } else {
            TRY(spec_word(&sp, in, &x));
        }
    }
    if (sp.text.n && sp.joined && (flags & ADDRESS_STRICT))
        return ERR_SYNTAX;
    return address_make(buf_str(&sp.text),
                        sp.at == STR_NONE ? sp.text.n : sp.at, flags, out);
}

size_t address_route_end(str in)
{
    struct scan s = scan_of(in);
    struct lexeme x;
    bool first = true;

    while ((x = lex_next(&s, LEX_SPECIALS)).kind != LEX_END) {
        if (x.kind == LEX_SPACE || x.kind == LEX_COMMENT)
            continue;
        if (first && x.special != '@')
            return 0;
        first = false;
        if (x.special == ':')
            return x.to;
        if (x.kind == LEX_QUOTED || (x.kind == LEX_SPECIAL &&
            str_chr(S("@.,"), x.special) == STR_NONE))
            return 0;
    }
    return 0;
}

/* Where a path ends: after its ">", or before the first blank outside
 * quotes if it has no brackets. */
static size_t path_end(str rest, bool bracketed)
{
    struct scan s = scan_of(rest);
    struct lexeme x;

    while ((x = lex_next(&s, LEX_SPECIALS)).kind != LEX_END) {
        if (bracketed && x.special == '>')
            return x.to;
        if (!bracketed && x.kind == LEX_SPACE)
            return x.from;
    }
    return bracketed ? STR_NONE : rest.n;
}

err address_path(struct scan *s, struct arena *a, int flags,
                 struct address *out)
{
    size_t blanks = scan_blanks(s), end;
    bool bracketed = scan_peek(s) == '<';
    str path;

    if ((flags & ADDRESS_STRICT) && (!bracketed || blanks))
        return ERR_SYNTAX;
    end = path_end(scan_rest(s), bracketed);
    if (end == STR_NONE || end == 0)
        return ERR_SYNTAX;
    path = str_head(scan_rest(s), end);
    if (bracketed)
        path = (str){ path.p + 1, path.n - 2 };
    /* What follows a path is a blank or the end. */
    if (s->at + end < s->in.n && !is_blank(s->in.p[s->at + end]))
        return ERR_SYNTAX;
    TRY(address_spec_read(str_skip(path, address_route_end(path)), a, flags,
                          out));
    s->at += end;
    return OK;
}

err address_parse(str external, struct arena *a, int flags,
                  struct address *out)
{
    str s = str_trim(external);

    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = (str){ s.p + 1, s.n - 2 };
    return address_spec_read(str_skip(s, address_route_end(s)), a, flags,
                             out);
}
