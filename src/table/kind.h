/* SPDX-License-Identifier: ISC
 *
 * Inside table/: what a type of table is, and what opened ones hold.
 */
#ifndef TABLE_KIND_H
#define TABLE_KIND_H

#include "table/events.h"
#include "table/table.h"

/* Bounds of what a table may be made of and may answer. */
enum {
    TABLE_TEXT_MAX = 256 << 20,  /* a text type's source */
    TABLE_VALUE_MAX = 1 << 20,   /* an answer */
    TABLE_KEY_MAX = 64 << 10,    /* a question */
    TABLE_DEPTH_MAX = 8,         /* tables inside tables */
    TABLE_INNER_MAX = 100,       /* tables in one pipemap or unionmap */
};

struct table_kind {
    const char *name;
    enum table_need need;
    int traits;
    const char *suffix;  /* of its file */
    /* Fills in ops and state from data (nothing in it for NEED_NOTHING).
     * tb->arena lives as long as the table. */
    err (*open)(struct task *t, struct table *tb,
                const struct table_data *data);
};

/* What an opened table can do.  walk NULL: it has no sequence. */
struct table_ops {
    err (*find)(struct task *t, struct table *tb, str key, struct arena *a,
                str *value);
    err (*walk)(struct task *t, struct table *tb, uint64_t *cursor,
                struct arena *a, str *key, str *value);
};

enum { TABLE_MAGIC = 0x7461626c };

struct table {
    uint32_t magic;
    const struct table_kind *kind;
    const struct table_ops *ops;
    struct arena *arena;
    const struct table_env *env;
    str spec, type, name;   /* "hash:/x", "hash", "/x" */
    str label;              /* "hash:/x.db" */
    int flags, traits;
    bool folds;             /* keys are folded before they are asked */
    bool utf8;              /* keys and values must be UTF-8 */
    void *state;            /* of its kind */

    /* Where it came from, when it was opened by path: for noticing change. */
    str path;
    struct file_stat stat;
    bool live;              /* sees writes to its file by itself */
    struct table **inner;
    size_t n_inner;

    /* The same for what was handed over; NULL: see path. */
    bool (*changed)(struct task *t, void *origin);
    void *origin;
};

/* All types, by name; NULL if there is none. */
const struct table_kind *table_kind_find(str type);

#define TYPE(name, need, traits, suffix)                                      \
    err table_open_##name(struct task *t, struct table *tb,                   \
                          const struct table_data *data);
#include "table/types.def"
#undef TYPE
err table_open_file(struct task *t, struct table *tb,
                    const struct table_data *data);

/* A table of this spec with nothing opened yet; ops are the kind's to set.
 * Fails as table_need_of(). */
err table_make(struct task *t, struct arena *a, const struct table_env *env,
               str spec, int flags, struct table **out);

/* Splits "type:name".  ERR_SYNTAX with why(). */
err table_spec_split(struct task *t, str spec, str *type, str *name);

/* Complains about a table's text: "warning: ...". */
void table_warn(struct task *t, const struct table_env *env, str text);

/* A failed look-up: why() as "table TYPE:NAME: query error: REASON". */
err table_failed(struct task *t, const struct table *tb, err e,
                 const char *reason);

/* Opens a table that is named inside another one's name. */
err table_open_inner(struct task *t, struct table *tb, str spec,
                     struct table **out);

/* Opens the table from the open file at data->path, which is taken over, as
 * its text or as it is, as the type needs. */
err table_open_handle(struct task *t, struct arena *a,
                      const struct table_env *env, str spec, int flags,
                      struct file *f, struct table_data *data,
                      struct table **out);

/* Key folding: full Unicode case folding for UTF-8, else ASCII. */
str table_fold(struct arena *a, str key, bool utf8);

/* "open PATH: ..." becomes "open database PATH: ...", as the tools say it of
 * tables with keys. */
err table_database_why(struct task *t, struct arena *a, err e);

/* Complains when the file that the table was made from is newer. */
void table_warn_if_older(struct task *t, const struct table *tb);

/* Without the one NUL that some writers end keys and values with. */
static inline str table_bare(str s)
{
    if (s.n && s.p[s.n - 1] == 0)
        s.n--;
    return s;
}

/* Finds changes: whether a file that this table, or one inside it, was opened
 * from is another one by now. */
bool table_changed(struct task *t, const struct table *tb);

#endif
