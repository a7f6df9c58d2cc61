/* SPDX-License-Identifier: ISC
 *
 * postconf(1): showing main.cf, as it is, as it would be by default (-d), or
 * only what is set (-n).
 */
#include "role/tool/postconf.h"

#include <stdlib.h>

/* The text that is shown for name; false if there is none to show. */
static bool shown_text(struct postconf *p, str name, str *text)
{
    const struct conf_entry *entry = scope_written(&p->scope, name);

    if (asked(p, 'd'))
        return scope_preset(&p->scope, name, text);
    if (entry) {
        *text = entry->value;
        return true;
    }
    return !asked(p, 'n') && scope_preset(&p->scope, name, text);
}

static err show(struct postconf *p, str name)
{
    enum param known = conf_param_find(name);
    str text;

    if (!shown_text(p, name, &text))
        return OK;
    if (p->networks_complaint.n && known == P_mynetworks
        && !scope_written(&p->scope, name)) {
        tool_fatal(p->args, "%.*s", STR(p->networks_complaint));
        return ERR_SYNTAX;
    }
    if (asked(p, 'x')
        && (known == N_PARAMS || conf_param(known)->kind != CONF_RAW))
        TRY(postconf_expand(p, &p->scope, text, &text));
    postconf_setting(p, name, text);
    return OK;
}

static err show_named(struct postconf *p)
{
    for (size_t i = 0; i < p->n_names; i++) {
        str name = p->names[i];
        if (names_class(p->known, name) == NAME_NONE)
            tool_warn(p->args, "%.*s: unknown parameter", STR(name));
        else
            TRY(show(p, name));
    }
    return OK;
}

/* The two with built-in defaults of a transport's own parameters count among
 * those that services give. */
static int class_of(enum param p)
{
    return str_starts(conf_param(p)->name, S("local_destination_"))
        ? CLASS_SERVICE : CLASS_BUILTIN;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static err show_all(struct postconf *p)
{
    vec_of(str) names = { 0 };
    str name;
    void *item;
    size_t at;

    for (int i = 0; i < N_PARAMS; i++)
        if (p->classes & class_of((enum param)i))
            vec_push(&p->arena, &names, conf_param((enum param)i)->name);
    for (at = 0; p->classes & CLASS_SERVICE
                 && map_next(p->scope.transports, &at, &name, &item);)
        vec_push(&p->arena, &names, name);
    for (at = 0; p->classes & CLASS_USER
                 && map_next(p->entries, &at, &name, &item);)
        if (names_class(p->known, name) == NAME_USER)
            vec_push(&p->arena, &names, name);
    if (names.n)
        qsort(names.p, names.n, sizeof(*names.p), by_bytes);
    for (size_t i = 0; i < names.n; i++)
        TRY(show(p, names.p[i]));
    return OK;
}

err postconf_show_main(struct postconf *p)
{
    if (!asked(p, 'd'))
        postconf_say_undefined(p);
    TRY(p->n_names ? show_named(p) : show_all(p));
    return asked(p, 'd') ? OK : postconf_say_unused(p, true);
}
