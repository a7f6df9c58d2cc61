/* SPDX-License-Identifier: ISC
 *
 * Parsing FETCH (RFC 3501 section 6.4.5, RFC 7162 CHANGEDSINCE, RFC 3516
 * BINARY).
 */
#include "imap/plan.h"

enum { ITEMS_MAX = 1000 };

struct planning {
    struct args *x;
    vec_of(struct plan_item) items;
    struct plan plan;
};

static bool add(struct planning *p, struct plan_item item)
{
    if (p->items.n == ITEMS_MAX)
        return args_fail(p->x, "Too many items");
    vec_push(p->x->a, &p->items, item);
    return true;
}

static bool add_simple(struct planning *p, enum item_kind kind,
                       const char *label, int needs)
{
    p->plan.needs |= needs;
    p->plan.flags |= kind == ITEM_FLAGS;
    p->plan.modseq_item |= kind == ITEM_MODSEQ;
    p->plan.modseq |= kind == ITEM_MODSEQ;
    return add(p, (struct plan_item){ .kind = kind,
                                      .label = str_from(label) });
}

/* RFC822, RFC822.HEADER, RFC822.TEXT: sections under older names. */
static bool add_rfc822(struct planning *p, enum section_kind section,
                       const char *label, int needs)
{
    p->plan.needs |= NEED_MESSAGE | needs;
    return add(p, (struct plan_item){ .kind = ITEM_SECTION,
                                      .section = section,
                                      .label = str_from(label) });
}

static bool add_named(struct planning *p, str name)
{
    static const struct {
        str name;
        enum item_kind kind;
        const char *label;
        int needs;
    } simple[] = {
        { S_INIT("UID"), ITEM_UID, "UID", 0 },
        { S_INIT("FLAGS"), ITEM_FLAGS, "FLAGS", 0 },
        { S_INIT("INTERNALDATE"), ITEM_DATE, "INTERNALDATE", 0 },
        { S_INIT("RFC822.SIZE"), ITEM_SIZE, "RFC822.SIZE", NEED_SIZE },
        { S_INIT("MODSEQ"), ITEM_MODSEQ, "MODSEQ", 0 },
        { S_INIT("EMAILID"), ITEM_EMAILID, "EMAILID", 0 },
        { S_INIT("THREADID"), ITEM_THREADID, "THREADID", 0 },
        { S_INIT("ENVELOPE"), ITEM_ENVELOPE, "ENVELOPE", NEED_MESSAGE },
        { S_INIT("BODY"), ITEM_BODY_SHAPE, "BODY", NEED_TREE },
        { S_INIT("BODYSTRUCTURE"), ITEM_BODYSTRUCTURE, "BODYSTRUCTURE",
          NEED_TREE },
    };

    for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
        if (str_ieq(name, simple[i].name))
            return add_simple(p, simple[i].kind, simple[i].label,
                              simple[i].needs);
    if (str_ieq(name, S("RFC822")))
        return add_rfc822(p, SECTION_ALL, "RFC822", SETS_SEEN);
    if (str_ieq(name, S("RFC822.HEADER")))
        return add_rfc822(p, SECTION_HEADER, "RFC822.HEADER", 0);
    if (str_ieq(name, S("RFC822.TEXT")))
        return add_rfc822(p, SECTION_TEXT, "RFC822.TEXT", SETS_SEEN);
    return args_fail(p->x, "Unknown FETCH item");
}

/* "(Subject From)" of HEADER.FIELDS, into the label as well. */
static bool take_fields(struct planning *p, struct plan_item *it,
                        struct buf *label)
{
    struct args *x = p->x;
    struct map *fields = map_new(x->a, true);
    size_t n = 0;
    str name;

    args_space(x);
    args_begin(x);
    buf_add(label, S(" ("));
    do {
        if (!args_astring(x, &name))
            return false;
        if (!name.n || n == FIELDS_MAX
            || str_any(name, S("\r\n\":{")) != STR_NONE)
            return args_fail(x, "Invalid header name");
        if (n++)
            buf_byte(label, ' ');
        for (size_t i = 0; i < name.n; i++)
            buf_byte(label, upper(name.p[i]));
        map_put(fields, name, fields);
    } while (args_more(x));
    buf_byte(label, ')');
    it->fields = fields;
    return args_finish(x);
}

static bool take_path(struct planning *p, struct plan_item *it,
                      struct buf *label)
{
    struct args *x = p->x;
    vec_of(uint32_t) path = { 0 };
    bool dot = false;

    while (is_digit((char)args_peek(x))) {
        uint64_t n;

        if (!args_number(x, UINT32_MAX, &n))
            return false;
        if (!n || path.n == SECTION_DEPTH_MAX)
            return args_fail(x, "Invalid BODY[] section");
        buf_fmt(label, "%s%" PRIu64, path.n ? "." : "", n);
        vec_push(x->a, &path, (uint32_t)n);
        dot = args_maybe(x, '.');
        if (!dot)
            break;
    }
    if (dot && args_peek(x) == ']')
        return args_fail(x, "Invalid BODY[] section");
    it->path = path.p;
    it->n_path = path.n;
    return !x->error;
}

/* What stands between the brackets. */
static bool take_section(struct planning *p, struct plan_item *it,
                         struct buf *label)
{
    struct args *x = p->x;
    str word;

    if (!take_path(p, it, label))
        return false;
    if (args_peek(x) == ']')
        return args_byte(x, ']');
    if (!args_word(x, &word))
        return false;
    if (str_ieq(word, S("HEADER"))) {
        it->section = SECTION_HEADER;
    } else if (str_ieq(word, S("TEXT"))) {
        it->section = SECTION_TEXT;
    } else if (str_ieq(word, S("MIME")) && it->n_path) {
        it->section = SECTION_MIME;
    } else if (str_ieq(word, S("HEADER.FIELDS"))) {
        it->section = SECTION_FIELDS;
    } else if (str_ieq(word, S("HEADER.FIELDS.NOT"))) {
        it->section = SECTION_FIELDS_NOT;
    } else {
        return args_fail(x, "Invalid BODY[] section");
    }
    if (it->n_path)
        buf_byte(label, '.');
    for (size_t i = 0; i < word.n; i++)
        buf_byte(label, upper(word.p[i]));
    if (it->section >= SECTION_FIELDS && !take_fields(p, it, label))
        return false;
    return args_byte(x, ']');
}

/* "<0.1024>" */
static bool take_partial(struct planning *p, struct plan_item *it,
                         struct buf *label)
{
    struct args *x = p->x;

    it->max = UINT64_MAX;
    if (!args_maybe(x, '<'))
        return true;
    it->partial = true;
    args_number(x, INT64_MAX, &it->from);
    args_byte(x, '.');
    args_number(x, INT64_MAX, &it->max);
    buf_fmt(label, "<%" PRIu64 ">", it->from);
    return args_byte(x, '>');
}

/* BODY[...], BODY.PEEK[...], BINARY[...], BINARY.SIZE[...]; the bracket was
 * taken. */
static bool add_section(struct planning *p, str name)
{
    struct plan_item it = { .kind = ITEM_SECTION, .max = UINT64_MAX };
    struct args *x = p->x;
    struct buf label;
    bool peek = str_iends(name, S(".PEEK"));

    buf_init(&label, x->a, 64 * 1024);
    if (peek)
        name.n -= 5;
    if (str_ieq(name, S("BINARY")))
        it.kind = ITEM_BINARY;
    else if (str_ieq(name, S("BINARY.SIZE")) && !peek)
        it.kind = ITEM_BINARY_SIZE;
    else if (!str_ieq(name, S("BODY")))
        return args_fail(x, "Unknown FETCH item");
    for (size_t i = 0; i < name.n; i++)
        buf_byte(&label, upper(name.p[i]));
    buf_byte(&label, '[');
    if (!take_section(p, &it, &label))
        return false;
    if (it.kind != ITEM_SECTION && it.section != SECTION_ALL)
        return args_fail(x, "Invalid BINARY[] section");
    buf_byte(&label, ']');
    if (it.kind != ITEM_BINARY_SIZE && !take_partial(p, &it, &label))
        return false;
    p->plan.needs |= it.n_path || it.kind != ITEM_SECTION
                         ? NEED_TREE | NEED_MESSAGE : NEED_MESSAGE;
    if (!peek && it.kind != ITEM_BINARY_SIZE)
        p->plan.needs |= SETS_SEEN;
    p->plan.partial |= it.partial;
    it.label = buf_str(&label);
    return add(p, it);
}

static bool add_item(struct planning *p)
{
    str name;

    if (!args_word(p->x, &name))
        return false;
    return args_maybe(p->x, '[') ? add_section(p, name) : add_named(p, name);
}

/* ALL, FAST and FULL stand alone. */
static bool add_macro(struct planning *p, bool *was)
{
    struct scan before = p->x->in;
    str name;

    *was = false;
    if (!args_word(p->x, &name))
        return false;
    *was = str_ieq(name, S("ALL")) || str_ieq(name, S("FAST"))
           || str_ieq(name, S("FULL"));
    if (!*was) {
        p->x->in = before;
        return true;
    }
    add_named(p, S("FLAGS"));
    add_named(p, S("INTERNALDATE"));
    add_named(p, S("RFC822.SIZE"));
    if (!str_ieq(name, S("FAST")))
        add_named(p, S("ENVELOPE"));
    return !str_ieq(name, S("FULL")) || add_named(p, S("BODY"));
}

/* "(CHANGEDSINCE 12345)" */
static bool take_modifiers(struct planning *p)
{
    struct args *x = p->x;
    str word;

    if (!args_more(x))
        return true;
    args_begin(x);
    do {
        if (!args_atom(x, &word))
            return false;
        if (!str_ieq(word, S("CHANGEDSINCE")))
            return args_fail(x, "Unknown FETCH modifier");
        args_space(x);
        if (!args_number(x, INT64_MAX, &p->plan.changed_since))
            return false;
        if (!p->plan.changed_since)
            return args_fail(x, "Invalid CHANGEDSINCE");
        p->plan.modseq = true;
    } while (args_more(x));
    return args_finish(x);
}

bool plan_parse(struct args *x, bool uid, struct plan *out)
{
    struct planning p = { .x = x };
    bool macro = false;

    if (uid)
        add_simple(&p, ITEM_UID, "UID", 0);
    if (args_open(x)) {
        do {
            /* UID is there already: once is enough */
            if (!add_item(&p))
                return false;
        } while (args_more(x));
        args_finish(x);
    } else if (!add_macro(&p, &macro) || (!macro && !add_item(&p))) {
        return false;
    }
    if (!take_modifiers(&p) || !args_end(x))
        return false;
    if (p.plan.needs & NEED_TREE)
        p.plan.needs |= NEED_MESSAGE;
    *out = p.plan;
    out->p = p.items.p;
    out->n = p.items.n;
    return true;
}
