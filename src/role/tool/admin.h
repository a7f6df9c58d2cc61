/* SPDX-License-Identifier: ISC
 *
 * What veredus' own commands share: words on the command line, help, the
 * directory of the configuration, tables and JSON as output.
 *
 * The exit status is 0; 1 for what was refused or failed, after a sentence on
 * stderr; 2 for a command line that cannot be understood.
 */
#ifndef ROLE_TOOL_ADMIN_H
#define ROLE_TOOL_ADMIN_H

#include "auth/directory.h"
#include "role/tool/tool.h"

enum admin_option {
#define ADMIN_OPTION(id, name, letter, value, help) ADMIN_##id,
#include "role/tool/admin_options.def"
#undef ADMIN_OPTION
    N_ADMIN_OPTIONS
};
#define ADMIN_BIT(id) (1u << ADMIN_##id)

struct admin;

/* What can be said behind the command's name.  fn says why() on failure. */
struct admin_verb {
    const char *name;       /* "add"; NULL: the command is this one verb */
    const char *operands;   /* "ADDRESS TARGET...", for help */
    const char *help;
    unsigned options;       /* ADMIN_BIT()s besides --config and --help */
    size_t least, most;     /* operands */
    err (*fn)(struct task *t, struct admin *ad);
};

struct admin_command {
    const char *help;
    const struct admin_verb *verbs;
    size_t n_verbs;
};

struct admin {
    const struct tool_args *args;   /* argv[0] is "veredus user" */
    const struct admin_verb *verb;
    struct arena memory;
    bool given[N_ADMIN_OPTIONS];
    const char *value[N_ADMIN_OPTIONS];
    vec_of(str) operands;
    bool said;              /* what failed was said on stderr already */
    struct conf *conf;      /* these two after admin_open */
    struct directory *directory;
};

/* Reads the command line and does what it says; the exit status. */
int admin_main(struct task *t, const struct tool_args *args,
              const struct admin_command *command);

static inline const char *admin_value(const struct admin *ad,
                                      enum admin_option o)
{
    return ad->value[o];
}

/* Loads the configuration and opens the directory that its auth_sources
 * names. */
err admin_open(struct task *t, struct admin *ad, bool write);
/* The latter alone, with the configuration that is in ad->conf. */
err admin_open_directory(struct task *t, struct admin *ad, bool write);

/* " -c DIR" where commands need it to find this configuration, or "". */
str admin_config_words(const struct admin *ad, struct arena *a);

/* The sentence to add to an error about a domain that is not there. */
err admin_domain_known(struct task *t, struct admin *ad, str domain,
                       str *class);

/* The domain of an address, or the whole of it. */
str admin_domain_of(str address);

/* A new password: from the terminal, twice, without echo; from standard
 * input; or made and printed.  Weak ones are refused. */
err admin_password(struct task *t, struct admin *ad, str address,
                   str *stored);

/* Whether a password is good enough for this address; why() if not.  Pure
 * but for that. */
err admin_password_judge(struct task *t, str address, str password);

/* "500M", "2G", "none": bytes, 0 for none; and back, exactly. */
bool admin_size_parse(str text, uint64_t *bytes);
str admin_size_text(uint64_t bytes, struct arena *a);

/* Rows of cells, shown as a table or as JSON. */
enum { ADMIN_COLUMNS_MAX = 8 };
struct admin_cell {
    str text;
    str json;       /* as JSON, if text in quotes would not be right */
};
struct admin_row {
    struct admin_cell cell[ADMIN_COLUMNS_MAX];
};
struct admin_table {
    const char *const *heads;   /* in lower case: JSON's names as well */
    size_t n_columns;
    vec_of(struct admin_row) rows;
};
void admin_table_put(const struct admin_table *table, bool json,
                     struct buf *to);
/* One row, a line a column. */
void admin_row_put(const struct admin_table *table, const struct admin_row *r,
                   struct buf *to);
struct admin_cell admin_cell_bool(bool x);
struct admin_cell admin_cell_size(uint64_t bytes, struct arena *a);

/* Prints and empties a buffer. */
void admin_print(struct buf *b);

#endif
