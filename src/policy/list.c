/* SPDX-License-Identifier: ISC
 *
 * Reading restriction lists.
 */
#include "policy/list.h"

#include "conf/conf.h"

struct word {
    str name;
    enum operation operation;
    enum about about;
};

#define WORD(name, operation, about)                                          \
    { S_INIT(name), DO_##operation, ABOUT_##about },
static const struct word words[] = {
#include "policy/words.def"
};
#undef WORD

static const struct word *word_find(str name)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_ieq(words[i].name, name))
            return &words[i];
    return NULL;
}

static const struct rule_class *class_find(const struct rule_classes *c,
                                           str name)
{
    for (size_t i = 0; i < c->n; i++)
        if (str_eq(c->p[i].name, name))
            return &c->p[i];
    return NULL;
}

struct reading {
    struct arena *a;
    const struct list_place *place;
    const struct rule_classes *classes;
    struct conf_items items;
    size_t at;                  /* the next item */
    str *complaint;
};

static err complain(struct reading *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static err complain(struct reading *r, const char *fmt, ...)
{
    va_list ap;
    str text;

    va_start(ap, fmt);
    text = arena_vfmt(r->a, fmt, ap);
    va_end(ap);
    *r->complaint = r->place->in_action
                        ? text : arena_fmt(r->a, "%.*s: %.*s",
                                           STR(r->place->title), STR(text));
    return ERR_SYNTAX;
}

static bool asks_table(enum operation o)
{
    return o == DO_ACCESS || o == DO_ACCESS_A || o == DO_ACCESS_MX
           || o == DO_ACCESS_NS;
}

static bool asks_zone(enum operation o)
{
    return o == DO_RBL || o == DO_DNSWL || o == DO_RHSBL || o == DO_RHSWL;
}

/* Whether an item names a table: its type is a word before a colon. */
static bool is_table(str item)
{
    return item.n > 0
           && (item.p[0] == '{' || str_chr(item, ':') != STR_NONE);
}

/* "{ type:name }" is type:name; attributes behind it are for words that are
 * not built. */
static err table_argument(struct reading *r, str word, str item, str *spec)
{
    struct conf_items inner;

    *spec = item;
    if (item.p[0] != '{')
        return OK;
    if (item.n < 2 || item.p[item.n - 1] != '}')
        return complain(r, "%.*s: no closing brace", STR(word));
    inner = conf_split(r->a, str_head(str_skip(item, 1), item.n - 2));
    if (inner.n == 0 || str_chr(inner.p[0], ':') == STR_NONE)
        return complain(r, "restriction %.*s: bad argument \"%.*s\": need "
                           "maptype:mapname", STR(word), STR(item));
    if (inner.n > 1)
        return complain(r, "restriction %.*s: unknown attribute \"%.*s\"",
                        STR(word), STR(inner.p[1]));
    *spec = inner.p[0];
    return OK;
}

static bool next_item(struct reading *r, str *item)
{
    if (r->at == r->items.n)
        return false;
    *item = r->items.p[r->at++];
    return true;
}

/* What follows the word. */
static err read_argument(struct reading *r, struct rule *rule)
{
    const char *fault;
    uint64_t n;
    str item;

    if (asks_table(rule->operation)) {
        item = S("");
        if (!next_item(r, &item) || !is_table(item))
            return complain(r, "restriction %.*s: bad argument \"%.*s\": "
                               "need maptype:mapname", STR(rule->word),
                            STR(item));
        return table_argument(r, rule->word, item, &rule->argument);
    }
    if (asks_zone(rule->operation)) {
        if (!next_item(r, &rule->argument))
            return complain(r, "restriction %.*s requires domain name "
                               "argument", STR(rule->word));
        fault = zone_read(rule->argument, &rule->zone);
        return fault ? complain(r, "restriction %.*s: \"%.*s\": %s",
                                STR(rule->word), STR(rule->argument), fault)
                     : OK;
    }
    if (rule->operation == DO_SLEEP) {
        if (!next_item(r, &item) || !str_uint(item, 3600, &n))
            return complain(r, "restriction %.*s must be followed by number",
                            STR(rule->word));
        rule->seconds = (int64_t)n;
    }
    return OK;
}

/* A table without a word. */
static err read_bare_table(struct reading *r, str item, struct rule *rule)
{
    const struct word *w = word_find(r->place->bare_table);

    if (!w)
        return complain(r, "specify one of (check_client_access, "
                           "check_reverse_client_hostname_access, "
                           "check_helo_access, check_sender_access, "
                           "check_recipient_access, check_etrn_access) "
                           "before \"%.*s\"", STR(item));
    *rule = (struct rule){ w->name, w->operation, w->about,
                           .argument = item };
    return table_argument(r, w->name, item, &rule->argument);
}

static err read_rule(struct reading *r, str item, struct rule *rule)
{
    const struct rule_class *class;
    const struct word *w;

    if (is_table(item))
        return read_bare_table(r, item, rule);
    w = word_find(item);
    if (w && w->operation == DO_NOT_BUILT)
        return complain(r, "restriction \"%.*s\" is not built in",
                        STR(item));
    if (w) {
        *rule = (struct rule){ item, w->operation, w->about };
        return read_argument(r, rule);
    }
    class = class_find(r->classes, item);
    if (!class)
        return complain(r, "unknown smtpd restriction: \"%.*s\"", STR(item));
    *rule = (struct rule){ item, DO_CLASS, .class_list = &class->list };
    return OK;
}

err rule_list_read(struct arena *a, const struct list_place *place,
                   const struct rule_classes *classes, str text,
                   struct rule_list *out, str *complaint)
{
    struct reading r = { .a = a, .place = place, .classes = classes,
                         .items = conf_split(a, text),
                         .complaint = complaint };
    struct rule_list list = { 0 };
    str item;

    if (r.items.n > RULES_MAX)
        return complain(&r, "too many words");
    list.p = arena_array(a, struct rule, r.items.n + 1);
    while (next_item(&r, &item)) {
        TRY(read_rule(&r, item, &list.p[list.n]));
        list.n++;
    }
    *out = list;
    return OK;
}

/* How deep the classes of a list go, from what is known so far. */
static size_t depth_of(const struct rule_classes *c,
                       const struct rule_list *list, const size_t *depths)
{
    size_t deepest = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct rule *r = &list->p[i];
        for (size_t k = 0; r->operation == DO_CLASS && k < c->n; k++)
            if (r->class_list == &c->p[k].list && depths[k] >= deepest)
                deepest = depths[k];
    }
    return deepest + 1;
}

/* L2: depths that still grow after CLASS_DEPTH_MAX rounds have no end. */
static err check_depth(struct arena *a, const struct rule_classes *c,
                       str *complaint)
{
    size_t *depths = arena_array(a, size_t, c->n + 1);

    for (int round = 0; round <= CLASS_DEPTH_MAX; round++)
        for (size_t i = 0; i < c->n; i++)
            depths[i] = depth_of(c, &c->p[i].list, depths);
    for (size_t i = 0; i < c->n; i++) {
        if (depths[i] <= CLASS_DEPTH_MAX)
            continue;
        *complaint = arena_fmt(a, "smtpd_restriction_classes: class "
                                  "\"%.*s\" names itself, or others too "
                                  "deep", STR(c->p[i].name));
        return ERR_SYNTAX;
    }
    return OK;
}

err rule_classes_read(struct arena *a, struct rule_classes *classes,
                      str *complaint)
{
    for (size_t i = 0; i < classes->n; i++) {
        struct rule_class *c = &classes->p[i];
        struct list_place place = { .title = c->name };
        TRY(rule_list_read(a, &place, classes, c->text, &c->list,
                           complaint));
    }
    return check_depth(a, classes, complaint);
}

static bool guards(enum operation o)
{
    switch (o) {
    case DO_UNAUTH_DESTINATION:
    case DO_DEFER_UNAUTH_DESTINATION:
    case DO_REJECT:
    case DO_DEFER:
    case DO_DEFER_IF_PERMIT:
        return true;
    default:
        return false;
    }
}

/* tidy: the classes' depth is bounded (L2). */
bool rule_list_guards(const struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rule *r = &list->p[i];
        if (r->operation == DO_WARN_IF_REJECT)
            i++; /* what is only a warning guards nothing */
        else if (r->operation == DO_PERMIT)
            return false;
        else if (guards(r->operation)
                 || (r->operation == DO_CLASS
                     && rule_list_guards(r->class_list)))
            return true;
    }
    return false;
}
