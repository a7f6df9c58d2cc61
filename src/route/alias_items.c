/* SPDX-License-Identifier: ISC
 *
 * The items of an alias' value.  They look like a list of addresses, but a
 * command or a file name begins where an address would, and may be quoted as
 * a whole or after its first byte.
 */
#include "mail/lex.h"
#include "route/alias.h"
#include "route/rewrite.h"

enum { ITEM_MAX = 4096 };

/* Specials inside commands mean nothing; only a comma ends an item. */
#define ITEM_SPECIALS S(",")

static bool is_path_or_command(str item, char *first);

/* Takes the text of the next item, up to a comma outside quotes, brackets and
 * "group: a, b;"; false at the end. */
static bool next_item(struct scan *s, str *item)
{
    struct lexeme x;
    size_t from = s->at, end;
    int angle = 0;
    bool group = false;
    char first;
    str specials = is_path_or_command(str_trim(scan_rest(s)), &first)
        ? S(",<>") : S(",<>:;");

    if (scan_done(s))
        return false;
    for (;;) {
        x = lex_next(s, specials);
        end = x.from;
        if (x.kind == LEX_END || (x.special == ',' && !angle && !group))
            break;
        angle += x.special == '<' ? 1 : x.special == '>' ? -1 : 0;
        if (!angle && (x.special == ':' || x.special == ';'))
            group = x.special == ':';
    }
    *item = str_trim((str){ s->in.p + from, end - from });
    return true;
}

/* The item without its quotes: "|cmd x", |"cmd x", "/file name". */
static str unquote(str item, struct arena *a)
{
    struct scan s = scan_of(item);
    struct lexeme x;
    struct buf b;

    buf_init(&b, a, ITEM_MAX);
    while ((x = lex_next(&s, ITEM_SPECIALS)).kind != LEX_END) {
        if (x.kind == LEX_QUOTED)
            lex_value(&b, item, &x);
        else
            buf_add(&b, (str){ item.p + x.from, x.to - x.from });
    }
    return b.over ? S("") : buf_str(&b);
}

static bool is_path_or_command(str item, char *first)
{
    if (item.n && item.p[0] == '"')
        item = str_skip(item, 1);
    *first = item.n ? item.p[0] : 0;
    return *first == '|' || *first == '/' || str_starts(item, S("~/")) ||
           str_istarts(item, S(":include:"));
}

/* A command, file or include as an action; empty names are none. */
static bool read_special(str item, char first, struct arena *a,
                         struct alias_action *out)
{
    str text = unquote(item, a);

    *out = (struct alias_action){ .address = ADDRESS_NULL };
    if (str_any(text, str_of("\0\r\n", 3)) != STR_NONE)
        return false;
    if (first == '|') {
        out->kind = ALIAS_COMMAND;
        out->text = str_trim(str_skip(text, 1));
    } else if (first == '/' || first == '~') {
        out->kind = ALIAS_FILE;
        out->text = text;
    } else {
        out->kind = ALIAS_INCLUDE;
        out->text = str_trim(str_skip(text, S(":include:").n));
        if (!str_starts(out->text, S("/")))
            return false;
    }
    return out->text.n > 0;
}

/* The addresses in what is no command: more than one if it is a group. */
static bool read_addresses(const struct route *r, str item, struct arena *a,
                           struct alias_actions *out)
{
    bool bare = str_starts(item, S("\\"));
    struct address_list l = address_list_of(str_skip(item, bare));
    struct address_item one;

    while (address_list_next(&l, a, &one)) {
        struct alias_action act = { .kind = bare ? ALIAS_USER
                                                 : ALIAS_FORWARD };
        if (one.kind != ITEM_MAILBOX)
            continue;
        if (one.bad)
            return false;
        act.address = rewrite_standard(r, REWRITE_LOCAL, &one.address, a);
        if (!address_is_null(&act.address))
            vec_push(a, &out->list, act);
    }
    return true;
}

err alias_items(const struct route *r, str text, struct arena *a,
                struct alias_actions *out, str *where)
{
    struct scan s = scan_of(text);
    struct alias_action act;
    str item;
    char first;

    while (next_item(&s, &item)) {
        bool good;
        if (item.n == 0)
            continue;
        if (is_path_or_command(item, &first)) {
            good = read_special(item, first, a, &act);
            if (good)
                vec_push(a, &out->list, act);
        } else {
            good = read_addresses(r, item, a, out);
        }
        if (!good) {
            *where = arena_fmt(a, "bad item \"%.*s\"",
                               STR(str_head(item, 100)));
            return ERR_SYNTAX;
        }
    }
    return OK;
}
