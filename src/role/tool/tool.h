/* SPDX-License-Identifier: ISC
 *
 * Commands.  Each classic name (postconf, postmap, sendmail ...) is a
 * function here; the multi-call binary picks by argv[0], or by its first
 * argument when called as veredus.  A command has what its caller has.
 */
#ifndef ROLE_TOOL_TOOL_H
#define ROLE_TOOL_TOOL_H

#include "conf/conf.h"
#include "rt/rt.h"

#define TOOL_CONFIG_DIR S("/etc/postfix")
#define TOOL_FILE_MAX ((size_t)16 << 20)

struct tool_args {
    int argc;
    char **argv;         /* argv[0] is the command's name */
    const char *config_dir; /* MAIL_CONFIG, or NULL: /etc/postfix */
    const char *full_name;  /* NAME, or NULL (sendmail) */
};

/* Returns the exit status.  Output goes to stdout, messages to stderr as
 * "postmap: fatal: text". */
typedef int tool_fn(struct task *t, const struct tool_args *args);

#define TOOL(name, ...) tool_fn tool_##name;
#define OWN TOOL
#include "role/tool/tools.def"
#undef OWN
#undef TOOL

/* Loads main.cf and master.cf of dir (NULL: args->config_dir or the default)
 * with the machine's facts; says findings on stderr, except doubts about
 * names, which are postconf's and postfix check's to say, and what is wrong
 * with values: a command ends, with a line, when it asks for one of those.
 * On failure it has said why; the command ends with status 1. */
err tool_conf(struct task *t, struct arena *a, const struct tool_args *args,
              const char *dir, struct conf **out);

/* The same without a word: *out is NULL if there is nothing to look at, and
 * what can be read of it if ERR_SYNTAX is returned. */
err tool_conf_find(struct task *t, struct arena *a,
                   const struct tool_args *args, const char *dir,
                   struct conf_findings *findings, struct conf **out);

/* The configuration directory: dir, else args->config_dir, else the
 * default. */
str tool_config_dir(const struct tool_args *args, const char *dir);

/* "postmap: fatal: ..." / "postmap: warning: ..." on stderr. */
void tool_fatal(const struct tool_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void tool_warn(const struct tool_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "postmap: fatal: usage: ..." with the synopsis in tools.def of the command
 * that is called, or whose path is, shown; gives status back. */
int tool_usage(const struct tool_args *args, const char *shown, int status);

/* The synopsis of a command, with a path before its name or without. */
const char *tool_synopsis(str name);

/* The answer to --help, on stdout; false: the command has its own. */
bool tool_help(str name);

/* Whether --help is asked for before anything else but -c DIR. */
bool tool_help_asked(const struct tool_args *args);

/* What the system would say to an open that failed so. */
const char *tool_reason(err e);

/* The last part of argv[0]. */
str tool_name(const struct tool_args *args);

/* Options, as getopt(3) takes them but without its statics: letters are the
 * known ones, each followed by ':' if it wants a value.  Options end at the
 * first argument that is none, or behind "--". */
struct tool_options {
    const struct tool_args *args;
    const char *letters;
    int at;              /* the argument to look at next */
    size_t in;           /* place in it, 0: at its start */
    const char *value;   /* of the option just taken, or NULL */
};
struct tool_options tool_options_of(const struct tool_args *args,
                                    const char *letters);

/* The next letter; 0 at the end; '?' after saying on stderr what is wrong.
 * When it gave 0, the operands are argv[at] and on. */
int tool_option(struct tool_options *o);

/* The path of this program. */
const char *tool_self(struct arena *a);

#endif
