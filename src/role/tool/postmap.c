/* SPDX-License-Identifier: ISC
 *
 * postmap(1): options, and what is done for each table.
 */
#include "role/tool/postmap.h"

#include <unistd.h>

static const char postmap_letters[] = "bc:d:fFhimnNopq:rsuUvw";
static const char postalias_letters[] = "Nc:d:finopq:rsuvw";

static bool usage(struct postmap *pm)
{
    (void)tool_usage(pm->args, pm->args->argv[0], 1);
    return false;
}

/* -s, -q and -d exclude each other. */
static bool one_of(struct postmap *pm)
{
    if (!pm->sequence && !pm->query && !pm->delete)
        return true;
    tool_fatal(pm->args, "specify only one of -s -q or -d");
    return false;
}

static bool take_option(struct postmap *pm, int letter, const char *value)
{
    switch (letter) {
    case 'b': pm->bodies = true; break;
    case 'c': pm->config_dir = value; break;
    case 'd':
        if (!one_of(pm))
            return false;
        pm->delete = value;
        break;
    case 'f': pm->flags |= TABLE_EXACT_CASE; break;
    case 'F': pm->flags |= TABLE_FILES; break;
    case 'h': pm->headers = true; break;
    case 'i': pm->incremental = true; break;
    case 'm': pm->mime = true; break;
    case 'n':
        pm->flags = (pm->flags | TABLE_NO_NUL) & ~TABLE_NUL;
        break;
    case 'N':
        pm->flags = (pm->flags | TABLE_NUL) & ~TABLE_NO_NUL;
        break;
    case 'o': pm->keep_root = true; break;
    case 'p': pm->default_mode = true; break;
    case 'q':
        if (!one_of(pm))
            return false;
        pm->query = value;
        break;
    case 'r': pm->replace = true; pm->ignore_dups = false; break;
    case 's':
        if (pm->query || pm->delete) {
            tool_fatal(pm->args, "specify only one of -s or -q or -d");
            return false;
        }
        pm->sequence = true;
        break;
    case 'u': pm->any_utf8 = true; break;
    case 'U': pm->force_utf8 = true; break;
    case 'v': break; /* there is nothing more to say */
    case 'w': pm->ignore_dups = true; pm->replace = false; break;
    default: return usage(pm);
    }
    return true;
}

bool postmap_options(struct postmap *pm)
{
    const char *letters = pm->aliases ? postalias_letters : postmap_letters;
    int letter;

    optind = 0; /* from the start, whatever was parsed before */
    while ((letter = getopt(pm->args->argc, pm->args->argv, letters)) != -1)
        if (!take_option(pm, letter, optarg))
            return false;
    pm->specs = pm->args->argv + optind;
    pm->n_specs = pm->args->argc - optind;

    bool message = pm->headers || pm->bodies || pm->mime;
    bool stdin_keys = pm->query && str_eq(str_from(pm->query), S("-"));
    if (message && !stdin_keys) {
        tool_fatal(pm->args, "specify -b -h or -m only with \"-q -\"");
        return false;
    }
    if (pm->mime && !pm->headers && !pm->bodies) {
        tool_fatal(pm->args, "specify -m only with -b or -h");
        return false;
    }
    if (pm->any_utf8 || (message && !pm->force_utf8))
        pm->flags |= TABLE_ANY_BYTES;
    return true;
}

static void warn(void *self, str text)
{
    struct postmap *pm = self;

    tool_warn(pm->args, "%.*s", STR(text));
}

bool postmap_prepare(struct task *t, struct postmap *pm)
{
    struct conf *c;

    if (tool_conf(t, pm->arena, pm->args, pm->config_dir, &c))
        return false;
    pm->env = (struct table_env){ .conf = c, .opener = table_opener_files(),
                                  .warn = warn, .warn_self = pm };
    return true;
}

str postmap_spec(const struct postmap *pm, const char *argument)
{
    str spec = str_from(argument);

    if (str_chr(spec, ':') != STR_NONE)
        return spec;
    return arena_fmt(pm->arena, "%.*s:%.*s",
                     STR(conf_str(pm->env.conf, P_default_database_type)),
                     STR(spec));
}

void postmap_fatal(struct task *t, const struct postmap *pm)
{
    tool_fatal(pm->args, "%s", task_why(t));
}

bool postmap_stdin_line(struct buf *line)
{
    int c;

    buf_clear(line);
    while ((c = getchar()) != EOF && c != '\n')
        buf_byte(line, (char)c);
    return c != EOF || line->n > 0;
}

str postmap_stdin(struct arena *a, size_t max)
{
    struct buf all;
    int c;

    buf_init(&all, a, max);
    while ((c = getchar()) != EOF)
        buf_byte(&all, (char)c);
    return buf_str(&all);
}

int postmap_main(struct task *t, struct postmap *pm)
{
    if (!postmap_options(pm) || !postmap_prepare(t, pm))
        return 1;
    if (pm->delete || pm->query || pm->sequence) {
        if (pm->n_specs < 1)
            return !usage(pm);
        if (pm->delete)
            return postmap_delete(t, pm);
        if (pm->sequence)
            return postmap_sequence(t, pm);
        return str_eq(str_from(pm->query), S("-"))
             ? postmap_query_stdin(t, pm) : postmap_query(t, pm);
    }
    if (pm->n_specs < 1)
        return !usage(pm);
    for (int i = 0; i < pm->n_specs; i++)
        if (!postmap_build(t, pm, postmap_spec(pm, pm->specs[i])))
            return 1;
    return 0;
}

int tool_postmap(struct task *t, const struct tool_args *args)
{
    struct arena a;
    struct postmap pm = { .args = args, .arena = &a };
    int status;

    arena_init(&a, 0);
    status = postmap_main(t, &pm);
    arena_reset(&a);
    return status;
}
