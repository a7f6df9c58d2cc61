/* SPDX-License-Identifier: ISC
 *
 * Looking a configuration over.  Nothing ends at the first finding: who
 * mends a configuration wants to hear everything at once.
 *
 * X1  A finding is said once: what main.cf says is not said again for each
 *     service that reads it.
 * X2  What is set to what it would be anyway asks for nothing.
 */
#include "role/examine.h"

#include "policy/policy.h"
#include "role/service.h"
#include "table/table.h"

struct examining {
    struct arena *a;
    struct task *t;
    const struct conf *c;       /* main.cf and master.cf */
    struct conf_findings *findings;
    str main_file, master_file;
    const struct service *service; /* whose options are looked at, or NULL */
};

static bool said_before(const struct conf_findings *all,
                        const struct conf_finding *f)
{
    for (size_t i = 0; i < all->list.n; i++) {
        const struct conf_finding *old = &all->list.p[i];
        if (old->line == f->line && str_eq(old->file, f->file)
            && str_eq(old->text, f->text)
            && str_eq(old->service, f->service))
            return true;
    }
    return false;
}

/* X1 */
static void add(struct examining *x, struct conf_finding f)
{
    if (!said_before(x->findings, &f))
        vec_push(x->a, &x->findings->list, f);
}

/* Says something about p as c has it: where main.cf sets it, or else at the
 * service whose options do. */
static void found(struct examining *x, bool fatal, const struct conf *c,
                  enum param p, str text)
{
    int line = conf_line(c, p);
    struct conf_finding f = { .fatal = fatal, .file = x->main_file,
                              .line = line, .text = text };

    if (line == 0 && x->service) {
        f.file = x->master_file;
        f.line = x->service->line;
        f.service = x->service->name;
    }
    add(x, f);
}

static void found_service(struct examining *x, const struct service *s,
                          str text)
{
    add(x, (struct conf_finding){ .fatal = true, .file = x->master_file,
                                  .line = s->line, .service = s->name,
                                  .text = text });
}

/* --- what is asked for and not built -------------------------------------- */

static void look_at_effect(struct examining *x, const struct conf *c,
                           enum param p)
{
    enum conf_effect effect = conf_param(p)->effect;
    str name = conf_param(p)->name, value = conf_raw(c, p);

    if ((effect != CONF_REFUSED && effect != CONF_NOT_YET)
        || !conf_is_changed(c, p)) /* X2 */
        return;
    if (effect == CONF_NOT_YET)
        found(x, false, c, p, arena_fmt(x->a, "known, no effect yet: %.*s",
                                        STR(name)));
    else
        found(x, true, c, p,
              arena_fmt(x->a, "%.*s = %.*s: this is not built in, and mail "
                        "would go without it (remove the setting)",
                        STR(name), STR(str_head(value, 200))));
}

/* base: the same without the service's options, or NULL. */
static void look_at_effects(struct examining *x, const struct conf *c,
                            const struct conf *base)
{
    for (enum param p = 0; p < N_PARAMS; p++)
        if (!base || !str_eq(conf_raw(c, p), conf_raw(base, p)))
            look_at_effect(x, c, p);
}

/* --- tables --------------------------------------------------------------- */

static bool has_type(str type)
{
    for (const char *const *all = table_types(); *all; all++)
        if (str_eq(str_from(*all), type))
            return true;
    return false;
}

/* What is wrong with an item of a list that names tables, or empty; maps:
 * nothing else may stand there. */
static str table_fault(struct examining *x, str item, bool maps)
{
    size_t colon;
    str type;

    while (str_starts(item, S("proxy:")))
        item = str_skip(item, 6);
    colon = str_chr(item, ':');
    type = str_head(item, colon == STR_NONE ? 0 : colon);
    if (colon == STR_NONE || str_any(type, S("/[")) != STR_NONE)
        return maps ? arena_fmt(x->a, "expecting \"type:name\" form instead "
                                "of \"%.*s\"", STR(item))
                    : S("");
    return has_type(type) ? S("")
         : arena_fmt(x->a, "unsupported dictionary type: %.*s", STR(type));
}

static void look_at_table(struct examining *x, const struct conf *c,
                          enum param p, str item, bool maps)
{
    str fault = table_fault(x, item, maps);

    if (fault.n)
        found(x, true, c, p, arena_fmt(x->a, "%.*s: %.*s",
                                       STR(conf_param(p)->name), STR(fault)));
}

/* Whether p's items are tables, or may be; *maps: nothing else. */
static bool names_tables(enum param p, bool *maps)
{
    const struct conf_param *param = conf_param(p);

    *maps = str_ends(param->name, S("_maps"))
            && !str_starts(param->name, S("proxy_"));
    return param->kind == CONF_LIST && param->effect == CONF_FULL
           && (*maps || str_ends(param->name, S("_domains"))
               || str_eq(param->name, S("mydestination"))
               || str_eq(param->name, S("alias_database")));
}

static void look_at_tables(struct examining *x, const struct conf *c)
{
    for (enum param p = 0; p < N_PARAMS; p++) {
        bool access = str_ends(conf_param(p)->name, S("_restrictions"));
        struct conf_items items;
        bool maps;
        if (!conf_is_set(c, p) || !(access || names_tables(p, &maps)))
            continue;
        items = conf_items(c, p);
        for (size_t i = 0; i < items.n; i++)
            if (!access)
                look_at_table(x, c, p, items.p[i], maps);
            else if (i > 0 && str_starts(items.p[i - 1], S("check_"))
                     && str_ends(items.p[i - 1], S("_access")))
                look_at_table(x, c, p, items.p[i], true);
    }
}

/* --- services ------------------------------------------------------------- */

static void look_at_service(struct examining *x, const struct service *s)
{
    str fault = service_fault(x->c, s, x->a), complaint;
    struct conf_findings of_own = { 0 };
    struct conf *own = NULL;

    if (fault.n)
        found_service(x, s, fault);
    err_ignore(conf_of_service(x->a, x->c, s, &of_own, &own));
    for (size_t i = 0; i < of_own.list.n; i++)
        add(x, of_own.list.p[i]);
    if (!own)
        return;
    x->service = s;
    look_at_effects(x, own, x->c);
    look_at_tables(x, own);
    x->service = NULL;
    if (str_eq(s->command, S("smtpd"))
        && policy_check(x->a, own, &complaint))
        found_service(x, s, complaint);
}

static err verdict(struct task *t, const struct conf_findings *findings,
                   size_t from, str dir)
{
    if (!conf_findings_fatal(findings, from))
        return OK;
    return why(t, ERR_SYNTAX, "the configuration in %.*s cannot be used",
               STR(dir));
}

err examine(struct task *t, const struct conf *c, struct arena *a,
            struct conf_findings *findings)
{
    size_t before = findings->list.n;
    struct services all = conf_services(c);
    struct examining x = { .a = a, .t = t, .c = c, .findings = findings };

    x.main_file = arena_fmt(a, "%.*s/main.cf", STR(conf_dir(c)));
    x.master_file = arena_fmt(a, "%.*s/master.cf", STR(conf_dir(c)));
    look_at_effects(&x, c, NULL);
    look_at_tables(&x, c);
    for (size_t i = 0; i < all.n; i++)
        look_at_service(&x, &all.p[i]);
    return verdict(t, findings, before, conf_dir(c));
}

err examine_load(struct task *t, struct arena *a,
                 const struct conf_load *load, struct conf_findings *findings,
                 struct conf **out)
{
    size_t before = findings->list.n;
    struct conf_load all = *load;
    struct conf *c = NULL;
    err e;

    all.keep_going = true;
    e = conf_load(t, a, &all, findings, &c);
    if (e && e != ERR_SYNTAX)
        return e;
    if (c)
        err_ignore(examine(t, c, a, findings)); /* judged together, below */
    TRY(verdict(t, findings, before, load->dir));
    *out = c;
    return OK;
}
