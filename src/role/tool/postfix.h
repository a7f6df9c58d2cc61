/* SPDX-License-Identifier: ISC
 *
 * Inside postfix(1) only.
 */
#ifndef ROLE_TOOL_POSTFIX_H
#define ROLE_TOOL_POSTFIX_H

#include "role/tool/tool.h"

struct postfix {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    const char *dir;        /* the configuration directory */
    const char *command;
    char **operands;
    int n_operands;
    bool debug;
};

/* Says it on standard error and in the log, as postfix-script. */
enum postfix_level { POSTFIX_INFO, POSTFIX_WARN, POSTFIX_FATAL };
void postfix_say(struct task *t, enum postfix_level level, const char *fmt,
                 ...) __attribute__((format(printf, 3, 4)));

/* The commands; exit statuses. */
int postfix_check(struct task *t, struct postfix *p);
int postfix_set_permissions(struct task *t, struct postfix *p);
int postfix_start(struct task *t, struct postfix *p);
int postfix_start_fg(struct task *t, struct postfix *p);
int postfix_stop(struct task *t, struct postfix *p);
int postfix_abort(struct task *t, struct postfix *p);
int postfix_reload(struct task *t, struct postfix *p);
int postfix_flush(struct task *t, struct postfix *p);
int postfix_status(struct task *t, struct postfix *p);
int postfix_logrotate(struct task *t, struct postfix *p);

#endif
