/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: aliases that go in a circle, and in the end to nobody.
 *
 * What an alias stands for is an edge of a graph; a name that stands for
 * itself among others is its own mailbox and no edge.  Walking keeps its own
 * stack: chains may be as long as a file.
 */
#include "role/tool/doctor.h"

#include "mail/token.h"
#include "role/tool/postmap.h"
#include "table/lines.h"

enum { TEXT_MAX = 64 << 20, CIRCLES_MAX = 10 };

struct node {
    str name;
    vec_of(struct node *) to;
    size_t next;            /* edge to walk next */
    struct node *from;      /* whence it is being walked */
    enum { NEW, WALKED, DONE } state;
};

struct graph {
    struct doctor *d;
    struct map *nodes;      /* by name, without regard to case */
    vec_of(struct node *) all;
    size_t n_circles;
};

static void graph_new(struct doctor *d, struct graph *out)
{
    *out = (struct graph){ .d = d, .nodes = map_new(d->a, true) };
}

static struct node *node_of(struct graph *g, str name)
{
    struct node *n = map_get(g->nodes, name);

    if (n)
        return n;
    n = arena_new(g->d->a, struct node);
    n->name = name;
    map_put(g->nodes, name, n);
    vec_push(g->d->a, &g->all, n);
    return n;
}

static void add_edge(struct graph *g, str from, str to)
{
    struct node *n = node_of(g, from);

    if (!str_ieq(from, to))
        vec_push(g->d->a, &n->to, node_of(g, to));
}

/* n was reached again while it is being walked, from last. */
static void say_circle(struct graph *g, const struct node *n,
                       const struct node *last, str origin)
{
    str way = n->name;

    if (g->n_circles++ >= CIRCLES_MAX)
        return;
    for (const struct node *at = last; at != n; at = at->from)
        way = arena_fmt(g->d->a, "%.*s -> %.*s", STR(at->name), STR(way));
    doctor_say(g->d, PROBLEM, "%.*s: aliases go in a circle: %.*s -> %.*s",
               STR(origin), STR(n->name), STR(way));
}

static void walk(struct graph *g, struct node *start, str origin)
{
    struct node *n = start;

    n->state = WALKED;
    while (n) {
        struct node *to;
        if (n->next == n->to.n) {
            n->state = DONE;
            n = n->from;
            continue;
        }
        to = n->to.p[n->next++];
        if (to->state == WALKED)
            say_circle(g, to, n, origin);
        if (to->state != NEW)
            continue;
        to->state = WALKED;
        to->from = n;
        n = to;
    }
}

static void find_circles(struct graph *g, str origin)
{
    for (size_t i = 0; i < g->all.n; i++)
        if (g->all.p[i]->state == NEW)
            walk(g, g->all.p[i], origin);
    if (g->n_circles > CIRCLES_MAX)
        doctor_say(g->d, PROBLEM, "%.*s: %zu circles more", STR(origin),
                   g->n_circles - CIRCLES_MAX);
}

/* --- texts ---------------------------------------------------------------- */

/* An address of ours is a local name; others lead away. */
static str local_name(const struct doctor *d, str address)
{
    struct conf_items ours = conf_items(d->conf, P_mydestination);
    size_t at = str_rchr(address, '@');

    if (at == STR_NONE)
        return address;
    for (size_t i = 0; i < ours.n; i++)
        if (str_ieq(ours.p[i], str_skip(address, at + 1)))
            return str_head(address, at);
    return S("");
}

/* The names in a list with commas; commands, files and :include: are none. */
static void add_targets(struct graph *g, str from, str list, bool local)
{
    struct tokens words = { 0 };
    struct buf b;

    tokens_read(list, g->d->a, &words);
    buf_init(&b, g->d->a, 2 * list.n + 2);
    for (size_t i = 0; i <= words.list.n; i++) {
        str to;
        if (i < words.list.n && !token_is_mark(&words.list.p[i], ',')) {
            if (words.list.p[i].escaped)
                buf_byte(&b, '\\'); /* \name: is not looked up again */
            buf_add(&b, words.list.p[i].text);
            continue;
        }
        to = arena_str(g->d->a, buf_str(&b));
        buf_clear(&b);
        if (local)
            to = local_name(g->d, to);
        if (!str_empty(to) && str_any(str_head(to, 1), S("|/:\\")) != 0)
            add_edge(g, from, to);
    }
}

/* The file behind a table that postmap or postalias makes, or that is read as
 * a text. */
static str text_of(str spec)
{
    static const str types[] = { S_INIT("hash:"), S_INIT("btree:"),
                                 S_INIT("dbm:"), S_INIT("cdb:"),
                                 S_INIT("lmdb:"), S_INIT("texthash:") };

    if (str_starts(spec, S("proxy:")))
        spec = str_skip(spec, 6);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (str_starts(spec, types[i]))
            return str_skip(spec, types[i].n);
    return S("");
}

static void add_text(struct graph *g, str path, str text, bool local)
{
    struct lines lines = { .text = text, .origin = path, .arena = g->d->a };
    str line, name, value;
    int at;

    while (lines_next(&lines, &line, &at)) {
        if (local ? postalias_line(g->d->a, line, &name, &value) != NULL
                  : !lines_pair(line, &name, &value))
            continue; /* said when the table is made */
        add_targets(g, name, value, local);
    }
}

/* Texts that are not there are the tables' matter, not this one's. */
static bool load(struct task *t, struct doctor *d, str spec, str *path,
                 str *text)
{
    *path = text_of(spec);
    return !str_empty(*path)
           && !file_load(t, NULL, *path, d->a, TEXT_MAX, text);
}

static void look_at_texts(struct task *t, struct doctor *d, enum param p,
                          bool local)
{
    struct conf_items items = conf_items(d->conf, p);

    for (size_t i = 0; i < items.n; i++) {
        struct graph g;
        str path, text;
        if (!load(t, d, items.p[i], &path, &text))
            continue;
        graph_new(d, &g);
        add_text(&g, path, text, local);
        find_circles(&g, path);
    }
}

bool doctor_has_alias(struct task *t, struct doctor *d, str name)
{
    static const enum param params[] = { P_alias_maps, P_alias_database };

    for (size_t p = 0; p < 2; p++) {
        struct conf_items items = conf_items(d->conf, params[p]);
        for (size_t i = 0; i < items.n; i++) {
            struct graph g;
            str path, text;
            if (!load(t, d, items.p[i], &path, &text))
                continue;
            graph_new(d, &g);
            add_text(&g, path, text, true);
            if (map_get(g.nodes, name))
                return true;
        }
    }
    return false;
}

/* --- all ------------------------------------------------------------------ */

static void look_at_directory(struct task *t, struct doctor *d)
{
    struct directory_aliases all;
    struct graph g;

    if (!d->ad->directory
        || directory_alias_list(t, d->ad->directory, d->a, &all))
        return; /* was said */
    graph_new(d, &g);
    for (size_t i = 0; i < all.n; i++)
        add_edge(&g, all.p[i].address, all.p[i].target);
    find_circles(&g, S("the directory"));
}

void doctor_aliases(struct task *t, struct doctor *d)
{
    look_at_directory(t, d);
    look_at_texts(t, d, P_alias_maps, true);
    look_at_texts(t, d, P_virtual_alias_maps, false);
}
