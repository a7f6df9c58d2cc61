/* SPDX-License-Identifier: ISC
 *
 * Rewriting the addresses of a header field: names, comments, folds and all
 * that is no address stay byte for byte.
 */
#include "route/rewrite.h"

enum { FIELD_GROWTH_MAX = 1 << 20 };

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
    struct buf b;
    size_t at = 0;
    err e = OK;

    *raw = field->raw;
    *changed = false;
    if (is_left_alone(r, how) || field->cut ||
        !(classes & (HEADER_HAS_SENDER | HEADER_HAS_RECIPIENT)))
        return OK;
    buf_init(&b, a, field->raw.n + FIELD_GROWTH_MAX);
    buf_add(&b, (str){ field->raw.p,
                       (size_t)(field->value.p - field->raw.p) });
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
    buf_add(&b, str_skip(field->raw,
                         (size_t)(field->value.p - field->raw.p) + at));
    if (b.over)
        *changed = false; /* nobody wants a header of that size */
    if (*changed)
        *raw = buf_str(&b);
    return OK;
}
