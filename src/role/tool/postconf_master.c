/* SPDX-License-Identifier: ISC
 *
 * postconf(1): showing master.cf, by lines (-M), by fields (-F), or the -o
 * options (-P).
 */
#include "role/tool/postconf.h"

#include "conf/main_cf.h"

#include <stdlib.h>

/* "service/type/field"; "*" stands for all. */
struct request {
    str written;
    str parts[3];
    bool matched;
};

static bool fits(str pattern, str text)
{
    return str_eq(pattern, S("*")) || str_eq(pattern, text);
}

static bool chosen(struct request *requests, size_t n,
                   const struct service *s, str third)
{
    bool any = n == 0;

    for (size_t i = 0; i < n; i++) {
        struct request *r = &requests[i];
        if (!fits(r->parts[0], s->name)
            || !fits(r->parts[1], service_type_name(s->type))
            || (third.p && !fits(r->parts[2], third)))
            continue;
        any = r->matched = true;
    }
    return any;
}

static bool is_column(str name)
{
    for (int i = 0; i < N_COLUMNS; i++)
        if (str_eq(master_column_name((enum master_column)i), name))
            return true;
    return false;
}

static err read_requests(struct postconf *p, struct request *requests)
{
    static const char *const wants[] = {
        "-M option requires service_name[/type]",
        "-F option requires service_name[/type[/field]]",
        "-P option requires service_name[/type[/parameter]]",
    };
    bool fields = asked(p, 'F'), lines = asked(p, 'M');
    size_t n;

    for (size_t i = 0; i < p->n_names; i++) {
        struct request *r = &requests[i];
        r->written = p->names[i];
        if (!postconf_parts(r->written, lines ? 2 : 3, r->parts, &n)) {
            tool_fatal(p->args, "%s", wants[lines ? 0 : fields ? 1 : 2]);
            return ERR_SYNTAX;
        }
        if (fields && n == 3 && !str_eq(r->parts[2], S("*"))
            && !is_column(r->parts[2])) {
            tool_fatal(p->args, "invalid service attribute name: \"%.*s\"",
                       STR(r->parts[2]));
            return ERR_SYNTAX;
        }
    }
    return OK;
}

/* The names that the -o options of a service see: as its process would. */
static struct conf_scope scope_of(struct postconf *p, const struct service *s)
{
    struct conf_scope scope = p->scope;
    struct map *own = map_new(&p->arena, false);
    str name, value, complaint;

    for (size_t at = 0; service_option_next(s, &at, &name, &value);)
        must(main_cf_override(&p->arena, s->argv[at], own, &complaint));
    scope.overrides = own;
    scope.machine.process_name = s->command;
    scope.machine.service_name = s->name;
    return scope;
}

/* The same service with the values of its -o options expanded (-x). */
static err expanded(struct postconf *p, const struct service *s,
                    struct service *out)
{
    struct conf_scope scope = scope_of(p, s);
    str *argv = arena_array(&p->arena, str, s->n_argv);
    str name, value;

    for (size_t i = 0; i < s->n_argv; i++)
        argv[i] = s->argv[i];
    for (size_t at = 0; service_option_next(s, &at, &name, &value);) {
        TRY(postconf_expand(p, &scope, value, &value));
        argv[at] = arena_fmt(&p->arena, "%.*s=%.*s", STR(name), STR(value));
    }
    *out = *s;
    out->argv = argv;
    return OK;
}

static void show_line(struct postconf *p, const struct service *s)
{
    struct layout l = { .out = &p->out, .fold = asked(p, 'f') };

    layout_service(&l, s);
}

static void show_field(struct postconf *p, const struct service *s,
                       enum master_column column)
{
    str name = arena_fmt(&p->arena, "%.*s/%.*s/%.*s", STR(s->name),
                         STR(service_type_name(s->type)),
                         STR(master_column_name(column)));
    struct layout l = { .out = &p->out, .fold = asked(p, 'f') };

    if (column != COLUMN_COMMAND) {
        postconf_setting(p, name, s->raw[column]);
        return;
    }
    if (!asked(p, 'h'))
        layout_text(&l, name);
    if (!asked(p, 'h') && !asked(p, 'H'))
        layout_text(&l, S(" ="));
    if (!asked(p, 'H'))
        layout_command(&l, s);
    layout_end(&l);
}

static int by_name(const void *a, const void *b)
{
    const struct conf_entry *const *x = a, *const *y = b;

    return str_cmp((*x)->name, (*y)->name);
}

/* The -o options sorted by name; of those with the same name the last. */
static void show_options(struct postconf *p, struct request *requests,
                         const struct service *s)
{
    vec_of(const struct conf_entry *) sorted = { 0 };
    struct conf_scope scope = scope_of(p, s);
    str name;
    void *entry;

    for (size_t at = 0; map_next(scope.overrides, &at, &name, &entry);)
        if (!scope_read_only(name) && chosen(requests, p->n_names, s, name))
            vec_push(&p->arena, &sorted, entry);
    if (sorted.n)
        qsort(sorted.p, sorted.n, sizeof(*sorted.p), by_name);
    for (size_t i = 0; i < sorted.n; i++)
        postconf_setting(p, arena_fmt(&p->arena, "%.*s/%.*s/%.*s",
                                      STR(s->name),
                                      STR(service_type_name(s->type)),
                                      STR(sorted.p[i]->name)),
                         sorted.p[i]->value);
}

static void show_service(struct postconf *p, struct request *requests,
                         const struct service *s)
{
    if (asked(p, 'P')) {
        show_options(p, requests, s);
        return;
    }
    if (asked(p, 'M')) {
        if (chosen(requests, p->n_names, s, (str){ NULL, 0 }))
            show_line(p, s);
        return;
    }
    for (int c = 0; c < N_COLUMNS; c++)
        if (chosen(requests, p->n_names, s,
                   master_column_name((enum master_column)c)))
            show_field(p, s, (enum master_column)c);
}

err postconf_show_master(struct postconf *p)
{
    struct request *requests = arena_array(&p->arena, struct request,
                                           p->n_names);

    postconf_say_undefined(p);
    TRY(read_requests(p, requests));
    for (size_t i = 0; i < p->services.list.n; i++) {
        struct service s = p->services.list.p[i];
        if (asked(p, 'x'))
            TRY(expanded(p, &s, &s));
        show_service(p, requests, &s);
    }
    for (size_t i = 0; i < p->n_names; i++)
        if (!requests[i].matched)
            tool_warn(p->args, "unmatched request: \"%.*s\"",
                      STR(requests[i].written));
    return postconf_say_unused(p, false);
}
