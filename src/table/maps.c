/* SPDX-License-Identifier: ISC
 *
 * Lists of tables, and the orders in which addresses, domains and networks
 * are looked up in them.
 */
#include "mail/address.h"
#include "table/kind.h"
#include "table/lines.h"

err maps_open_flags(struct task *t, struct tables *ts, struct arena *a,
                    str title, str specs, int flags, struct maps *out)
{
    vec_of(struct table *) list = { 0 };
    struct table *tb;
    str item;

    while (items_next(&specs, &item)) {
        TRY(tables_get_flags(t, ts, item, flags, &tb));
        vec_push(a, &list, tb);
    }
    *out = (struct maps){ list.p, list.n, arena_str(a, title) };
    return OK;
}

err maps_open(struct task *t, struct tables *ts, struct arena *a, str title,
              str specs, struct maps *out)
{
    return maps_open_flags(t, ts, a, title, specs, 0, out);
}

/* Asks all tables; partial keys are not for patterns. */
static err ask(struct task *t, const struct maps *m, str key, bool partial,
               struct arena *a, str *value)
{
    for (size_t i = 0; i < m->n; i++) {
        if (partial && (table_traits(m->p[i]) & TABLE_PATTERN))
            continue;
        err e = table_find(t, m->p[i], key, a, value);
        if (e == OK && str_empty(*value)) {
            table_warn(t, m->p[i]->env,
                       arena_fmt(a, "%.*s lookup of %.*s returns an empty "
                                 "string result", STR(m->title),
                                 STR(table_printable(a, key))));
            table_warn(t, m->p[i]->env,
                       arena_fmt(a, "%.*s should return NO RESULT in case of "
                                 "NOT FOUND", STR(m->title)));
            return table_failed(t, m->p[i], ERR_SYNTAX,
                                "empty string result");
        }
        if (e != ERR_ABSENT)
            return e;
    }
    return ERR_ABSENT;
}

err maps_find(struct task *t, const struct maps *m, str key, struct arena *a,
              str *value)
{
    return ask(t, m, key, false, a, value);
}

/* Where the extension of a local part begins (its delimiter), or STR_NONE.
 * Some names are never split: postmaster's and the system's own, and with "-"
 * as a delimiter list owners and requests. */
static size_t extension_at(str local, str delimiters)
{
    static const str whole[] = { S_INIT("postmaster"),
                                 S_INIT("mailer-daemon"),
                                 S_INIT("double-bounce") };
    size_t at;

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (str_ieq(local, whole[i]))
            return STR_NONE;
    if (str_chr(delimiters, '-') != STR_NONE
        && (str_istarts(local, S("owner-")) || str_iends(local,
                                                         S("-request"))))
        return STR_NONE;
    at = str_any(local, delimiters);
    return at == 0 ? STR_NONE : at;
}

/* An address taken apart for searching. */
struct search {
    const struct maps *maps;
    struct arena *arena;
    str address, local, bare, domain, extension;
    bool has_domain;
    int flags;
    enum { FORM_BOTH, FORM_SHOWN, FORM_KEPT } form;
};

static void search_init(struct search *s, str delimiters)
{
    size_t at = str_rchr(s->address, '@');

    s->has_domain = at != STR_NONE;
    s->local = str_head(s->address, s->has_domain ? at : s->address.n);
    if (s->has_domain)
        s->domain = str_skip(s->address, at + 1);
    size_t split = str_empty(delimiters) ? STR_NONE
                 : extension_at(s->local, delimiters);
    s->bare = s->local;
    if (split != STR_NONE) {
        s->bare = str_head(s->local, split);
        s->extension = str_skip(s->local, split);
    }
}

/* local + suffix: as it is shown to people, then as it is kept; most local
 * parts look the same both ways. */
static err with_form(struct task *t, const struct search *s, str local,
                     str suffix, bool partial, str *value)
{
    struct arena *a = s->arena;
    bool differs = local.n > 0 && address_needs_quotes(local);
    err e = ERR_ABSENT;

    if (differs && s->form != FORM_KEPT)
        e = ask(t, s->maps, arena_cat(a, address_quote(local, a), suffix),
                partial, a, value);
    if (e != ERR_ABSENT || (differs && s->form == FORM_SHOWN))
        return e;
    return ask(t, s->maps, arena_cat(a, local, suffix), partial, a, value);
}

/* LOCAL + suffix, first as it is, then without its extension. */
static err with_local(struct task *t, const struct search *s, str suffix,
                      bool partial, str *value, bool *stripped)
{
    err e = with_form(t, s, s->local, suffix, partial, value);

    *stripped = false;
    if (e != ERR_ABSENT || str_empty(s->extension))
        return e;
    *stripped = true;
    return with_form(t, s, s->bare, suffix, true, value);
}

err maps_find_domain(struct task *t, const struct maps *m, str domain,
                     int flags, struct arena *a, str *value)
{
    err e = ask(t, m, domain, false, a, value);
    size_t dot;

    if (domain.n && domain.p[0] == '[')
        return e;  /* an address literal has no parents */
    while (e == ERR_ABSENT && (dot = str_chr(domain, '.')) != STR_NONE) {
        str parent = str_skip(domain, dot + 1);
        if (flags & MAPS_DOT_PARENTS)
            e = ask(t, m, str_skip(domain, dot), true, a, value);
        if (e == ERR_ABSENT && (flags & MAPS_PARENT_DOMAINS))
            e = ask(t, m, parent, true, a, value);
        domain = parent;
    }
    return e;
}

static err find_domain_keys(struct task *t, const struct search *s,
                            str *value)
{
    struct arena *a = s->arena;
    int parents = s->flags & (MAPS_PARENT_DOMAINS | MAPS_DOT_PARENTS);
    err e = ERR_ABSENT;
    str domain = s->domain;

    if (s->flags & MAPS_AT_DOMAIN)
        e = ask(t, s->maps, arena_cat(a, S("@"), domain), true, a, value);
    if (e == ERR_ABSENT && (s->flags & MAPS_DOMAIN))
        e = ask(t, s->maps, domain, true, a, value);
    size_t dot = str_chr(domain, '.');
    while (e == ERR_ABSENT && parents && dot != STR_NONE) {
        if (s->flags & MAPS_DOT_PARENTS)
            e = ask(t, s->maps, str_skip(domain, dot), true, a, value);
        domain = str_skip(domain, dot + 1);
        if (e == ERR_ABSENT && (s->flags & MAPS_PARENT_DOMAINS))
            e = ask(t, s->maps, domain, true, a, value);
        dot = str_chr(domain, '.');
    }
    return e;
}

/* The keys that the flags name, in their order. */
static err walk(struct task *t, const struct search *s, str *value,
                bool *stripped)
{
    str suffix = str_skip(s->address, s->local.n);
    err e = ERR_ABSENT;

    *stripped = false;
    if (s->flags & MAPS_FULL)
        e = with_local(t, s, suffix, false, value, stripped);
    if (e == ERR_ABSENT && s->has_domain && (s->flags & MAPS_USER))
        e = with_local(t, s, S(""), true, value, stripped);
    if (e == ERR_ABSENT && s->has_domain) {
        *stripped = false;
        e = find_domain_keys(t, s, value);
    }
    if (e == ERR_ABSENT && (s->flags & MAPS_USER_AT))
        e = with_local(t, s, S("@"), true, value, stripped);
    return e;
}

err maps_find_address(struct task *t, const struct maps *m, str address,
                      str delimiters, int flags, struct arena *a, str *value,
                      str *extension)
{
    struct search s = { .maps = m, .arena = a, .address = address,
                        .flags = flags };
    bool stripped;
    err e;

    search_init(&s, delimiters);
    if ((flags & MAPS_SHOWN_FIRST) && address_needs_quotes(s.local))
        s.form = FORM_SHOWN;
    e = walk(t, &s, value, &stripped);
    if (e == ERR_ABSENT && s.form == FORM_SHOWN) {
        s.form = FORM_KEPT;
        e = walk(t, &s, value, &stripped);
    }
    if (e == OK && extension)
        *extension = stripped ? arena_str(a, s.extension) : (str){ 0 };
    return e;
}

err maps_find_ip(struct task *t, const struct maps *m, str address,
                 struct arena *a, str *value)
{
    char separator = str_chr(address, ':') == STR_NONE ? '.' : ':';
    err e = ask(t, m, address, false, a, value);
    size_t at;

    while (e == ERR_ABSENT
           && (at = str_rchr(address, separator)) != STR_NONE) {
        address = str_head(address, at);
        /* "2001:db8::1" is inside "2001:db8", not inside "2001:db8:" */
        while (address.n && address.p[address.n - 1] == separator)
            address.n--;
        if (!str_empty(address))
            e = ask(t, m, address, true, a, value);
    }
    return e;
}
