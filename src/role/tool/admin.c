/* SPDX-License-Identifier: ISC
 *
 * The command lines of veredus' own commands: VERB, options and operands in
 * any order, long names or letters.
 */
#include "role/tool/admin.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct option {
    str name;
    char letter;
    const char *value, *help;
};

static const struct option options[] = {
#define ADMIN_OPTION(id, name, letter, value, help)                           \
    { S_INIT(name), letter, value, help },
#include "role/tool/admin_options.def"
#undef ADMIN_OPTION
};

#define ALWAYS (ADMIN_BIT(config) | ADMIN_BIT(help))

/* --- help ----------------------------------------------------------------- */

static void put_usage(FILE *to, const struct tool_args *args,
                      const struct admin_verb *v)
{
    fprintf(to, "usage: %s%s%s [OPTIONS]%s%s\n", args->argv[0],
            v->name ? " " : "", v->name ? v->name : "",
            *v->operands ? " " : "", v->operands);
}

static void help_verb(const struct tool_args *args,
                      const struct admin_verb *v)
{
    put_usage(stdout, args, v);
    printf("\n%s\n\noptions:\n", v->help);
    for (size_t i = 0; i < N_ADMIN_OPTIONS; i++) {
        const struct option *o = &options[i];
        char words[64], letter[] = { '-', o->letter, ',', ' ', 0 };
        if (!((v->options | ALWAYS) & (1u << i)))
            continue;
        snprintf(words, sizeof(words), "%s--%.*s%s%s",
                 o->letter ? letter : "    ", STR(o->name),
                 o->value ? " " : "", o->value ? o->value : "");
        printf("  %-24s %s\n", words, o->help);
    }
}

static void help_command(FILE *to, const struct tool_args *args,
                         const struct admin_command *c)
{
    fprintf(to, "usage: %s VERB [OPTIONS] [OPERANDS]\n\n%s\n\n",
            args->argv[0], c->help);
    for (size_t i = 0; i < c->n_verbs; i++) {
        char words[64];
        snprintf(words, sizeof(words), "%s %s", c->verbs[i].name,
                 c->verbs[i].operands);
        fprintf(to, "  %-28s %s\n", words, c->verbs[i].help);
    }
    fprintf(to, "\n%s VERB --help tells more.\n", args->argv[0]);
}

/* --- the command line ----------------------------------------------------- */

struct words {
    struct admin *ad;
    int at;             /* the argument to look at next */
};

static bool complain(struct admin *ad, const char *what, str word)
{
    tool_fatal(ad->args, "%s: %.*s", what, STR(word));
    return false;
}

static bool take(struct words *w, size_t o, str shown, const char *value)
{
    struct admin *ad = w->ad;

    if (o == N_ADMIN_OPTIONS
        || !((ad->verb->options | ALWAYS) & (1u << o)))
        return complain(ad, "unknown option", shown);
    if (options[o].value && !value) {
        if (w->at >= ad->args->argc)
            return complain(ad, "option needs a value", shown);
        value = ad->args->argv[w->at++];
    } else if (!options[o].value && value) {
        return complain(ad, "option takes no value", shown);
    }
    ad->given[o] = true;
    ad->value[o] = value;
    return true;
}

static bool take_long(struct words *w, str word)
{
    size_t eq = str_chr(word, '=');
    str name = str_skip(str_head(word, eq), 2);
    size_t o = 0;

    while (o < N_ADMIN_OPTIONS && !str_eq(options[o].name, name))
        o++;
    return take(w, o, str_head(word, eq),
                eq == STR_NONE ? NULL : word.p + eq + 1);
}

/* "-x", "-xVALUE"; letters without values may stand together. */
static bool take_letters(struct words *w, str word)
{
    for (size_t i = 1; i < word.n; i++) {
        char shown[] = { '-', word.p[i], 0 };
        size_t o = 0;
        while (o < N_ADMIN_OPTIONS && options[o].letter != word.p[i])
            o++;
        if (o == N_ADMIN_OPTIONS || !options[o].value) {
            if (!take(w, o, str_from(shown), NULL))
                return false;
            continue;
        }
        return take(w, o, str_from(shown),
                    i + 1 < word.n ? word.p + i + 1 : NULL);
    }
    return true;
}

static bool take_all(struct admin *ad, int at)
{
    struct words w = { ad, at };
    bool operands_only = false;

    while (w.at < ad->args->argc) {
        str word = str_from(ad->args->argv[w.at++]);
        if (operands_only || word.n < 2 || word.p[0] != '-')
            vec_push(&ad->memory, &ad->operands, word);
        else if (str_eq(word, S("--")))
            operands_only = true;
        else if (!(word.p[1] == '-' ? take_long(&w, word)
                                    : take_letters(&w, word)))
            return false;
    }
    return true;
}

static int run_verb(struct task *t, const struct tool_args *args,
                    const struct admin_verb *v, int at)
{
    struct admin ad = { .args = args, .verb = v };
    int status = 2;
    err e;

    arena_init(&ad.memory, 0);
    if (!take_all(&ad, at)) {
        put_usage(stderr, args, v);
    } else if (ad.given[ADMIN_help]) {
        help_verb(args, v);
        status = 0;
    } else if (ad.operands.n < v->least || ad.operands.n > v->most) {
        put_usage(stderr, args, v);
    } else {
        e = v->fn(t, &ad);
        status = e ? 1 : 0;
        if (e && !ad.said)
            tool_fatal(args, "%s", *task_why(t) ? task_why(t) : err_name(e));
        if (fflush(stdout) && !e) {
            tool_fatal(args, "write error");
            status = 1;
        }
    }
    arena_reset(&ad.memory);
    return status;
}

int admin_main(struct task *t, const struct tool_args *args,
              const struct admin_command *c)
{
    str word = args->argc > 1 ? str_from(args->argv[1]) : S("");

    if (!c->verbs[0].name)
        return run_verb(t, args, &c->verbs[0], 1);
    for (size_t i = 0; i < c->n_verbs; i++)
        if (str_eq(word, str_from(c->verbs[i].name)))
            return run_verb(t, args, &c->verbs[i], 2);
    if (str_eq(word, S("--help")) || str_eq(word, S("-h"))
        || str_eq(word, S("help"))) {
        help_command(stdout, args, c);
        return 0;
    }
    if (!str_empty(word))
        tool_fatal(args, "unknown verb: %.*s", STR(word));
    help_command(stderr, args, c);
    return 2;
}

/* --- the directory -------------------------------------------------------- */

str admin_config_words(const struct admin *ad, struct arena *a)
{
    const char *dir = admin_value(ad, ADMIN_config);

    return dir ? arena_fmt(a, " -c %s", dir) : S("");
}

err admin_open(struct task *t, struct admin *ad, bool write)
{
    err e = tool_conf(t, &ad->memory, ad->args, admin_value(ad, ADMIN_config),
                      &ad->conf);

    ad->said = e != OK;
    TRY(e);
    return admin_open_directory(t, ad, write);
}

err admin_open_directory(struct task *t, struct admin *ad, bool write)
{
    struct conf_items sources = conf_items(ad->conf, P_auth_sources);

    for (size_t i = 0; i < sources.n; i++) {
        str path = str_skip(sources.p[i], 7);
        if (!str_starts(sources.p[i], S("sqlite:")))
            continue;
        if (access(arena_cstr(&ad->memory, path), write ? W_OK : R_OK))
            return why(t, ERR_DENIED, "the directory %.*s: %s", STR(path),
                       strerror(errno));
        return directory_open(t, &ad->memory, path,
                              write ? DIRECTORY_WRITE : 0, &ad->directory);
    }
    return why(t, ERR_ABSENT, "%.*s/main.cf: auth_sources names no sqlite: "
               "directory; make a configuration with \"veredus init\"",
               STR(conf_dir(ad->conf)));
}

str admin_domain_of(str address)
{
    size_t at = str_rchr(address, '@');

    return at == STR_NONE ? address : str_skip(address, at + 1);
}

err admin_domain_known(struct task *t, struct admin *ad, str domain,
                       str *class)
{
    struct directory_domain found;
    err e = directory_domain_find(t, ad->directory, domain, &ad->memory,
                                  &found);

    if (!e)
        *class = found.class;
    if (e != ERR_ABSENT)
        return e;
    return why(t, ERR_ABSENT, "no such domain: %.*s; \"veredus domain "
               "add%.*s %.*s\" makes it ours", STR(str_head(domain, 100)),
               STR(admin_config_words(ad, &ad->memory)),
               STR(str_head(domain, 100)));
}
