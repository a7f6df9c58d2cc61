/* SPDX-License-Identifier: ISC
 *
 * Changing master.cf.  A changed line is written anew, folded; comments that
 * stood between its parts then come before it, except where the whole entry
 * is replaced: that is written where the old one began.
 */
#include "conf/edit.h"

#include "conf/layout.h"
#include "conf/lines.h"
#include "conf/value.h"

struct editing {
    struct arena *arena;
    enum edit_what what;
    enum edit_how how;
    struct edit_master *requests;
    size_t n;
    struct buf *out;
    struct edit_report *report;
    int line;            /* number of the physical line */
};

static bool chooses(const struct edit_master *r, str name, str type)
{
    return (str_eq(r->name, S("*")) || str_eq(r->name, name))
           && (str_eq(r->type, S("*")) || str_eq(r->type, type));
}

static err fail(struct editing *e, int line, str text)
{
    e->report->fatal = text;
    e->report->line = line;
    return ERR_SYNTAX;
}

/* The name and type that a logical line begins with. */
static err line_names(struct editing *e, str line, str *name, str *type)
{
    if (value_token(&line, CONF_SPACES, name)
        && value_token(&line, CONF_SPACES, type))
        return OK;
    return fail(e, e->line, S("specify service name and type on the same "
                              "line"));
}

static void put_service(struct editing *e, const struct service *s)
{
    struct layout l = { .out = e->out, .fold = true };

    if (e->out->n && !str_ends(buf_str(e->out), S("\n")))
        buf_byte(e->out, '\n');
    layout_service(&l, s);
}

static struct edit_master *entry_request(struct editing *e, str name,
                                         str type)
{
    for (size_t i = e->n; i-- > 0;)
        if (chooses(&e->requests[i], name, type))
            return &e->requests[i];
    return NULL;
}

/* Of requests for the same service the last one counts. */
static void supersede(struct editing *e)
{
    for (size_t i = 0; i < e->n; i++)
        for (size_t j = i + 1; j < e->n; j++)
            if (str_eq(e->requests[i].name, e->requests[j].name)
                && str_eq(e->requests[i].type, e->requests[j].type))
                e->requests[i].done = true;
}

static err edit_entries(struct editing *e, str text)
{
    struct edit_master *now = NULL;
    str line, name, type;

    supersede(e);
    for (e->line = 1; line_physical(&text, &line); e->line++) {
        enum line_kind kind = line_kind_of(line);
        if (kind == LINE_NOTHING) {
            buf_add(e->out, line);
            continue;
        }
        if (kind == LINE_STARTS) {
            TRY(line_names(e, line, &name, &type));
            now = entry_request(e, name, type);
            if (now && e->how == EDIT_SET && !now->done)
                put_service(e, &now->entry);
            if (now)
                now->done = true;
        }
        if (now && e->how == EDIT_COMMENT_OUT)
            buf_byte(e->out, '#');
        if (!now || e->how == EDIT_COMMENT_OUT)
            buf_add(e->out, line);
    }
    for (size_t i = 0; e->how == EDIT_SET && i < e->n; i++)
        if (!e->requests[i].done)
            put_service(e, &e->requests[i].entry);
    return OK;
}

static err set_field(struct editing *e, const struct edit_master *r,
                     struct service *s, int line)
{
    struct conf_findings findings = { 0 };
    str complaint, text;

    if (r->column != COLUMN_COMMAND) {
        s->raw[r->column] = r->value;
        return OK;
    }
    text = arena_fmt(e->arena, "a unix - - - - - %.*s", STR(r->value));
    struct service other;
    if (!master_cf_line(e->arena, S("master.cf"), line, text, &other,
                        &findings, &complaint))
        return fail(e, 0, complaint);
    s->command = other.command;
    s->argv = other.argv;
    s->n_argv = other.n_argv;
    s->n_options = other.n_options;
    return OK;
}

/* The index in argv of the last -o for this name, or n_options. */
static size_t option_at(const struct service *s, str wanted)
{
    size_t found = s->n_options;
    str name, value;

    for (size_t at = 0; service_option_next(s, &at, &name, &value);)
        if (str_eq(name, wanted))
            found = at - 1;
    return found;
}

/* argv with n words at index i replaced by the m of by. */
static void splice(struct arena *a, struct service *s, size_t i, size_t n,
                   const str *by, size_t m)
{
    str *argv = arena_array(a, str, s->n_argv - n + m);
    size_t k = 0;

    for (size_t j = 0; j < i; j++)
        argv[k++] = s->argv[j];
    for (size_t j = 0; j < m; j++)
        argv[k++] = by[j];
    for (size_t j = i + n; j < s->n_argv; j++)
        argv[k++] = s->argv[j];
    s->argv = argv;
    s->n_argv = k;
    s->n_options = s->n_options - n + m;
}

static void set_option(struct editing *e, const struct edit_master *r,
                       struct service *s)
{
    size_t at = option_at(s, r->option);
    size_t there = at < s->n_options ? 2 : 0;
    str pair[2] = { S("-o"), arena_fmt(e->arena, "%.*s=%.*s", STR(r->option),
                                       STR(r->value)) };

    if (e->how == EDIT_SET) {
        splice(e->arena, s, at, there, pair, 2);
        return;
    }
    for (; at < s->n_options; at = option_at(s, r->option))
        splice(e->arena, s, at, 2, NULL, 0);
}

/* One logical line that some request chooses: parsed, changed, rewritten. */
static err rewrite(struct editing *e, str text, int line)
{
    struct conf_findings findings = { 0 };
    struct service s;
    str complaint;

    text = str_rtrim(text);
    if (!master_cf_line(e->arena, S("master.cf"), line, text, &s, &findings,
                        &complaint))
        return fail(e, line, complaint);
    str name = s.name, type = s.raw[COLUMN_TYPE];
    for (size_t i = 0; i < e->n; i++) {
        struct edit_master *r = &e->requests[i];
        if (!chooses(r, name, type))
            continue;
        r->done = true;
        if (e->what == EDIT_FIELD)
            TRY(set_field(e, r, &s, line));
        else
            set_option(e, r, &s);
    }
    put_service(e, &s);
    return OK;
}

static bool any_chooses(const struct editing *e, str name, str type)
{
    for (size_t i = 0; i < e->n; i++)
        if (chooses(&e->requests[i], name, type))
            return true;
    return false;
}

/* The physical lines of a logical one are kept back until it is complete. */
static err edit_parts(struct editing *e, str text)
{
    struct buf kept;
    bool chosen = false;
    int began = 0;
    str line, name, type;

    buf_init(&kept, e->arena, 1 << 20);
    for (e->line = 1; line_physical(&text, &line); e->line++) {
        enum line_kind kind = line_kind_of(line);
        if (kind == LINE_STARTS) {
            if (chosen)
                TRY(rewrite(e, buf_str(&kept), began));
            TRY(line_names(e, line, &name, &type));
            chosen = any_chooses(e, name, type);
            began = e->line;
            buf_clear(&kept);
        }
        if (kind != LINE_NOTHING && chosen)
            buf_add(&kept, str_ends(line, S("\n"))
                           ? str_head(line, line.n - 1) : line);
        else
            buf_add(e->out, line);
    }
    return chosen ? rewrite(e, buf_str(&kept), began) : OK;
}

err edit_master(struct arena *a, str text, enum edit_what what,
                enum edit_how how, struct edit_master *requests, size_t n,
                struct buf *out, struct edit_report *report)
{
    struct editing e = { a, what, how, requests, n, out, report, 1 };

    if (what == EDIT_ENTRY)
        return edit_entries(&e, text);
    TRY(edit_parts(&e, text));
    for (size_t i = 0; i < n; i++)
        if (!requests[i].done)
            vec_push(a, &report->warnings,
                     arena_fmt(a, "unmatched service_name/type: \"%.*s\"",
                               STR(requests[i].written)));
    return OK;
}
