/* SPDX-License-Identifier: ISC
 *
 * master.cf: eight columns, the last one a command with its arguments.
 *
 *     service type private unpriv chroot wakeup maxproc command + args
 *
 * Words are divided by blanks outside braces.  An argument in braces is what
 * stands in them, without blanks at its ends; behind -o such an argument is
 * "name = value".  Options come before the first argument that does not start
 * with a minus sign.
 */
#include "conf/master_cf.h"

#include "conf/lines.h"
#include "conf/value.h"

static const struct {
    str name;
    enum service_type type;
} types[] = {
    { S_INIT("inet"), SERVICE_INET },
    { S_INIT("unix"), SERVICE_UNIX },
    { S_INIT("fifo"), SERVICE_FIFO },
    { S_INIT("pass"), SERVICE_PASS },
    { S_INIT("unix-dgram"), SERVICE_UNIX_DGRAM },
};

static const str column_names[N_COLUMNS] = {
    S_INIT("service"), S_INIT("type"), S_INIT("private"),
    S_INIT("unprivileged"), S_INIT("chroot"), S_INIT("wakeup"),
    S_INIT("process_limit"), S_INIT("command"),
};

str master_column_name(enum master_column column)
{
    return column_names[column];
}

str service_type_name(enum service_type type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].type == type)
            return types[i].name;
    must_not_reach();
}

bool service_type_find(str name, enum service_type *type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (str_eq(types[i].name, name)) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static bool only_digits(str s)
{
    return str_span(s, S("0123456789")) == STR_NONE;
}

bool master_column_valid(enum master_column column, str value)
{
    enum service_type type;

    if (value.n == 0)
        return false;
    switch (column) {
    case COLUMN_TYPE:
        return service_type_find(value, &type);
    case COLUMN_PRIVATE:
    case COLUMN_UNPRIVILEGED:
    case COLUMN_CHROOT:
        return value.n == 1 && str_chr(S("yn-"), value.p[0]) != STR_NONE;
    case COLUMN_WAKEUP:
        if (str_ends(value, S("?")))
            value.n--;
        return str_eq(value, S("-")) || only_digits(value);
    case COLUMN_LIMIT:
        return str_eq(value, S("-")) || only_digits(value);
    default:
        return true;
    }
}

static void doubt(struct arena *a, struct conf_findings *findings, str file,
                  int line, str text)
{
    vec_push(a, &findings->list,
             ((struct conf_finding){ .file = file, .line = line,
                                     .text = text }));
}

/* The text of {text}; a missing or misplaced brace is doubted and passed
 * over. */
static str unbraced(struct arena *a, str word, str file, int line,
                    struct conf_findings *findings)
{
    size_t depth = 0, end = 0;

    for (; end < word.n; end++) {
        if (word.p[end] == '{')
            depth++;
        else if (word.p[end] == '}' && --depth == 0)
            break;
    }
    if (end == word.n)
        doubt(a, findings, file, line,
              arena_fmt(a, "missing '}' in \"%.*s\"", STR(word)));
    else if (end + 1 < word.n)
        doubt(a, findings, file, line,
              arena_fmt(a, "syntax error after '}' in \"%.*s\"", STR(word)));
    return str_trim(str_skip(str_head(word, end), 1));
}

/* "{ name = value }" behind -o: written together. */
static str joined_option(struct arena *a, str text, str file, int line,
                         struct conf_findings *findings)
{
    str name, value, complaint;

    if (line_name_value(text, &name, &value, &complaint))
        return arena_fmt(a, "%.*s=%.*s", STR(name), STR(value));
    doubt(a, findings, file, line,
          arena_fmt(a, "%.*s: \"%.*s\"", STR(complaint), STR(text)));
    return text;
}

struct arguments {
    vec_of(str) argv;
    size_t n_options;
    bool options_over;   /* an argument that is no option was seen */
    bool value_next;     /* the next argument is -o's */
};

/* -vo name=value and -oname=value: the o and what follows it come apart.
 * False for what is not an option with an o in it. */
static bool split_option(struct arena *a, struct arguments *args, str word,
                         str *value)
{
    size_t o = str_chr(word, 'o');

    if (word.n < 2 || word.p[0] != '-' || o == STR_NONE)
        return false;
    if (o > 1)
        vec_push(a, &args->argv, str_head(word, o));
    vec_push(a, &args->argv, S("-o"));
    *value = str_skip(word, o + 1);
    return true;
}

static void add_argument(struct arena *a, struct arguments *args, str word,
                         str file, int line, struct conf_findings *findings)
{
    bool braced = word.n > 0 && word.p[0] == '{';
    str value;

    if (!args->options_over && !args->value_next && !braced
        && split_option(a, args, word, &value)) {
        args->value_next = true;
        if (value.n == 0)
            return;
        word = value;
        braced = word.p[0] == '{';
    }
    if (braced)
        word = unbraced(a, word, file, line, findings);
    if (braced && args->value_next)
        word = joined_option(a, word, file, line, findings);
    if (!args->value_next && !args->options_over
        && (word.n < 2 || word.p[0] != '-' || str_eq(word, S("--")))) {
        args->options_over = true;
        args->n_options = args->argv.n;
    } else if (!args->value_next && str_eq(word, S("-o"))
               && !args->options_over) {
        args->value_next = true;
        vec_push(a, &args->argv, word);
        return;
    }
    args->value_next = false;
    vec_push(a, &args->argv, word);
}

static int bounded_int(str digits)
{
    uint64_t n;

    return str_uint(digits, INT32_MAX, &n) ? (int)n : INT32_MAX;
}

/* The columns' meanings; a limit of -1 stands for the default. */
static void interpret(struct service *s)
{
    str wakeup = s->raw[COLUMN_WAKEUP], limit = s->raw[COLUMN_LIMIT];

    s->name = s->raw[COLUMN_SERVICE];
    service_type_find(s->raw[COLUMN_TYPE], &s->type);
    s->private_ = str_eq(s->raw[COLUMN_PRIVATE], S("y"))
                  || (str_eq(s->raw[COLUMN_PRIVATE], S("-"))
                      && s->type != SERVICE_INET);
    s->unpriv = !str_eq(s->raw[COLUMN_UNPRIVILEGED], S("n"));
    s->chroot = str_eq(s->raw[COLUMN_CHROOT], S("y"));
    if (str_ends(wakeup, S("?"))) {
        s->wakeup_if_used = true;
        wakeup.n--;
    }
    s->wakeup_s = wakeup.n == 0 || str_eq(wakeup, S("-"))
                  ? 0 : bounded_int(wakeup);
    s->limit = str_eq(limit, S("-")) ? -1 : bounded_int(limit);
}

bool service_option_next(const struct service *s, size_t *at, str *name,
                         str *value)
{
    str complaint;

    for (size_t i = *at ? *at + 1 : 0; i + 1 < s->n_options; i++) {
        if (!str_eq(s->argv[i], S("-o")))
            continue;
        i++;
        if (!line_name_value(s->argv[i], name, value, &complaint))
            continue;
        *at = i;
        return true;
    }
    return false;
}

static void collect_overrides(struct arena *a, struct service *s)
{
    vec_of(str) overrides = { 0 };
    str name, value;

    for (size_t at = 0; service_option_next(s, &at, &name, &value);)
        vec_push(a, &overrides,
                 arena_fmt(a, "%.*s=%.*s", STR(name), STR(value)));
    s->overrides = overrides.p;
    s->n_overrides = overrides.n;
}

bool master_cf_line(struct arena *a, str file, int line, str text,
                    struct service *out, struct conf_findings *findings,
                    str *complaint)
{
    struct arguments args = { .n_options = 0 };
    str rest = text, word;
    size_t n = 0;

    *out = (struct service){ .line = line };
    for (; n < N_COLUMNS && value_token(&rest, CONF_SPACES, &word); n++) {
        if (n == COLUMN_COMMAND)
            out->command = word;
        else
            out->raw[n] = word;
        if (!master_column_valid((enum master_column)n, word)) {
            *complaint = arena_fmt(a, "invalid %.*s field \"%.*s\" in "
                                   "\"%.*s\"", STR(column_names[n]),
                                   STR(word), STR(text));
            return false;
        }
    }
    if (n < N_COLUMNS) {
        *complaint = S("bad field count");
        return false;
    }
    while (value_token(&rest, CONF_SPACES, &word))
        add_argument(a, &args, word, file, line, findings);
    out->argv = args.argv.p;
    out->n_argv = args.argv.n;
    out->n_options = args.options_over ? args.n_options : args.argv.n;
    interpret(out);
    collect_overrides(a, out);
    return true;
}

void master_cf_parse(struct arena *a, str file, str text,
                     struct service_list *services,
                     struct conf_findings *findings)
{
    struct conf_lines lines = conf_lines_of(text);
    struct conf_line line;
    struct service service;
    str complaint;

    while (conf_lines_next(&lines, a, &line)) {
        if (line.stray) {
            doubt(a, findings, file, line.line,
                  arena_fmt(a, "logical line must not start with whitespace: "
                            "\"%.*s\"", STR(str_head(line.text, 30))));
            continue;
        }
        if (master_cf_line(a, file, line.line, line.text, &service, findings,
                           &complaint))
            vec_push(a, &services->list, service);
        else
            vec_push(a, &findings->list,
                     ((struct conf_finding){ .fatal = true, .file = file,
                                             .line = line.line,
                                             .text = complaint }));
    }
}
