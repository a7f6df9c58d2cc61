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

#include "conf/words.h"
#include "policy/policy.h"
#include "role/examining.h"
#include "role/service.h"

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

void examining_found(struct examining *x, bool fatal, const struct conf *c,
                     enum param p, str text)
{
    struct conf_finding f = { .fatal = fatal, .file = x->main_file,
                              .line = conf_line(c, p), .text = text };

    if (x->service) {
        f.file = x->master_file;
        f.line = x->service->line;
        f.service = x->service->name;
    }
    add(x, f);
}

void examining_found_service(struct examining *x, const struct service *s,
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
    if (effect == CONF_REFUSED && words_closed(p))
        return; /* the words that are not built were refused by reading */
    if (conf_param(p)->kind == CONF_INT && str_ends(name, S("_limit"))
        && conf_int(c, p) == 0)
        return; /* no limit is asked for, and there is none */
    if (effect == CONF_NOT_YET)
        examining_found(x, false, c, p,
                        arena_fmt(x->a, "known, no effect yet: %.*s",
                                  STR(name)));
    else
        examining_found(x, true, c, p,
              arena_fmt(x->a, "%.*s = %.*s: this is not built in, and mail "
                        "would go without it (remove the setting)",
                        STR(name), STR(str_head(value, 200))));
}

bool examining_new(const struct examining *x, const struct conf *c,
                   enum param p)
{
    return !x->service || !str_eq(conf_raw(c, p), conf_raw(x->c, p));
}

static void look_at_effects(struct examining *x, const struct conf *c)
{
    for (enum param p = 0; p < N_PARAMS; p++)
        if (examining_new(x, c, p))
            look_at_effect(x, c, p);
}

/* Who says where users are to be found, without our own word for it, means
 * other users than the system's, which auth_sources defaults to. */
static void look_at_logins(struct examining *x, const struct conf *c)
{
    static const enum param naming[] = { P_smtpd_sasl_type,
                                         P_smtpd_sasl_path };

    if (!conf_bool(c, P_smtpd_sasl_auth_enable)
        || conf_is_set(c, P_auth_sources)
        || str_ieq(conf_str(c, P_smtpd_sasl_type), S("veredus")))
        return;
    for (size_t i = 0; i < 2; i++)
        if (conf_is_set(c, naming[i])
            && (examining_new(x, c, naming[i])
                || examining_new(x, c, P_smtpd_sasl_auth_enable)))
            examining_found(x, true, c, naming[i],
                  arena_fmt(x->a, "%.*s = %.*s names users that are not known "
                            "here (set auth_sources: \"shadow\" for those of "
                            "the system)", STR(conf_param(naming[i])->name),
                            STR(conf_str(c, naming[i]))));
}

/* --- services ------------------------------------------------------------- */

static void look_at_policy(struct examining *x, const struct service *s,
                           const struct conf *own)
{
    struct policy_complaints all = { 0 };

    err_ignore(policy_check(x->a, own, &all)); /* said one by one */
    for (size_t i = 0; i < all.list.n; i++)
        examining_found_service(x, s, all.list.p[i]);
}

static void look_at_service(struct examining *x, const struct service *s)
{
    str fault = service_fault(s, x->a);
    struct conf_findings of_own = { 0 };
    struct conf *own = NULL;

    if (fault.n)
        examining_found_service(x, s, fault);
    else if (s->type == SERVICE_INET && service_kind(s->command)->listens)
        examine_address(x, s);
    err_ignore(conf_of_service(x->a, x->c, s, &of_own, &own));
    for (size_t i = 0; i < of_own.list.n; i++)
        add(x, of_own.list.p[i]);
    if (!own)
        return;
    x->service = s;
    look_at_effects(x, own);
    look_at_logins(x, own);
    examine_tables(x, own);
    examine_host(x, own);
    x->service = NULL;
    if (str_eq(s->command, S("smtpd")))
        look_at_policy(x, s, own);
}

/* The first that is fatal stands for all. */
static err verdict(struct task *t, const struct conf_findings *findings,
                   size_t from, str dir)
{
    struct arena a;
    err e = OK;

    arena_init(&a, 0);
    for (size_t i = from; i < findings->list.n && !e; i++)
        if (findings->list.p[i].fatal)
            e = why(t, ERR_SYNTAX, "the configuration in %.*s cannot be used: "
                    "%.*s", STR(dir),
                    STR(conf_finding_text(&a, &findings->list.p[i])));
    arena_reset(&a);
    return e;
}

err examine(struct task *t, const struct conf *c, struct arena *a,
            struct conf_findings *findings)
{
    size_t before = findings->list.n;
    struct services all = conf_services(c);
    struct examining x = { .a = a, .t = t, .c = c, .findings = findings };

    x.main_file = arena_fmt(a, "%.*s/main.cf", STR(conf_dir(c)));
    x.master_file = arena_fmt(a, "%.*s/master.cf", STR(conf_dir(c)));
    look_at_effects(&x, c);
    look_at_logins(&x, c);
    examine_tables(&x, c);
    examine_host(&x, c);
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
