/* SPDX-License-Identifier: ISC
 *
 * Membership lists.  Items are tried in order; the first that fits decides,
 * one with "!" against.  A "/file/name" item stands for the items in the file
 * as it was when the list was opened.
 */
#include "table/kind.h"
#include "table/lines.h"
#include "table/netblock.h"

enum { FILES_DEEP = 8, ITEMS_MAX = 1 << 20 };

enum item_kind { ITEM_NAME, ITEM_BLOCK, ITEM_TABLE, ITEM_BROKEN };

struct item {
    enum item_kind kind;
    bool negated;
    str text;                /* the name; what is broken */
    struct netblock block;
    struct table *table;
};

struct match_list {
    str title;
    enum match_kind kind;
    bool parent_domains;
    bool utf8;
    vec_of(struct item) items;
};

struct match_open {
    struct tables *tables;
    struct arena *arena;
    struct match_list *list;
};

static err add_items(struct task *t, struct match_open *m, str text,
                     bool negated, int depth);

static void push(struct match_open *m, struct item item)
{
    vec_push(m->arena, &m->list->items, item);
}

/* What cannot be opened now fails when it is reached. */
static void push_broken(struct task *t, struct match_open *m, bool negated)
{
    push(m, (struct item){ .kind = ITEM_BROKEN, .negated = negated,
                           .text = arena_str(m->arena,
                                             str_from(task_why(t))) });
}

static err add_file(struct task *t, struct match_open *m, str path,
                    bool negated, int depth)
{
    struct table *file;
    struct arena scratch;
    uint64_t cursor = 0;
    str line, none;
    err e;

    if (depth >= FILES_DEEP)
        return why(t, ERR_LIMIT, "%.*s: files name files too deep: %.*s",
                   STR(m->list->title), STR(path));
    TRY(tables_get(t, m->tables, arena_cat(m->arena, S("file:"), path),
                   &file));
    arena_init(&scratch, 0);
    while ((e = table_walk(t, file, &cursor, &scratch, &line, &none)) == OK) {
        e = add_items(t, m, line, negated, depth + 1);
        if (e)
            break;
    }
    arena_reset(&scratch);
    if (e == ERR_END)
        return OK;
    if (e == ERR_IO) {
        push_broken(t, m, negated);
        return OK;
    }
    return e;
}

static err add_table(struct task *t, struct match_open *m, str spec,
                     bool negated)
{
    struct item item = { .kind = ITEM_TABLE, .negated = negated };

    TRY(tables_get(t, m->tables, spec, &item.table));
    push(m, item);
    return OK;
}

/* Whether an item of an address list that is no address means one all the
 * same: digits and dots, brackets, or a prefix length. */
static bool looks_like_block(str text)
{
    return text.p[0] == '[' || str_chr(text, '/') != STR_NONE
        || str_span(text, S("0123456789.")) == STR_NONE;
}

/* Whether text is "type:name": a type is a word. */
static bool looks_like_table(str text)
{
    size_t colon = str_chr(text, ':');

    for (size_t i = 0; colon != STR_NONE && i < colon; i++)
        if (!is_alnum(text.p[i]) && text.p[i] != '_' && text.p[i] != '-')
            return false;
    return colon != STR_NONE && is_alpha(text.p[0]);
}

/* An item of a list of addresses: a block, unless it is a name. */
static err add_block(struct task *t, struct match_open *m, str text,
                     bool negated, bool *added)
{
    struct item item = { .kind = ITEM_BLOCK, .negated = negated };
    const char *trouble = netblock_parse(m->arena, text, &item.block);

    *added = !trouble;
    if (*added)
        push(m, item);
    else if (!looks_like_table(text) && looks_like_block(text))
        return why(t, ERR_SYNTAX, "%.*s: %s", STR(m->list->title), trouble);
    return OK;
}

static err add_item(struct task *t, struct match_open *m, str text,
                    bool negated, int depth)
{
    bool added = false;

    while (text.n && text.p[0] == '!') {
        negated = !negated;
        text = str_skip(text, 1);
    }
    if (str_empty(text))
        return why(t, ERR_SYNTAX, "%.*s: no pattern after '!'",
                   STR(m->list->title));
    if (text.p[0] == '/')
        return add_file(t, m, text, negated, depth);
    if (m->list->kind == MATCH_ADDRESS)
        TRY(add_block(t, m, text, negated, &added));
    if (added)
        return OK;
    if (looks_like_table(text))
        return add_table(t, m, text, negated);
    push(m, (struct item){ .kind = ITEM_NAME, .negated = negated,
                           .text = table_fold(m->arena, text,
                                              m->list->utf8) });
    return OK;
}

static err add_items(struct task *t, struct match_open *m, str text,
                     bool negated, int depth)
{
    str item;

    while (items_next(&text, &item)) {
        if (m->list->items.n >= ITEMS_MAX)
            return why(t, ERR_LIMIT, "%.*s: too many items",
                       STR(m->list->title));
        TRY(add_item(t, m, item, negated, depth));
    }
    return OK;
}

err match_list_open(struct task *t, struct tables *ts, struct arena *a,
                    str title, str text, enum match_kind kind,
                    bool parent_domains, struct match_list **out)
{
    struct match_list *list = arena_new(a, struct match_list);
    struct match_open m = { .tables = ts, .arena = a, .list = list };

    list->title = arena_str(a, title);
    list->kind = kind;
    list->parent_domains = parent_domains;
    list->utf8 = true;
    TRY(add_items(t, &m, text, false, 0));
    *out = list;
    return OK;
}

/* Whether a name (folded) is the pattern's or below it. */
static bool name_fits(const struct match_list *l, str pattern, str name)
{
    if (str_eq(pattern, name))
        return true;
    if (l->kind == MATCH_STRING || name.n <= pattern.n
        || !str_ends(name, pattern) || str_empty(pattern))
        return false;
    if (l->parent_domains)
        return name.p[name.n - pattern.n - 1] == '.';
    return pattern.p[0] == '.';
}

/* Asks a table for a name and, if it may know parents, for those. */
static err table_fits(struct task *t, const struct match_list *l,
                      struct table *tb, str name, struct arena *a)
{
    str value;
    err e = table_find(t, tb, name, a, &value);
    size_t dot;

    if (l->kind == MATCH_STRING || (table_traits(tb) & TABLE_PATTERN))
        return e;
    while (e == ERR_ABSENT
           && (dot = str_chr(str_skip(name, 1), '.')) != STR_NONE) {
        name = str_skip(name, l->parent_domains ? dot + 2 : dot + 1);
        e = table_find(t, tb, name, a, &value);
    }
    return e;
}

struct asked {
    str name, address;
    struct netblock block;
    bool has_block;
};

static err item_fits(struct task *t, const struct match_list *l,
                     const struct item *item, const struct asked *q,
                     struct arena *a)
{
    str value;
    err e = ERR_ABSENT;

    switch (item->kind) {
    case ITEM_NAME:
        return !str_empty(q->name) && name_fits(l, item->text, q->name)
             ? OK : ERR_ABSENT;
    case ITEM_BLOCK:
        return q->has_block && netblock_holds(&item->block, &q->block)
             ? OK : ERR_ABSENT;
    case ITEM_TABLE:
        if (!str_empty(q->name))
            e = table_fits(t, l, item->table, q->name, a);
        if (e == ERR_ABSENT && !str_empty(q->address))
            e = table_find(t, item->table, q->address, a, &value);
        return e;
    case ITEM_BROKEN:
        break;
    }
    return why(t, ERR_IO, "%.*s: %.*s", STR(l->title), STR(item->text));
}

err match_list_find(struct task *t, const struct match_list *l, str name,
                    str address)
{
    struct asked q = { 0 };
    struct arena a;
    err e = ERR_ABSENT;
    bool against = false;

    arena_init(&a, 0);
    q.name = table_fold(&a, name, l->utf8);
    if (l->kind == MATCH_ADDRESS) {
        q.address = address;
        q.has_block = netblock_single(address, &q.block);
    }
    for (size_t i = 0; i < l->items.n && e == ERR_ABSENT; i++) {
        e = item_fits(t, l, &l->items.p[i], &q, &a);
        against = e == OK && l->items.p[i].negated;
    }
    arena_reset(&a);
    return against ? ERR_ABSENT : e;
}
