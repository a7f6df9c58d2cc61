/* SPDX-License-Identifier: ISC
 *
 * The list of types, opening a table from what it is made of, and asking.
 */
#include "table/kind.h"

static const struct table_kind kinds[] = {
#define TYPE(name, need, traits, suffix)                                      \
    { #name, need, traits, suffix, table_open_##name },
#include "table/types.def"
#undef TYPE
    { "file", NEED_TEXT, 0, "", table_open_file },
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *const *table_types(void)
{
    static const char *const names[] = {
#define TYPE(name, need, traits, suffix) #name,
#include "table/types.def"
#undef TYPE
        NULL
    };

    return names;
}

const struct table_kind *table_kind_find(str type)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (str_eq(type, str_from(kinds[i].name)))
            return &kinds[i];
    return NULL;
}

err table_spec_split(struct task *t, str spec, str *type, str *name)
{
    size_t colon = str_chr(spec, ':');

    if (colon == STR_NONE || colon == 0 || colon + 1 == spec.n)
        return why(t, ERR_SYNTAX, "open dictionary: expecting \"type:name\" "
                   "form instead of \"%.*s\"", STR(spec));
    *type = str_head(spec, colon);
    *name = str_skip(spec, colon + 1);
    return OK;
}

/* Whether the name of a rule table holds its rules: "{ {rule}, ... }". */
static bool holds_rules(const struct table_kind *kind, str name)
{
    return kind->need == NEED_TEXT && (kind->traits & TABLE_PATTERN)
        && name.p[0] == '{';
}

static err kind_of(struct task *t, str spec, const struct table_kind **kind,
                   str *type, str *name)
{
    TRY(table_spec_split(t, spec, type, name));
    *kind = table_kind_find(*type);
    if (!*kind)
        return why(t, ERR_DENIED, "unsupported dictionary type: %.*s",
                   STR(*type));
    return OK;
}

err table_need_of(struct task *t, str spec, struct arena *a,
                  enum table_need *need, str *path)
{
    const struct table_kind *kind;
    str type, name;

    TRY(kind_of(t, spec, &kind, &type, &name));
    *need = holds_rules(kind, name) ? NEED_NOTHING : kind->need;
    *path = (str){ 0 };
    if (*need == NEED_FILE || *need == NEED_TEXT)
        *path = arena_cat(a, name, str_from(kind->suffix));
    return OK;
}

bool table_wants_utf8(const struct table_env *env, int flags)
{
    return !(flags & TABLE_ANY_BYTES)
        && (!env->conf || conf_bool(env->conf, P_smtputf8_enable));
}

err table_make(struct task *t, struct arena *a, const struct table_env *env,
               str spec, int flags, struct table **out)
{
    const struct table_kind *kind;
    struct table *tb;
    str type, name;

    spec = arena_str(a, spec);
    TRY(kind_of(t, spec, &kind, &type, &name));
    tb = arena_new(a, struct table);
    *tb = (struct table){
        .magic = TABLE_MAGIC, .kind = kind, .arena = a, .env = env,
        .spec = spec, .type = type, .name = name, .flags = flags,
        .traits = kind->traits,
        .folds = (kind->traits & TABLE_FOLDED)
              && !(flags & TABLE_EXACT_CASE),
        .label = table_printable(a, kind->need != NEED_FILE ? spec
                                 : arena_cat(a, spec,
                                             str_from(kind->suffix))),
        .utf8 = table_wants_utf8(env, flags),
    };
    *out = tb;
    return OK;
}

err table_open_data(struct task *t, struct arena *a,
                    const struct table_env *env, str spec, int flags,
                    const struct table_data *data, struct table **out)
{
    struct table *tb = NULL;
    err e;

    e = table_make(t, a, env, spec, flags, &tb);
    if (e) {
        file_close(data ? data->file : NULL);
        return e;
    }
    must(tb->kind->need != NEED_FILE || data);
    TRY(tb->kind->open(t, tb, data)); /* takes data->file over */
    must(tb->ops);
    *out = tb;
    return OK;
}

void table_warn(struct task *t, const struct table_env *env, str text)
{
    if (env->warn)
        env->warn(env->warn_self, text);
    else
        say(t, table_warning, STR(text));
}

err table_failed(struct task *t, const struct table *tb, err e,
                 const char *reason)
{
    if (e == ERR_STOPPED)
        return e;
    return why(t, e, "table %.*s: query error: %s", STR(tb->label), reason);
}

str table_spec(const struct table *tb)
{
    return tb->spec;
}

str table_label(const struct table *tb)
{
    return tb->label;
}

int table_traits(const struct table *tb)
{
    return tb->traits;
}

static err check_value(struct task *t, struct table *tb, str key, str value,
                       struct arena *a)
{
    if (value.n > TABLE_VALUE_MAX)
        return table_failed(t, tb, ERR_LIMIT, "the result is too large");
    if (!tb->utf8 || utf8_valid(value))
        return OK;
    table_warn(t, tb->env,
               arena_fmt(a, "%.*s: key \"%.*s\": non-UTF-8 value \"%.*s\": "
                         "malformed UTF-8 or invalid codepoint",
                         STR(table_printable(a, tb->spec)),
                         STR(table_printable(a, key)),
                         STR(table_printable(a, value))));
    return why(t, ERR_SYNTAX, "table %.*s: query error", STR(tb->label));
}

err table_find(struct task *t, struct table *tb, str key, struct arena *a,
               str *value)
{
    must(tb->magic == TABLE_MAGIC);
    if (key.n > TABLE_KEY_MAX)
        return ERR_ABSENT;
    if (tb->utf8 && !utf8_valid(key)) {
        table_warn(t, tb->env,
                   arena_fmt(a, "%.*s: non-UTF-8 key \"%.*s\": malformed "
                             "UTF-8 or invalid codepoint", STR(tb->spec),
                             STR(table_printable(a, key))));
        return ERR_ABSENT;
    }
    if (tb->folds)
        key = table_fold(a, key, tb->utf8);
    TRY(tb->ops->find(t, tb, key, a, value));
    return check_value(t, tb, key, *value, a);
}

err table_walk(struct task *t, struct table *tb, uint64_t *cursor,
               struct arena *a, str *key, str *value)
{
    must(tb->magic == TABLE_MAGIC);
    if (!tb->ops->walk)
        return why(t, ERR_DENIED, "table %.*s: sequence operation is not "
                   "supported", STR(tb->label));
    return tb->ops->walk(t, tb, cursor, a, key, value);
}

err table_open_inner(struct task *t, struct table *tb, str spec,
                     struct table **out)
{
    struct table_opener o = tb->env->opener;

    if (tb->n_inner >= TABLE_INNER_MAX)
        return why(t, ERR_LIMIT, "too many tables in \"%.*s\"",
                   STR(tb->spec));
    if (!tb->inner)
        tb->inner = arena_array(tb->arena, struct table *, TABLE_INNER_MAX);
    TRY(o.open(t, o.self, tb->arena, tb->env, spec, tb->flags, out));
    tb->inner[tb->n_inner++] = *out;
    return OK;
}
