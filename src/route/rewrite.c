/* SPDX-License-Identifier: ISC
 *
 * Rewriting one address.
 */
#include "route/rewrite.h"

#include "mail/member.h"
#include "table/events.h"

enum { CANONICAL_NESTING_MAX = 10, RESULT_ADDRESSES_MAX = 100000 };

/* text as an address, or x when it is none (too long, most likely). */
static struct address address_or(str text, const struct address *x,
                                 struct arena *a)
{
    struct address y;

    return address_of(text, a, &y) ? *x : y;
}

/* "site!user" becomes "user@site", "user%domain" "user@domain".  False: one
 * of the two is missing, and it is an address of nobody. */
static bool turn(const struct route *r, struct address *x, struct arena *a)
{
    size_t bang = str_chr(x->local, '!');
    size_t percent = str_rchr(x->local, '%');
    str user, site;

    if (r->swap_bangpath && bang != STR_NONE) {
        user = str_skip(x->local, bang + 1);
        site = str_head(x->local, bang);
    } else if (r->percent_hack && percent != STR_NONE) {
        user = str_head(x->local, percent);
        site = str_skip(x->local, percent + 1);
    } else {
        return true;
    }
    *x = address_or(arena_fmt(a, "%.*s@%.*s", STR(user), STR(site)), x, a);
    return x->domain.n > 0;
}

static struct address append(const struct address *x, char by, str domain,
                             struct arena *a)
{
    return address_or(arena_fmt(a, "%.*s%c%.*s", STR(x->text), by,
                                STR(domain)), x, a);
}

struct address rewrite_standard(const struct route *r,
                                enum rewrite_context context,
                                const struct address *in, struct arena *a)
{
    bool remote = context == REWRITE_REMOTE;
    str origin = remote ? r->remote_domain : r->myorigin;
    str parent = remote ? r->remote_domain : r->mydomain;
    struct address x = *in;

    if (context == REWRITE_NONE || address_is_null(&x))
        return x;
    if (x.domain.n == 0 && !turn(r, &x, a))
        return x; /* completed, it would look like one of ours */
    if (x.domain.n == 0)
        return r->at_myorigin && origin.n ? append(&x, '@', origin, a) : x;
    if (x.domain.p[0] != '[' && str_chr(x.domain, '.') == STR_NONE) {
        if (r->dot_mydomain && parent.n)
            x = append(&x, '.', parent, a);
    } else if (x.domain.n > 1 && str_ends(x.domain, S(".")) &&
               !str_ends(x.domain, S(".."))) {
        x = address_or(str_head(x.text, x.text.n - 1), &x, a);
    }
    return x;
}

/* A table's entry that is being read. */
struct result {
    const struct route *r;
    const struct maps *m;
    const struct address *key;
    str extension;          /* for each of its addresses, or empty */
    struct arena *a;
    struct addresses found;
};

/* One that is no address stays: it will bounce, its neighbours will not. */
static struct address of_member(struct task *t, const struct result *x,
                                const struct member *m)
{
    struct address y = ADDRESS_NULL;

    if (m->text.n == 0) {
        if (address_of(x->r->empty_recipient, x->a, &y))
            y = member_unusable(x->r->empty_recipient, x->a);
        return y;
    }
    if (!member_address(m, x->a, &y) && !address_is_null(&y))
        return y;
    str text = arena_fmt(x->a, "%.*s: bad address \"%.*s\" in the entry for "
                         "%.*s", STR(x->m->title),
                         STR(str_head(m->text, 200)),
                         STR(str_head(x->key->text, 200)));
    say(t, table_warning, STR(text));
    return member_unusable(m->text, x->a);
}

/* Adds what one member of a table's result means. */
static err add_result(struct task *t, struct result *x,
                      const struct member *m)
{
    struct address y = of_member(t, x, m);

    y = rewrite_standard(x->r, REWRITE_LOCAL, &y, x->a);
    if (x->found.list.n == RESULT_ADDRESSES_MAX)
        return why(t, ERR_LIMIT, "a table's result has too many addresses");
    if (x->extension.n) {
        str local = arena_cat(x->a, y.local, x->extension);
        err e = address_join(local, y.domain, x->a, &y);
        if (e)
            return why(t, e, "address is too long: %.*s%.*s",
                       STR(str_head(y.text, 200)), STR(x->extension));
    }
    vec_push(x->a, &x->found.list, y);
    return OK;
}

err rewrite_map(struct task *t, const struct route *r, const struct maps *m,
                int how, const struct address *x, struct arena *a,
                struct addresses *out)
{
    int flags = MAPS_FULL | MAPS_AT_DOMAIN
                | (how & MAP_SHOWN_FIRST ? MAPS_SHOWN_FIRST : 0);
    struct result result = { .r = r, .m = m, .key = x, .a = a };
    struct members members = { 0 };
    str value, extension = S("");
    err own;

    if (!maps_any(m) || address_is_null(x))
        return ERR_ABSENT;
    own = route_domain_own(t, r, x->domain);
    if (own && own != ERR_ABSENT)
        return own;
    TRY(maps_find_address(t, m, x->text, r->delimiters,
                          flags | (own ? 0 : MAPS_USER), a, &value,
                          &extension));
    value = str_trim(value);
    if (str_starts(value, S("@"))) {
        struct address user = { .local = x->local };
        if (str_ends(user.local, extension))
            user.local = str_head(user.local, user.local.n - extension.n);
        value = arena_cat(a, address_quote(user.local, a), value);
    }
    members_read(value, a, &members);
    if (how & MAP_PROPAGATE)
        result.extension = extension;
    for (size_t i = 0; i < members.list.n; i++)
        TRY(add_result(t, &result, &members.list.p[i]));
    if (result.found.list.n == 0)
        return why(t, ERR_SYNTAX, "%.*s lookup of %.*s returns non-address "
                   "result \"%.*s\"", STR(m->title),
                   STR(str_head(x->text, 200)), STR(str_head(value, 200)));
    *out = result.found;
    return OK;
}

/* Maps one address to one address until it stays as it is. */
static err map_one(struct task *t, const struct route *r,
                   const struct maps *m, int how, struct arena *a,
                   struct address *inout)
{
    for (int i = 0; i < CANONICAL_NESTING_MAX; i++) {
        struct addresses found;
        err e = rewrite_map(t, r, m, how, inout, a, &found);
        if (e == ERR_ABSENT)
            return OK;
        TRY(e);
        if (found.list.n > 1)
            return why(t, ERR_SYNTAX, "multi-valued %.*s entry for %.*s",
                       STR(m->title), STR(str_head(inout->text, 200)));
        if (str_ieq(found.list.p[0].text, inout->text))
            return OK;
        *inout = found.list.p[0];
    }
    return OK; /* a ring of entries: as good an end as any */
}

static bool is_exception(const struct route *r, str local)
{
    for (size_t i = 0; i < r->n_masquerade_except; i++)
        if (str_ieq(r->masquerade_except[i], local))
            return true;
    return false;
}

struct address rewrite_masquerade(const struct route *r,
                                  const struct address *x, struct arena *a)
{
    if (x->domain.n == 0 || is_exception(r, x->local))
        return *x;
    for (size_t i = 0; i < r->n_masquerade; i++) {
        str mask = r->masquerade[i];
        bool keep = str_starts(mask, S("!"));
        struct address y;
        if (keep)
            mask = str_skip(mask, 1);
        if (!str_iends(x->domain, mask))
            continue;
        if (x->domain.n == mask.n)
            return *x;
        if (x->domain.p[x->domain.n - mask.n - 1] != '.')
            continue;
        return keep || address_join(x->local, mask, a, &y) ? *x : y;
    }
    return *x;
}

static bool is_in(enum address_place place, int places)
{
    return ((int)place & places) != 0;
}

err rewrite_canonical(struct task *t, const struct route *r,
                      enum address_place place, const struct address *in,
                      struct arena *a, struct address *out)
{
    int how = MAP_SHOWN_FIRST
              | (r->propagate & PROPAGATE_CANONICAL ? MAP_PROPAGATE : 0);
    struct address x = *in;

    if (address_is_null(&x)) {
        *out = x;
        return OK;
    }
    if (is_in(place, r->sender_canonical_places) &&
        is_in(place, PLACE_ENVELOPE_SENDER | PLACE_HEADER_SENDER))
        TRY(map_one(t, r, &r->sender_canonical, how, a, &x));
    if (is_in(place, r->recipient_canonical_places) &&
        is_in(place, PLACE_ENVELOPE_RECIPIENT | PLACE_HEADER_RECIPIENT))
        TRY(map_one(t, r, &r->recipient_canonical, how, a, &x));
    if (is_in(place, r->canonical_places))
        TRY(map_one(t, r, &r->canonical, how, a, &x));
    if (is_in(place, r->masquerade_places))
        x = rewrite_masquerade(r, &x, a);
    *out = x;
    return OK;
}

err rewrite_generic(struct task *t, const struct route *r,
                    const struct maps *generic, const struct address *x,
                    struct arena *a, struct address *out)
{
    int how = r->propagate & PROPAGATE_GENERIC ? MAP_PROPAGATE : 0;
    struct address y = *x;

    TRY(map_one(t, r, generic, how, a, &y));
    *out = y;
    return OK;
}
