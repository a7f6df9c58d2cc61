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

struct tool_args {
    int argc;
    char **argv;         /* argv[0] is the command's name */
    const char *config_dir; /* MAIL_CONFIG, or NULL: /etc/postfix */
};

/* Returns the exit status.  Output goes to stdout, messages to stderr as
 * "postmap: fatal: text". */
typedef int tool_fn(struct task *t, const struct tool_args *args);

#define TOOL(name) tool_fn tool_##name;
#include "role/tool/tools.def"
#undef TOOL

/* Loads main.cf and master.cf of dir (NULL: args->config_dir or the default)
 * with the machine's facts; says findings on stderr; exits by returning an
 * error when fatal. */
err tool_conf(struct task *t, struct arena *a, const struct tool_args *args,
              const char *dir, struct conf **out);

/* "postmap: fatal: ..." / "postmap: warning: ..." on stderr. */
void tool_fatal(const struct tool_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void tool_warn(const struct tool_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
