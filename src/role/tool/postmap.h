/* SPDX-License-Identifier: ISC
 *
 * What postmap, postalias and newaliases have in common.
 */
#ifndef ROLE_TOOL_POSTMAP_H
#define ROLE_TOOL_POSTMAP_H

#include "role/tool/tool.h"
#include "table/lines.h"
#include "table/table.h"

/* A command that makes and asks tables.  The options are postmap(1)'s. */
struct postmap {
    const struct tool_args *args;
    bool aliases;         /* the format of aliases(5), "key:" in the output */
    struct arena *arena;
    struct table_env env;

    const char *config_dir, *query, *delete;
    bool incremental, sequence, replace, ignore_dups, default_mode,
         keep_root, headers, bodies, mime, any_utf8, force_utf8;
    int flags;            /* of tables */
    char *const *specs;
    int n_specs;
};

/* Reads the options.  False after a fatal message. */
bool postmap_options(struct postmap *pm);

/* Loads the configuration and prepares env. */
bool postmap_prepare(struct task *t, struct postmap *pm);

/* "type:name" of an argument. */
str postmap_spec(const struct postmap *pm, const char *argument);

/* Makes or (incremental) updates one table.  False after a fatal message. */
bool postmap_build(struct task *t, struct postmap *pm, str spec);

/* The others' exit statuses. */
int postmap_query(struct task *t, struct postmap *pm);
int postmap_query_stdin(struct task *t, struct postmap *pm);
int postmap_delete(struct task *t, struct postmap *pm);
int postmap_sequence(struct task *t, struct postmap *pm);

/* Runs a command to its end. */
int postmap_main(struct task *t, struct postmap *pm);

/* "fatal: " and the reason of the last error. */
void postmap_fatal(struct task *t, const struct postmap *pm);

/* The next line of standard input without its newline, in *line until the
 * next call; false at the end. */
bool postmap_stdin_line(struct buf *line);

/* All of it, up to max. */
str postmap_stdin(struct arena *a, size_t max);

/* Asks all tables; prints the first answer.  OK, ERR_ABSENT or the error that
 * was said. */
err postmap_ask(struct task *t, struct postmap *pm, struct table **tables,
                str key);

/* Cuts a message into keys for header_checks(5) and body_checks(5), as -h, -b
 * and -m say.  Pure. */
struct postmap_keys { str *p; size_t n; };
void postmap_message(struct arena *a, str message, bool headers, bool bodies,
                     bool mime, struct postmap_keys *out);

/* Splits a logical line of aliases(5).  NULL, or what is wrong with it.  The
 * name is unquoted, the value in its normal form.  Pure. */
const char *postalias_line(struct arena *a, str line, str *name, str *value);

#endif
