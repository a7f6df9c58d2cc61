/* SPDX-License-Identifier: ISC
 *
 * postconf(1): options and what they mean together.  Nothing is shown before
 * all of it is known: output is collected and written at the end.
 */
#include "role/tool/postconf.h"

#include "conf/value.h"
#include "conf/words.h"

#include "conf/machine.h"
#include "conf/main_cf.h"
#include "conf/value.h"
#include "table/table.h"

#include <stdio.h>

#define LETTERS "aAbc:C:deEfFhHlmMno:pPtT:vxX#"

/* Of each set only one may be given. */
static const char *const exclusive[] = {
    "aAbFlmMpPtT", "denX#", "deoX#", "efX#", "exX#", "ehHX#",
};

/* With the first letter, none of those behind it. */
static const char *const incompatible[] = {
    "adefhHnoxX#", "AdefhHnoxX#", "bdefhHnoxX#", "ldefhHnoxX#",
    "mdefhHnoxX#", "tdefhHnoxX#", "TdefhHnoxX#",
    "FdnX#", "MdhHn", "Pdn#",
};

/* " -a -b": those of letters that were given. */
static str given(struct postconf *p, const char *letters, int *n)
{
    str list = S("");

    *n = 0;
    for (; *letters; letters++) {
        if (!asked(p, *letters))
            continue;
        list = arena_fmt(&p->arena, "%.*s -%c", STR(list), *letters);
        ++*n;
    }
    return list;
}

static err check_options(struct postconf *p)
{
    int n;
    str list;

    for (size_t i = 0; i < sizeof(exclusive) / sizeof(*exclusive); i++) {
        list = given(p, exclusive[i], &n);
        if (n > 1) {
            tool_fatal(p->args, "specify one of%.*s", STR(list));
            return ERR_SYNTAX;
        }
    }
    for (size_t i = 0; i < sizeof(incompatible) / sizeof(*incompatible);
         i++) {
        if (!asked(p, incompatible[i][0]))
            continue;
        list = given(p, incompatible[i] + 1, &n);
        if (n > 0) {
            tool_fatal(p->args, "with option -%c, do not specify%.*s",
                       incompatible[i][0], STR(list));
            return ERR_SYNTAX;
        }
    }
    return OK;
}

static err read_classes(struct postconf *p, const char *value)
{
    static const struct {
        str name;
        int classes;
    } known[] = {
        { S_INIT("builtin"), CLASS_BUILTIN },
        { S_INIT("service"), CLASS_SERVICE },
        { S_INIT("user"), CLASS_USER },
        { S_INIT("all"), CLASS_ALL },
    };
    str rest = str_from(value), name;

    p->classes = 0;
    while (str_token(&rest, S(", \t\r\n"), &name)) {
        size_t i = 0;
        while (i < 4 && !str_ieq(known[i].name, name))
            i++;
        if (i == 4) {
            tool_fatal(p->args, "unknown -C option value \"%.*s\" in \"%s\"",
                       STR(name), value);
            return ERR_SYNTAX;
        }
        p->classes |= known[i].classes;
    }
    return OK;
}

static err add_override(struct postconf *p, str text)
{
    str complaint;
    struct map *one = map_new(&p->arena, false);

    if (!main_cf_override(&p->arena, text, one, &complaint)) {
        tool_fatal(p->args, "invalid parameter override: %.*s: %.*s",
                   STR(text), STR(complaint));
        return ERR_SYNTAX;
    }
    vec_push(&p->arena, &p->overrides, text);
    return OK;
}

static err read_options(struct postconf *p)
{
    const struct tool_args *args = p->args;
    struct tool_options o = tool_options_of(args, LETTERS);
    vec_of(str) names = { 0 };
    int c;

    while ((c = tool_option(&o)) != 0) {
        if (c == '?') {
            (void)tool_usage(args, args->argv[0], 1);
            return ERR_SYNTAX;
        }
        p->options.has[c] = true;
        if (c == 'c') {
            p->dir = str_from(o.value);
            p->dir_given = true;
        } else if (c == 'C') {
            TRY(read_classes(p, o.value));
        } else if (c == 'o') {
            TRY(add_override(p, str_from(o.value)));
        }
    }
    for (int i = o.at; i < args->argc; i++) {
        str name = str_from(args->argv[i]);
        vec_push(&p->arena, &names, name);
        if (str_chr(name, '=') != STR_NONE)
            p->options.has['e'] = true;
    }
    p->names = names.p;
    p->n_names = names.n;
    return check_options(p);
}

/* The findings of the parsers; ERR_SYNTAX if one was fatal. */
static err say_findings(struct postconf *p,
                        const struct conf_findings *findings)
{
    for (size_t i = 0; i < findings->list.n; i++) {
        const struct conf_finding *f = &findings->list.p[i];
        str text = conf_finding_text(&p->arena, f);
        if (!f->fatal) {
            tool_warn(p->args, "%.*s", STR(text));
            continue;
        }
        tool_fatal(p->args, "%.*s", STR(text));
        return ERR_SYNTAX;
    }
    return OK;
}

static void put_entry(struct postconf *p, str name, str value)
{
    struct conf_entry *entry = arena_new(&p->arena, struct conf_entry);

    *entry = (struct conf_entry){ name, value, 0 };
    map_put(p->entries, name, entry);
}

static err read_main(struct task *t, struct postconf *p)
{
    struct conf_findings findings = { 0 };
    str text, complaint;
    err e = file_load(t, NULL, p->main_file, &p->arena, TOOL_FILE_MAX, &text);

    if (e) {
        tool_fatal(p->args, "open %.*s: %s", STR(p->main_file),
                   tool_reason(e));
        return e;
    }
    if (p->dir_given)
        put_entry(p, S("config_directory"), p->dir);
    main_cf_parse(&p->arena, p->main_file, text, p->entries, &findings);
    TRY(say_findings(p, &findings));
    for (size_t i = 0; i < p->overrides.n; i++)
        must(main_cf_override(&p->arena, p->overrides.p[i], p->entries,
                              &complaint));
    return OK;
}

/* Items of a list that begin with a brace and do not end with its fellow. */
static void look_at_braces(struct postconf *p, str text)
{
    str item;

    while (value_token(&text, CONF_LIST_SEPS, &item)) {
        size_t depth = 0, end = 0;
        if (item.p[0] != '{')
            continue;
        do {
            depth += item.p[end] == '{';
            depth -= item.p[end] == '}';
        } while (depth > 0 && ++end < item.n);
        if (depth > 0)
            tool_warn(p->args, "main.cf: missing '}' in \"%.*s\"",
                      STR(item));
        else if (end + 1 < item.n)
            tool_warn(p->args, "main.cf: syntax error after '}' in "
                      "\"%.*s\"", STR(item));
    }
}

/* Values that cannot be read are warned about, and built-in parameters whose
 * values cannot be expanded end it, as Postfix has it. */
static err look_at_values(struct postconf *p)
{
    str name, complaint, text;
    void *item;

    for (size_t at = 0; map_next(p->entries, &at, &name, &item);) {
        const struct conf_entry *entry = item;
        enum param known = conf_param_find(name);
        bool ours = known != N_PARAMS;
        if (ours && conf_param(known)->kind == CONF_RAW)
            continue;
        if (ours && !macro_expand(&p->scope, &p->arena, entry->value, &text,
                                  &complaint)) {
            look_at_braces(p, text);
            continue;
        }
        if (!ours && !macro_check(&p->arena, entry->value, &complaint))
            continue;
        tool_warn(p->args, "%.*s", STR(complaint));
        if (!ours)
            continue;
        postconf_say_undefined(p);
        tool_fatal(p->args, "macro processing error");
        return ERR_SYNTAX;
    }
    return OK;
}

static err read_master(struct task *t, struct postconf *p)
{
    struct conf_findings findings = { 0 };
    str text;
    err e = file_load(t, NULL, p->master_file, &p->arena, TOOL_FILE_MAX,
                      &text);

    if (e && (asked(p, 'M') || asked(p, 'F') || asked(p, 'P'))) {
        tool_fatal(p->args, "open %.*s: %s", STR(p->master_file),
                   tool_reason(e));
        return e;
    }
    if (e) {
        tool_warn(p->args, "open %.*s: %s", STR(p->master_file),
                  tool_reason(e));
        return OK;
    }
    master_cf_parse(&p->arena, p->master_file, text, &p->services, &findings);
    return say_findings(p, &findings);
}

err postconf_read(struct task *t, struct postconf *p, bool main_too)
{
    const char *self = arena_cstr(&p->arena, tool_name(p->args));
    str complaint = S("");
    err e;

    p->entries = map_new(&p->arena, false);
    e = conf_facts_find(t, &p->arena, self, &p->facts);
    if (e) {
        tool_fatal(p->args, "%s", task_why(t));
        return e;
    }
    if (main_too)
        TRY(read_main(t, p));
    TRY(read_master(t, p));
    p->known = names_find(&p->arena, p->entries, &p->services);
    p->scope.main = p->entries;
    p->scope.transports = names_transports(p->known);
    e = machine_names(&p->arena, &p->scope,
                      main_too ? p->dir : TOOL_CONFIG_DIR, &p->facts,
                      &complaint);
    if (e) {
        tool_warn(p->args, "%.*s", STR(complaint));
        tool_fatal(p->args, "macro processing error");
        return e;
    }
    if (machine_networks(&p->arena, &p->scope, &p->facts,
                         &p->networks_complaint) == OK)
        p->networks_complaint = S("");
    return look_at_values(p);
}

err postconf_expand(struct postconf *p, const struct conf_scope *scope,
                    str text, str *out)
{
    str complaint;

    if (macro_expand(scope, &p->arena, text, out, &complaint) == OK)
        return OK;
    tool_warn(p->args, "%.*s", STR(complaint));
    tool_fatal(p->args, "macro processing error");
    return ERR_SYNTAX;
}

void postconf_setting(struct postconf *p, str name, str value)
{
    struct layout l = { .out = &p->out, .fold = asked(p, 'f') };

    if (!asked(p, 'h'))
        layout_text(&l, name);
    if (!asked(p, 'h') && !asked(p, 'H'))
        layout_text(&l, S(" ="));
    if (!asked(p, 'H'))
        layout_value(&l, value);
    layout_end(&l);
}

/* What was shown goes out before what is said about it. */
static err put_out(struct postconf *p)
{
    size_t n = p->out.n;

    p->out.n = 0;
    if (n == 0 || (fwrite(p->out.p, 1, n, stdout) == n && !fflush(stdout)))
        return OK;
    tool_fatal(p->args, "cannot write to the standard output");
    return ERR_IO;
}

/* unused: after the output, as Postfix has it; else before it. */
static void say_doubts(struct postconf *p, bool unused, bool main_too)
{
    const struct name_doubts *doubts = names_doubts(p->known);

    for (size_t i = 0; i < doubts->list.n; i++) {
        const struct name_doubt *d = &doubts->list.p[i];
        str file = d->in_master ? p->master_file : p->main_file;
        if ((d->kind == DOUBT_UNUSED) == unused && (d->in_master || main_too))
            tool_warn(p->args, "%.*s: %.*s", STR(file),
                      STR(name_doubt_text(&p->arena, d)));
    }
}

void postconf_say_undefined(struct postconf *p)
{
    say_doubts(p, false, true);
}

err postconf_say_unused(struct postconf *p, bool main_too)
{
    TRY(put_out(p));
    say_doubts(p, true, main_too);
    return OK;
}

bool postconf_parts(str text, size_t max, str parts[3], size_t *n)
{
    str rest = text, part;

    *n = 0;
    for (size_t i = 0; i < 3; i++)
        parts[i] = S("*");
    if (text.n == 0 || text.p[0] == '/')
        return false;
    while (str_token(&rest, S("/"), &part)) {
        if (*n == max)
            return false;
        parts[(*n)++] = part;
    }
    return *n > 0;
}

static void show_list(struct postconf *p, const char *const *list)
{
    for (; *list; list++)
        buf_fmt(&p->out, "%s\n", *list);
}

/* -a: who can check passwords for the SMTP server; -A: the client's; -l: ways
 * to lock a mailbox. */
static void show_words(struct postconf *p, enum param of)
{
    str word;

    for (size_t at = 0; words_next(of, &at, &word);)
        buf_fmt(&p->out, "%.*s\n", STR(word));
}

static err work(struct task *t, struct postconf *p)
{
    bool edit = asked(p, 'e') || asked(p, 'X') || asked(p, '#');
    bool master = asked(p, 'M') || asked(p, 'F') || asked(p, 'P');

    if (asked(p, 'b') || asked(p, 't') || asked(p, 'T')) {
        tool_fatal(p->args, "option -%c is not supported by this version of "
                   "Veredus", asked(p, 'b') ? 'b' : asked(p, 't') ? 't'
                   : 'T');
        return ERR_ABSENT;
    }
    if (asked(p, 'a'))
        return show_words(p, P_smtpd_sasl_type), OK;
    if (asked(p, 'A'))
        return show_words(p, P_smtp_sasl_type), OK;
    if (asked(p, 'l'))
        return show_words(p, P_mailbox_delivery_lock), OK;
    if (asked(p, 'm'))
        return show_list(p, table_types()), OK;
    if (edit)
        return master ? postconf_edit_master(t, p) : postconf_edit_main(t, p);
    TRY(postconf_read(t, p, !asked(p, 'd')));
    return master ? postconf_show_master(p) : postconf_show_main(p);
}

int tool_postconf(struct task *t, const struct tool_args *args)
{
    struct postconf p = {
        .args = args,
        .classes = CLASS_ALL,
        .dir = tool_config_dir(args, NULL),
        .dir_given = args->config_dir != NULL,
    };
    err e;

    arena_init(&p.arena, 0);
    buf_init(&p.out, &p.arena, (size_t)64 << 20);
    e = read_options(&p);
    if (!e) {
        p.main_file = arena_fmt(&p.arena, "%.*s/main.cf", STR(p.dir));
        p.master_file = arena_fmt(&p.arena, "%.*s/master.cf", STR(p.dir));
        e = work(t, &p);
    }
    if (!e)
        e = put_out(&p);
    arena_reset(&p.arena);
    return e ? 1 : 0;
}
