/* SPDX-License-Identifier: ISC
 *
 * Rewriting the addresses of a header field: names, comments, folds and all
 * that is no address stay byte for byte.
 */
#include "route/rewrite.h"

enum {
    FIELD_GROWTH_MAX = 1 << 20,
    LINE_GOOD = 78,         /* RFC 5322 2.1.1: what a line should not exceed */
};

static err rewrite_one(struct task *t, const struct route *r,
                       const struct header_rewriting *how,
                       enum address_place place, const struct address *x,
                       struct arena *a, struct address *out)
{
    if (how->generic)
        return rewrite_generic(t, r, how->generic, x, a, out);
    *out = rewrite_standard(r, how->context, x, a);
    if (!how->mappings)
        return OK;
    return rewrite_canonical(t, r, place, out, a, out);
}

static bool is_left_alone(const struct route *r,
                          const struct header_rewriting *how)
{
    if (how->generic)
        return !maps_any(how->generic);
    return how->context == REWRITE_NONE ||
           (how->context == REWRITE_REMOTE && r->remote_domain.n == 0);
}

/* How much of the text between two addresses belongs to the first: up to a
 * comma outside of quotes and comments, or nothing. */
static size_t up_to_comma(str gap)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < gap.n; i++) {
        char c = gap.p[i];
        if (c == '\\')
            i++;
        else if (c == '"' && depth == 0)
            quoted = !quoted;
        else if (!quoted && c == '(')
            depth++;
        else if (!quoted && c == ')' && depth > 0)
            depth--;
        else if (!quoted && depth == 0 && c == ',')
            return i + 1;
    }
    return 0;
}

/* Adds text; *line is where the last line begins in to. */
static void add_text(struct buf *to, str text, size_t *line)
{
    size_t end = str_rchr(text, '\n');

    if (end != STR_NONE)
        *line = to->n + end + 1;
    buf_add(to, text);
}

/* Folds a field whose addresses have grown: whoever sends it on cuts a line
 * of more than 998 bytes wherever that ends.  Breaks stand before addresses,
 * in lines that are too long; the others stay. */
static void fold(struct task *t, str raw, size_t value_at, struct buf *to)
{
    str value = str_skip(raw, value_at);
    struct address_list list = address_list_of(value);
    struct address_item item;
    struct arena each;
    size_t at = 0, line = to->n;

    buf_add(to, str_head(raw, value_at));
    arena_init(&each, 0);
    while (address_list_next(&list, &each, &item)) {
        str gap = { value.p + at, item.from - at };
        size_t first = up_to_comma(gap);
        str rest = str_skip(gap, first);

        arena_reset(&each);
        task_breathe(t);
        if (item.kind != ITEM_MAILBOX)
            continue;
        add_text(to, str_head(gap, first), &line);
        if (first && str_chr(rest, '\n') == STR_NONE
            && to->n - line + rest.n + item.to - item.from > LINE_GOOD) {
            add_text(to, S("\r\n"), &line);
            if (rest.n == 0 || !is_space(rest.p[0]))
                buf_byte(to, ' ');
        }
        add_text(to, rest, &line);
        add_text(to, (str){ value.p + item.from, item.to - item.from },
                 &line);
        at = item.to;
    }
    arena_reset(&each);
    buf_add(to, str_skip(value, at));
}

err rewrite_header(struct task *t, const struct route *r,
                   const struct header_rewriting *how,
                   const struct header_field *field, struct arena *a,
                   str *raw, bool *changed)
{
    int classes = header_classes(field->id);
    enum address_place place = classes & HEADER_HAS_SENDER
                                   ? PLACE_HEADER_SENDER
                                   : PLACE_HEADER_RECIPIENT;
    struct address_list list = address_list_of(field->value);
    struct address_item item;
    struct arena each;      /* an address' memory ends with it */
    size_t value_at = (size_t)(field->value.p - field->raw.p), at = 0;
    struct buf b, folded;
    err e = OK;

    *raw = field->raw;
    *changed = false;
    if (is_left_alone(r, how) || field->cut ||
        !(classes & (HEADER_HAS_SENDER | HEADER_HAS_RECIPIENT)))
        return OK;
    buf_init(&b, a, field->raw.n + FIELD_GROWTH_MAX);
    buf_add(&b, str_head(field->raw, value_at));
    arena_init(&each, 0);
    while (!e && address_list_next(&list, &each, &item)) {
        bool mailbox = item.kind == ITEM_MAILBOX
                       && !address_is_null(&item.address);
        struct address to = item.address;

        if (mailbox)
            e = rewrite_one(t, r, how, place, &item.address, &each, &to);
        if (mailbox && !e
            && (!str_eq(to.text, item.address.text) || item.route.n)) {
            buf_add(&b, (str){ field->value.p + at, item.from - at });
            buf_add(&b, address_external(&to, &each));
            at = item.to;
            *changed = true;
        }
        arena_reset(&each);
        task_breathe(t);
    }
    arena_reset(&each);
    TRY(e);
    buf_add(&b, str_skip(field->raw, value_at + at));
    if (b.over)
        *changed = false; /* nobody wants a header of that size */
    if (!*changed)
        return OK;
    buf_init(&folded, a, 3 * b.n); /* at most two bytes and one an address */
    fold(t, buf_str(&b), value_at, &folded);
    must(!folded.over);
    *raw = buf_str(&folded);
    return OK;
}
