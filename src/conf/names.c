/* SPDX-License-Identifier: ISC
 *
 * Which parameter names mean something.
 *
 * N1  A name is asked for by main.cf if a value there, or a built-in default,
 *     says $name; values of RAW parameters and the read-only ones ask for
 *     nothing.  The -o options of a service ask the same way, and what they
 *     ask for also gives a meaning to a line of main.cf.
 * N2  An -o option means something if main.cf or its own service asks for
 *     its name.
 */
#include "conf/names.h"

#include "conf/main_cf.h"
#include "conf/value.h"

struct names {
    const struct map *entries;   /* main.cf, borrowed */
    struct map *transports;      /* name -> struct conf_entry: its default */
    struct map *asked;           /* by main.cf and by defaults */
    struct map *asked_in_master; /* by any -o option */
    struct name_doubts doubts;
    struct arena *arena;
};

/* Whose values are being looked at: main.cf's (own NULL) or the -o options of
 * one line of master.cf. */
struct asker {
    struct names *names;
    struct map *asked;   /* what they ask for */
    struct map *own;     /* their entries */
    int line;
};

/* What a transport's own parameters are called, and where their values come
 * from unless they are set. */
struct suffix {
    str suffix, preset;
};
static const struct suffix delivery_suffixes[] = {
#define OWN(s) { S_INIT(s), S_INIT("$default" s) }
    OWN("_delivery_slot_cost"),
    OWN("_delivery_slot_discount"),
    OWN("_delivery_slot_loan"),
    OWN("_destination_concurrency_failed_cohort_limit"),
    OWN("_destination_concurrency_limit"),
    OWN("_destination_concurrency_negative_feedback"),
    OWN("_destination_concurrency_positive_feedback"),
    OWN("_destination_rate_delay"),
    OWN("_destination_recipient_limit"),
    OWN("_extra_recipient_limit"),
    OWN("_minimum_delivery_slots"),
    OWN("_recipient_limit"),
    OWN("_recipient_refill_delay"),
    OWN("_recipient_refill_limit"),
    OWN("_transport_rate_delay"),
#undef OWN
    { S_INIT("_initial_destination_concurrency"),
      S_INIT("$initial_destination_concurrency") },
};
static const struct suffix time_suffix[] = {
    { S_INIT("_time_limit"), S_INIT("$command_time_limit") },
};

/* Commands of master.cf and what their services' names are good for. */
static const struct {
    str command;
    bool delivers, runs_commands;
} agents[] = {
    { S_INIT("error"), true, false },   { S_INIT("lmtp"), true, false },
    { S_INIT("local"), true, false },   { S_INIT("pipe"), true, true },
    { S_INIT("smtp"), true, false },    { S_INIT("spawn"), false, true },
    { S_INIT("virtual"), true, false },
};

/* Database clients whose tables may be named without a path: their settings
 * are then name_SUFFIX in main.cf. */
static const struct {
    str type, suffixes;
} clients[] = {
    { S_INIT("ldap"),
      S_INIT("bind bind_dn bind_pw cache cache_expiry cache_size "
             "chase_referrals debuglevel dereference domain expansion_limit "
             "leaf_result_attribute query_filter recursion_limit "
             "result_attribute result_filter result_format sasl_authz_id "
             "sasl_mechs sasl_minssf sasl_realm scope search_base "
             "server_host server_port size_limit special_result_attribute "
             "start_tls terminal_result_attribute timeout tls_ca_cert_dir "
             "tls_ca_cert_file tls_cert tls_cipher_suite tls_key "
             "tls_random_file tls_require_cert version") },
    { S_INIT("mysql"),
      S_INIT("additional_conditions charset dbname domain expansion_limit "
             "hosts option_file option_group password query "
             "require_result_set result_format select_field table "
             "tls_CAfile tls_CApath tls_cert_file tls_ciphers tls_key_file "
             "tls_verify_cert user where_field") },
    { S_INIT("pgsql"),
      S_INIT("additional_conditions dbname domain encoding expansion_limit "
             "hosts password query result_format select_field "
             "select_function table user where_field") },
    { S_INIT("sqlite"),
      S_INIT("additional_conditions dbpath domain expansion_limit query "
             "result_format select_field table where_field") },
    { S_INIT("memcache"),
      S_INIT("backup data_size_limit domain flags key_format "
             "line_size_limit max_try memcache retry_pause timeout ttl") },
};

#define COUNT(x) (sizeof(x) / sizeof(*(x)))

static void ask(struct asker *by, str name)
{
    struct names *n = by->names;

    if (!map_get(by->asked, name))
        map_put(by->asked, name, n);
    if (by->own && !map_get(n->asked_in_master, name))
        map_put(n->asked_in_master, name, n);
}

static void add_derived(struct names *n, str service,
                        const struct suffix *suffixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct conf_entry *entry;
        str name = arena_cat(n->arena, service, suffixes[i].suffix);
        if (conf_param_find(name) != N_PARAMS || map_get(n->transports, name))
            continue;
        entry = arena_new(n->arena, struct conf_entry);
        *entry = (struct conf_entry){ name, suffixes[i].preset, 0 };
        map_put(n->transports, name, entry);
    }
}

static void add_service_names(struct names *n, const struct service *s)
{
    for (size_t i = 0; i < COUNT(agents); i++) {
        if (!str_eq(agents[i].command, s->command))
            continue;
        if (agents[i].delivers)
            add_derived(n, s->name, delivery_suffixes,
                        COUNT(delivery_suffixes));
        if (agents[i].runs_commands)
            add_derived(n, s->name, time_suffix, COUNT(time_suffix));
    }
}

static bool known(const struct names *n, str name)
{
    return conf_param_find(name) != N_PARAMS || map_get(n->transports, name);
}

/* "ldap:name" anywhere in a value, also as proxy:ldap:name and inside
 * braces, gives a meaning to name_SUFFIX. */
static void ask_for_clients(struct asker *by, str value)
{
    str token, suffix;

    while (str_token(&value, S(", \t\r\n{}"), &token)) {
        size_t colon;
        str type, table;
        if (str_starts(token, S("proxy:")))
            token = str_skip(token, 6);
        colon = str_chr(token, ':');
        type = str_head(token, colon);
        table = str_skip(token, type.n + 1);
        if (colon == STR_NONE || table.n == 0
            || str_chr(S("/."), table.p[0]) != STR_NONE)
            continue;
        for (size_t i = 0; i < COUNT(clients); i++) {
            str list = clients[i].suffixes;
            if (!str_eq(clients[i].type, type))
                continue;
            while (str_token(&list, S(" "), &suffix))
                ask(by, arena_fmt(by->names->arena, "%.*s_%.*s", STR(table),
                                  STR(suffix)));
        }
    }
}

static void doubt(const struct asker *by, enum doubt_kind kind, int line,
                  str name, str value)
{
    struct name_doubt d = { kind, by->own != NULL, line, name, value };

    vec_push(by->names->arena, &by->names->doubts.list, d);
}

/* What one value asks for; what that is not, is a doubt. */
static void ask_by_value(struct asker *by, const struct conf_entry *entry)
{
    struct names *n = by->names;
    struct macro_names found = { 0 };
    enum param p = conf_param_find(entry->name);
    int line = by->own ? by->line : entry->line;

    ask_for_clients(by, entry->value);
    if (p == P_smtpd_restriction_classes) {
        str class_, rest = entry->value;
        while (str_token(&rest, S(", \t\r\n"), &class_))
            if (class_.p[0] != '$')
                vec_push(n->arena, &found.list, class_);
    }
    if (p == N_PARAMS || conf_param(p)->kind != CONF_RAW) /* N1 */
        macro_names_find(n->arena, entry->value, &found);
    for (size_t i = 0; i < found.list.n; i++) {
        str name = found.list.p[i];
        ask(by, name);
        if (!known(n, name) && !map_get(n->entries, name)
            && !(by->own && map_get(by->own, name)))
            doubt(by, DOUBT_UNDEFINED, line, name, S(""));
    }
}

static void ask_by_presets(struct asker *by)
{
    for (int i = 0; i < N_PARAMS; i++) {
        const struct conf_param *p = conf_param((enum param)i);
        struct macro_names found = { 0 };
        if (p->kind == CONF_RAW)
            continue;
        macro_names_find(by->names->arena, p->preset, &found);
        for (size_t j = 0; j < found.list.n; j++)
            ask(by, found.list.p[j]);
    }
}

static void ask_by_entries(struct asker *by, const struct map *entries)
{
    str name;
    void *entry;

    for (size_t at = 0; map_next(entries, &at, &name, &entry);)
        ask_by_value(by, entry);
}

/* What is set there and cannot be, or means nothing.  also: what else asks. */
static void judge(const struct asker *by, const struct map *entries,
                  const struct map *also)
{
    const struct conf_entry *entry;
    str name;
    void *item;

    for (size_t at = 0; map_next(entries, &at, &name, &item);) {
        int line = by->line;
        entry = item;
        if (!by->own)
            line = entry->line;
        if (scope_read_only(name))
            doubt(by, DOUBT_READ_ONLY, line, name, entry->value);
        else if (!known(by->names, name) && !map_get(by->asked, name)
                 && !map_get(also, name))
            doubt(by, DOUBT_UNUSED, line, name, entry->value);
    }
}

static struct asker service_asker(struct names *n, const struct service *s)
{
    struct asker by = { n, map_new(n->arena, false), map_new(n->arena, false),
                        s->line };
    str name, value, complaint;

    for (size_t at = 0; service_option_next(s, &at, &name, &value);)
        must(main_cf_override(n->arena, s->argv[at], by.own, &complaint));
    return by;
}

struct names *names_find(struct arena *a, const struct map *entries,
                         const struct service_list *services)
{
    struct names *n = arena_new(a, struct names);
    struct asker main = { .names = n };

    n->arena = a;
    n->entries = entries;
    n->transports = map_new(a, false);
    n->asked = main.asked = map_new(a, false);
    n->asked_in_master = map_new(a, false);
    for (size_t i = 0; i < services->list.n; i++)
        add_service_names(n, &services->list.p[i]);
    ask_by_presets(&main);
    ask_by_entries(&main, entries);
    for (size_t i = 0; i < services->list.n; i++) {
        struct asker by = service_asker(n, &services->list.p[i]);
        ask_by_entries(&by, by.own);
        judge(&by, by.own, n->asked); /* N2 */
    }
    judge(&main, entries, n->asked_in_master);
    return n;
}

enum name_class names_class(const struct names *n, str name)
{
    if (conf_param_find(name) != N_PARAMS)
        return NAME_BUILTIN;
    if (map_get(n->transports, name))
        return NAME_SERVICE;
    if (map_get(n->entries, name)
        && (map_get(n->asked, name) || map_get(n->asked_in_master, name)))
        return NAME_USER;
    return NAME_NONE;
}

const struct map *names_transports(const struct names *n)
{
    return n->transports;
}

const struct name_doubts *names_doubts(const struct names *n)
{
    return &n->doubts;
}

str name_doubt_text(struct arena *a, const struct name_doubt *d)
{
    switch (d->kind) {
    case DOUBT_UNDEFINED:
        return arena_fmt(a, "undefined parameter: %.*s", STR(d->name));
    case DOUBT_READ_ONLY:
        return arena_fmt(a, "read-only parameter assignment: %.*s=%.*s",
                         STR(d->name), STR(d->value));
    case DOUBT_UNUSED:
        return arena_fmt(a, "unused parameter: %.*s=%.*s", STR(d->name),
                         STR(d->value));
    }
    must_not_reach();
}
