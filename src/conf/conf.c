/* SPDX-License-Identifier: ISC
 *
 * The snapshot.  Reading is eager: after conf_read every value is expanded,
 * parsed and within its bounds, or the reading has failed; asking is a look
 * into an array and cannot fail.
 *
 * I1  Nothing in a snapshot changes after it was returned.
 * I2  A snapshot with a fatal finding is never returned.
 */
#include "conf/conf.h"

#include "conf/machine.h"
#include "conf/macro.h"
#include "conf/main_cf.h"
#include "conf/names.h"
#include "conf/value.h"

struct value {
    str text;            /* expanded; RAW: as written */
    int64_t number;      /* INT, BOOL, TIME */
    struct conf_items items;
    bool set;
};

struct conf {
    struct conf_source source;
    struct conf_scope scope;
    struct services services;
    struct value values[N_PARAMS];
};

/* What reading passes around. */
struct reading {
    struct arena *arena;
    struct conf_findings *findings;
    struct conf *conf;
    str main_file, master_file;
    const struct service *service; /* whose overrides are read, or NULL */
};

static void found(struct reading *r, bool fatal, str file, int line,
                  const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void found(struct reading *r, bool fatal, str file, int line,
                  const char *fmt, ...)
{
    struct conf_finding f = { .fatal = fatal, .file = file, .line = line };
    va_list ap;

    va_start(ap, fmt);
    f.text = arena_vfmt(r->arena, fmt, ap);
    va_end(ap);
    vec_push(r->arena, &r->findings->list, f);
}

str conf_finding_text(struct arena *a, const struct conf_finding *f)
{
    str text = f->text;

    if (f->service.n)
        text = arena_fmt(a, "service \"%.*s\": %.*s", STR(f->service),
                         STR(text));
    if (f->file.n == 0)
        return text;
    if (f->line == 0)
        return arena_fmt(a, "%.*s: %.*s", STR(f->file), STR(text));
    return arena_fmt(a, "%.*s, line %d: %.*s", STR(f->file), f->line,
                     STR(text));
}

bool conf_findings_fatal(const struct conf_findings *f, size_t from)
{
    for (size_t i = from; i < f->list.n; i++)
        if (f->list.p[i].fatal)
            return true;
    return false;
}

/* The same about what an override says: at the line of its service. */
static void found_outside(struct reading *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void found_outside(struct reading *r, const char *fmt, ...)
{
    struct conf_finding f = { .fatal = true, .file = S("") };
    va_list ap;

    va_start(ap, fmt);
    f.text = arena_vfmt(r->arena, fmt, ap);
    va_end(ap);
    if (r->service) {
        f.file = r->master_file;
        f.line = r->service->line;
        f.service = r->service->name;
    }
    vec_push(r->arena, &r->findings->list, f);
}

static void read_overrides(struct reading *r)
{
    const struct conf_source *src = &r->conf->source;
    struct map *overrides = map_new(r->arena, false);
    str complaint;

    for (size_t i = 0; i < src->n_overrides; i++)
        if (!main_cf_override(r->arena, src->overrides[i], overrides,
                              &complaint))
            found_outside(r, "invalid parameter override: %.*s: %.*s (write "
                          "-o name=value)", STR(src->overrides[i]),
                          STR(complaint));
    r->conf->scope.overrides = overrides;
}

/* A doubtful name, with the one that was perhaps meant. */
static void found_doubt(struct reading *r, const struct name_doubt *d)
{
    str nearest = d->kind == DOUBT_READ_ONLY ? S("")
                : conf_param_nearest(d->name);
    str text = name_doubt_text(r->arena, d);

    found(r, false, d->in_master ? r->master_file : r->main_file, d->line,
          nearest.n ? "%.*s (did you mean %.*s?)" : "%.*s%.*s", STR(text),
          STR(nearest));
    r->findings->list.p[r->findings->list.n - 1].about_name = true;
}

/* The file and line where p was set, for a finding. */
static void found_value(struct reading *r, enum param p, str complaint)
{
    str name = conf_param(p)->name;
    const struct conf_entry *entry = scope_written(&r->conf->scope, name);

    if (entry && entry->line)
        found(r, true, r->main_file, entry->line, "%.*s: %.*s", STR(name),
              STR(complaint));
    else
        found_outside(r, "parameter %.*s: %.*s", STR(name), STR(complaint));
}

/* Debian's way: the name of a file stands for its first line. */
static bool read_origin(struct reading *r, struct value *v, str *complaint)
{
    str line = r->conf->source.facts.origin_file;

    if (!str_starts(v->text, S("/")))
        return true;
    if (line.n == 0) {
        *complaint = arena_fmt(r->arena, "no name can be read from the file "
                               "%.*s (put the domain into its first line)",
                               STR(v->text));
        return false;
    }
    v->text = line;
    return true;
}

/* What text means as p's value; false with *complaint. */
static bool take_value(struct reading *r, enum param p, str text,
                       str *complaint)
{
    struct conf *c = r->conf;
    enum conf_kind kind = conf_param(p)->kind;
    struct value *v = &c->values[p];

    if (kind != CONF_RAW
        && macro_expand(&c->scope, r->arena, text, &text, complaint))
        return false;
    v->text = text;
    if (!value_parse(r->arena, p, v->text, &v->number, complaint)
        || (p == P_myorigin && !read_origin(r, v, complaint)))
        return false;
    if (kind == CONF_STR || kind == CONF_LIST)
        v->items = conf_split(r->arena, v->text);
    return true;
}

/* One that cannot be used is said, and its default stands for it. */
static void read_value(struct reading *r, enum param p)
{
    struct conf *c = r->conf;
    str name = conf_param(p)->name, text, complaint;

    c->values[p] = (struct value){
        .text = S(""), .number = conf_param(p)->min,
        .set = scope_written(&c->scope, name) != NULL };
    if (!scope_text(&c->scope, name, &text))
        must_not_reach();
    if (take_value(r, p, text, &complaint))
        return;
    found_value(r, p, complaint);
    if (scope_preset(&c->scope, name, &text))
        err_ignore(take_value(r, p, text, &complaint) ? OK : ERR_SYNTAX);
}

/* Many defaults compare with it: said once, here, when it is bad. */
static bool read_level(struct reading *r)
{
    str text, complaint;
    int64_t level;

    if (macro_expand(&r->conf->scope, r->arena, S("$compatibility_level"),
                     &text, &complaint)) {
        found_value(r, P_compatibility_level, complaint);
        return false;
    }
    if (level_parse(text, &level))
        return true;
    complaint = arena_fmt(r->arena, "malformed compatibility level syntax: "
                          "\"%.*s\" (write a number such as 2 or 3.6)",
                          STR(text));
    found_value(r, P_compatibility_level, complaint);
    return false;
}

/* False when there was no use in reading any. */
static bool read_values(struct reading *r)
{
    struct conf *c = r->conf;
    const struct conf_facts *facts = &c->source.facts;
    str complaint;

    if (!read_level(r))
        return false;
    if (machine_names(r->arena, &c->scope, c->source.dir, facts,
                      &complaint)) {
        found_value(r, P_myhostname, complaint);
        return false;
    }
    if (!scope_written(&c->scope, S("mynetworks"))
        && machine_networks(r->arena, &c->scope, facts, &complaint)) {
        found_value(r, P_mynetworks_style, complaint);
        c->scope.machine.mynetworks = S("");
    }
    for (int p = 0; p < N_PARAMS; p++)
        read_value(r, (enum param)p);
    return true;
}

/* Values of the names that services give: of the kind of what they default
 * to, which their preset names ("$default_transport_rate_delay"). */
static void read_transports(struct reading *r)
{
    const struct conf_scope *scope = &r->conf->scope;
    const struct conf_entry *entry, *preset;
    str name, text, complaint;
    int64_t number;
    void *item;

    for (size_t at = 0; map_next(scope->main, &at, &name, &item);) {
        entry = item;
        preset = map_get(scope->transports, name);
        if (!preset)
            continue;
        enum param p = conf_param_find(str_skip(preset->value, 1));
        must(p != N_PARAMS);
        if (macro_expand(scope, r->arena, entry->value, &text, &complaint)
            || !value_parse(r->arena, p, text, &number, &complaint))
            found(r, true, r->main_file, entry->line, "%.*s: %.*s",
                  STR(name), STR(complaint));
    }
}

static bool same_service(const struct service *a, const struct service *b)
{
    return a->type == b->type && str_eq(a->name, b->name);
}

/* Makes the list of services that counts: defaults filled in, of lines with
 * the same name and type the last one. */
static void read_services(struct reading *r, const struct service_list *all)
{
    struct service *p = arena_array(r->arena, struct service, all->list.n);
    size_t n = 0;

    for (size_t i = 0; i < all->list.n; i++) {
        struct service s = all->list.p[i];
        size_t at = 0;
        if (s.type == SERVICE_INET && s.private_)
            found(r, true, r->master_file, s.line, "service %.*s: an inet "
                  "service cannot be private (write n in the third column)",
                  STR(s.name));
        if (s.limit < 0)
            s.limit = (int)r->conf->values[P_default_process_limit].number;
        while (at < n && !same_service(&p[at], &s))
            at++;
        if (at < n)
            found(r, false, r->master_file, s.line, "service %.*s/%.*s "
                  "replaces the one of line %d", STR(s.name),
                  STR(service_type_name(s.type)), p[at].line);
        p[at] = s;
        n += at == n;
    }
    r->conf->services = (struct services){ p, n };
}

err conf_read(struct arena *a, const struct conf_source *src,
              struct conf_findings *findings, struct conf **out)
{
    struct conf *c = arena_new(a, struct conf);
    struct map *entries = map_new(a, false);
    struct service_list all = { 0 };
    size_t before = findings->list.n;
    struct names *names;
    struct reading r = { .arena = a, .findings = findings, .conf = c };
    bool read;

    c->source = *src;
    r.main_file = arena_fmt(a, "%.*s/main.cf", STR(src->dir));
    r.master_file = arena_fmt(a, "%.*s/master.cf", STR(src->dir));
    main_cf_parse(a, r.main_file, src->main_cf, entries, findings);
    master_cf_parse(a, r.master_file, src->master_cf, &all, findings);
    names = names_find(a, entries, &all);
    c->scope.main = entries;
    c->scope.transports = names_transports(names);
    read_overrides(&r);
    for (size_t i = 0; i < names_doubts(names)->list.n; i++)
        found_doubt(&r, &names_doubts(names)->list.p[i]);
    read = read_values(&r);
    read_transports(&r);
    read_services(&r, &all);
    if (!conf_findings_fatal(findings, before)) {
        *out = c;
        return OK;
    }
    if (src->keep_going)
        *out = read ? c : NULL;
    return ERR_SYNTAX; /* I2 */
}

/* c is a copy of a snapshot with further overrides in its source: reads all
 * values anew.  service: whose they are, or NULL. */
static err read_again(struct arena *a, struct conf *c,
                      const struct service *service,
                      struct conf_findings *findings)
{
    size_t before = findings->list.n;
    struct reading r = { .arena = a, .findings = findings, .conf = c,
                         .service = service };

    r.main_file = arena_fmt(a, "%.*s/main.cf", STR(c->source.dir));
    r.master_file = arena_fmt(a, "%.*s/master.cf", STR(c->source.dir));
    read_overrides(&r);
    err_ignore(read_values(&r) ? OK : ERR_SYNTAX); /* said by a finding */
    return conf_findings_fatal(findings, before) ? ERR_SYNTAX : OK; /* I2 */
}

static struct conf *copy_with(struct arena *a, const struct conf *base,
                              const str *overrides, size_t n)
{
    struct conf *c = arena_new(a, struct conf);
    size_t n_base = base->source.n_overrides;
    str *all = arena_array(a, str, n_base + n);

    *c = *base;
    for (size_t i = 0; i < n_base + n; i++)
        all[i] = i < n_base ? base->source.overrides[i]
                            : overrides[i - n_base];
    c->source.overrides = all;
    c->source.n_overrides = n_base + n;
    return c;
}

err conf_overlay(struct arena *a, const struct conf *base,
                 const str *overrides, size_t n,
                 struct conf_findings *findings, struct conf **out)
{
    struct conf *c = copy_with(a, base, overrides, n);

    TRY(read_again(a, c, NULL, findings));
    *out = c;
    return OK;
}

err conf_of_service(struct arena *a, const struct conf *base,
                    const struct service *service,
                    struct conf_findings *findings, struct conf **out)
{
    struct conf *c = copy_with(a, base, service->overrides,
                               service->n_overrides);
    err e;

    c->source.facts.service_name = service->name;
    c->source.facts.process_name = service->command;
    e = read_again(a, c, service, findings);
    if (!e || c->source.keep_going)
        *out = c;
    return e;
}

static const struct value *value_of(const struct conf *c, enum param p)
{
    must((unsigned)p < N_PARAMS);
    return &c->values[p];
}

str conf_str(const struct conf *c, enum param p)
{
    enum conf_kind kind = conf_param(p)->kind;

    must(kind == CONF_STR || kind == CONF_LIST || kind == CONF_RAW);
    return value_of(c, p)->text;
}

str conf_raw(const struct conf *c, enum param p)
{
    return value_of(c, p)->text;
}

bool conf_bool(const struct conf *c, enum param p)
{
    must(conf_param(p)->kind == CONF_BOOL);
    return value_of(c, p)->number != 0;
}

int64_t conf_int(const struct conf *c, enum param p)
{
    must(conf_param(p)->kind == CONF_INT);
    return value_of(c, p)->number;
}

int64_t conf_seconds(const struct conf *c, enum param p)
{
    must(conf_param(p)->kind == CONF_TIME);
    return value_of(c, p)->number;
}

struct conf_items conf_items(const struct conf *c, enum param p)
{
    enum conf_kind kind = conf_param(p)->kind;

    must(kind == CONF_STR || kind == CONF_LIST);
    return value_of(c, p)->items;
}

bool conf_is_set(const struct conf *c, enum param p)
{
    return value_of(c, p)->set;
}

static bool same_items(struct conf_items a, struct conf_items b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++)
        if (!str_eq(a.p[i], b.p[i]))
            return false;
    return a.n == b.n;
}

bool conf_is_changed(const struct conf *c, enum param p)
{
    const struct value *v = value_of(c, p);
    enum conf_kind kind = conf_param(p)->kind;
    str preset, complaint;
    struct arena a;
    int64_t number;
    bool same = false;

    if (!v->set || !scope_preset(&c->scope, conf_param(p)->name, &preset))
        return v->set;
    arena_init(&a, 0);
    if (kind == CONF_RAW || !conf_expand(c, &a, preset, &preset)) {
        if (kind == CONF_LIST)
            same = same_items(v->items, conf_split(&a, preset));
        else if (kind == CONF_STR || kind == CONF_RAW)
            same = str_eq(v->text, preset);
        else
            same = value_parse(&a, p, preset, &number, &complaint)
                   && number == v->number;
    }
    arena_reset(&a);
    return !same;
}

int conf_line(const struct conf *c, enum param p)
{
    const struct conf_entry *entry = scope_written(&c->scope,
                                                   conf_param(p)->name);

    return entry ? entry->line : 0;
}

err conf_expand(const struct conf *c, struct arena *a, str text, str *out)
{
    str complaint;

    return macro_expand(&c->scope, a, text, out, &complaint);
}

bool conf_find(const struct conf *c, struct arena *a, str name, str *value)
{
    enum param p = conf_param_find(name);
    str text;

    if (p != N_PARAMS) {
        *value = value_of(c, p)->text;
        return true;
    }
    return scope_text(&c->scope, name, &text)
           && conf_expand(c, a, text, value) == OK;
}

bool conf_next_set(const struct conf *c, size_t *at, str *name)
{
    const size_t second = ~(SIZE_MAX >> 1); /* walking the overrides */
    size_t i = *at & ~second;
    void *entry;
    bool more;

    if (!(*at & second) && map_next(c->scope.main, at, name, &entry))
        return true;
    if (!(*at & second))
        i = 0;
    more = map_next(c->scope.overrides, &i, name, &entry);
    *at = i | second;
    return more;
}

/* TRANSPORT + suffix if it is a parameter or set, as p's kind; else p. */
static int64_t transport_number(const struct conf *c, str transport,
                                str suffix, enum param p)
{
    struct arena a;
    str name, text, complaint;
    int64_t number = value_of(c, p)->number;

    arena_init(&a, 0);
    name = arena_cat(&a, transport, suffix);
    if (conf_param_find(name) != N_PARAMS)
        number = value_of(c, conf_param_find(name))->number;
    else if (scope_written(&c->scope, name)
             && conf_find(c, &a, name, &text))
        err_ignore(value_parse(&a, p, text, &number, &complaint)
                   ? OK : ERR_SYNTAX); /* the default stands */
    arena_reset(&a);
    return number;
}

int64_t conf_transport_int(const struct conf *c, str transport, str suffix,
                           enum param p)
{
    must(conf_param(p)->kind == CONF_INT);
    return transport_number(c, transport, suffix, p);
}

int64_t conf_transport_seconds(const struct conf *c, str transport,
                               str suffix, enum param p)
{
    must(conf_param(p)->kind == CONF_TIME);
    return transport_number(c, transport, suffix, p);
}

str conf_dir(const struct conf *c)
{
    return c->source.dir;
}

const struct conf_facts *conf_facts(const struct conf *c)
{
    return &c->source.facts;
}

struct services conf_services(const struct conf *c)
{
    return c->services;
}

const struct service *conf_service(const struct conf *c, str name,
                                   enum service_type type)
{
    for (size_t i = 0; i < c->services.n; i++) {
        const struct service *s = &c->services.p[i];
        if (s->type == type && str_eq(s->name, name))
            return s;
    }
    return NULL;
}

/* PACKED: u32 version, the source's texts, the facts, the overrides. */
#define PACK_VERSION 1
#define PACK_TEXT_MAX ((size_t)16 << 20)

void conf_pack(const struct conf *c, struct buf *to)
{
    const struct conf_source *src = &c->source;
    const struct conf_facts *facts = &src->facts;

    pack_u32(to, PACK_VERSION);
    pack_str(to, src->dir);
    pack_str(to, src->main_cf);
    pack_str(to, src->master_cf);
    pack_str(to, facts->hostname);
    pack_str(to, facts->origin_file);
    pack_str(to, facts->process_name);
    pack_str(to, facts->process_id);
    pack_str(to, facts->service_name);
    pack_u32(to, (uint32_t)facts->n_interfaces);
    for (size_t i = 0; i < facts->n_interfaces; i++) {
        pack_u8(to, facts->interfaces[i].ipv6);
        pack_u8(to, (uint8_t)facts->interfaces[i].prefix);
        pack_str(to, str_of(facts->interfaces[i].address, 16));
    }
    pack_u32(to, (uint32_t)src->n_overrides);
    for (size_t i = 0; i < src->n_overrides; i++)
        pack_str(to, src->overrides[i]);
}

static void unpack_facts(struct arena *a, struct unpack *u,
                         struct conf_facts *facts)
{
    struct conf_interface *interfaces;

    facts->hostname = unpack_str(u, PACK_TEXT_MAX);
    facts->origin_file = unpack_str(u, PACK_TEXT_MAX);
    facts->process_name = unpack_str(u, PACK_TEXT_MAX);
    facts->process_id = unpack_str(u, PACK_TEXT_MAX);
    facts->service_name = unpack_str(u, PACK_TEXT_MAX);
    facts->n_interfaces = unpack_count(u, 22);
    interfaces = arena_array(a, struct conf_interface, facts->n_interfaces);
    for (size_t i = 0; i < facts->n_interfaces; i++) {
        str address;
        interfaces[i].ipv6 = unpack_u8(u) != 0;
        interfaces[i].prefix = unpack_u8(u);
        address = unpack_str(u, 16);
        if (address.n == 16)
            __builtin_memcpy(interfaces[i].address, address.p, 16);
        else
            u->bad = true;
    }
    facts->interfaces = interfaces;
}

err conf_unpack(struct arena *a, str packed, struct conf **out)
{
    str mine = arena_str(a, packed);
    struct unpack u = unpack_of(mine);
    struct conf_source src = { .dir = S("") };
    struct conf_findings findings = { 0 };
    str *overrides;

    if (unpack_u32(&u) != PACK_VERSION)
        return ERR_CORRUPT;
    src.dir = unpack_str(&u, PACK_TEXT_MAX);
    src.main_cf = unpack_str(&u, PACK_TEXT_MAX);
    src.master_cf = unpack_str(&u, PACK_TEXT_MAX);
    unpack_facts(a, &u, &src.facts);
    src.n_overrides = unpack_count(&u, 4);
    overrides = arena_array(a, str, src.n_overrides);
    for (size_t i = 0; i < src.n_overrides; i++)
        overrides[i] = unpack_str(&u, PACK_TEXT_MAX);
    src.overrides = overrides;
    if (!unpack_end(&u))
        return ERR_CORRUPT;
    return conf_read(a, &src, &findings, out);
}
