/* SPDX-License-Identifier: ISC
 *
 * Address lists of header fields (RFC 5322 section 3.4, with the obsolete
 * forms of section 4.4): one pass over the lexemes, no recursion, positions
 * kept so that a rewriter replaces addresses only.
 */
#include "mail/address_spec.h"
#include "mail/lex.h"

enum { NAME_MAX_ = 4096 };

/* One mailbox or group name while its lexemes go by. */
struct gather {
    size_t word_from, word_to;   /* first to last word outside brackets */
    bool words;
    size_t angle_from, angle_to; /* inside <> */
    bool angle;
    bool in_angle;
    bool routed;                 /* begins with "@": a colon ends no name */
    struct lexeme comment;       /* the last one */
    bool commented;
};

static void gather_lexeme(struct gather *g, const struct lexeme *x)
{
    if (x->kind == LEX_SPACE)
        return;
    if (x->kind == LEX_COMMENT) {
        if (!g->in_angle) {
            g->comment = *x;
            g->commented = true;
        }
        return;
    }
    if (x->special == '<' && !g->angle) {
        g->angle = g->in_angle = true;
        g->angle_from = g->angle_to = x->to;
        return;
    }
    if (x->special == '>' && g->in_angle) {
        g->in_angle = false;
        return;
    }
    if (g->in_angle) {
        if (g->angle_to == g->angle_from)
            g->angle_from = x->from;
        g->angle_to = x->to;
        return;
    }
    if (g->angle)
        return; /* words after the brackets mean nothing */
    if (!g->words) {
        g->word_from = x->from;
        g->routed = x->special == '@';
    } else if (x->special == ':') {
        g->routed = false; /* the route is over: commas separate again */
    }
    g->words = true;
    g->word_to = x->to;
}

/* A phrase as text: quotes gone, runs of white space one space. */
static str phrase(str in, size_t from, size_t to, struct arena *a)
{
    struct scan s = { str_head(in, to), from };
    struct lexeme x;
    struct buf b;
    bool spaced = false;

    buf_init(&b, a, NAME_MAX_);
    while ((x = lex_next(&s, LEX_SPECIALS)).kind != LEX_END) {
        if (x.kind == LEX_SPACE || x.kind == LEX_COMMENT) {
            spaced = true;
            continue;
        }
        if (spaced && b.n)
            buf_byte(&b, ' ');
        spaced = false;
        lex_value(&b, in, &x);
    }
    return buf_str(&b);
}

static str comment_text(str in, const struct gather *g, struct arena *a)
{
    struct buf b;

    buf_init(&b, a, NAME_MAX_);
    lex_value(&b, in, &g->comment);
    return str_trim(buf_str(&b));
}

static void give_mailbox(str in, const struct gather *g, struct arena *a,
                         struct address_item *out)
{
    size_t route;
    str spec;

    out->kind = ITEM_MAILBOX;
    out->from = g->angle ? g->angle_from : g->word_from;
    out->to = g->angle ? g->angle_to : g->word_to;
    spec = (str){ in.p + out->from, out->to - out->from };
    route = address_route_end(spec);
    if (route)
        out->route = arena_str(a, str_trim(str_head(spec, route - 1)));
    if (address_spec_read(str_skip(spec, route), a, 0, &out->address)) {
        out->bad = true;
        out->address = ADDRESS_NULL;
    }
    if (g->angle && g->words)
        out->name = phrase(in, g->word_from, g->word_to, a);
    else if (g->commented)
        out->name = comment_text(in, g, a);
}

/* Whether a lexeme outside brackets ends what is being gathered. */
static bool separates(const struct address_list *l, const struct gather *g,
                      const struct lexeme *x)
{
    if (x->kind == LEX_END)
        return true;
    if (g->in_angle || x->kind != LEX_SPECIAL)
        return false;
    if (x->special == ',')
        return !g->routed || g->angle;
    if (x->special == ':')
        return g->words && !g->routed && !g->angle && !l->in_group;
    return x->special == ';' && l->in_group;
}

bool address_list_next(struct address_list *l, struct arena *a,
                       struct address_item *out)
{
    struct gather g = { 0 };
    struct lexeme x;

    *out = (struct address_item){ .address = ADDRESS_NULL };
    for (;;) {
        x = lex_next(&l->in, LEX_SPECIALS);
        if (!separates(l, &g, &x)) {
            gather_lexeme(&g, &x);
            continue;
        }
        if (x.special == ':') {
            out->kind = ITEM_GROUP;
            out->name = phrase(l->in.in, g.word_from, g.word_to, a);
            out->from = g.word_from;
            out->to = g.word_to;
            l->in_group = true;
            return true;
        }
        if (g.words || g.angle) {
            if (x.special == ';')
                l->in.at = x.from; /* again: the group's end */
            give_mailbox(l->in.in, &g, a, out);
            return true;
        }
        if (x.special == ';') {
            out->kind = ITEM_GROUP_END;
            out->from = out->to = x.from;
            l->in_group = false;
            return true;
        }
        if (x.kind == LEX_END)
            return false;
    }
}

static void put_mailbox(struct buf *to, const struct address_item *it,
                        str text)
{
    str word = str_trim(str_head(str_skip(text, it->from),
                                 it->to - it->from));
    bool plain = str_any(it->name, S("()<>[]:;@\\,.\"")) == STR_NONE;

    if (it->name.n) {
        buf_add(to, plain ? S("") : S("\""));
        buf_add(to, it->name);
        buf_add(to, plain ? S(" ") : S("\" "));
    }
    if (it->name.n || it->route.n)
        buf_byte(to, '<');
    buf_add(to, word);      /* with its route */
    if (it->name.n || it->route.n)
        buf_byte(to, '>');
}

void address_list_put(struct buf *to, str value)
{
    struct address_list l = address_list_of(value);
    struct address_item it;
    struct arena a;
    str comma = S("");

    arena_init(&a, 0);
    while (!to->over && address_list_next(&l, &a, &it)) {
        if (it.kind == ITEM_GROUP_END) {
            buf_byte(to, ';');
            comma = S(", ");
            continue;
        }
        buf_add(to, comma);
        comma = it.kind == ITEM_GROUP ? S("") : S(", ");
        if (it.kind == ITEM_GROUP) {
            buf_add(to, it.name);
            buf_add(to, S(": "));
        } else {
            put_mailbox(to, &it, value);
        }
        arena_reset(&a);
    }
    arena_reset(&a);
}
