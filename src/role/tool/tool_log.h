/* SPDX-License-Identifier: ISC
 *
 * The system's log, for commands.
 */
#ifndef ROLE_TOOL_TOOL_LOG_H
#define ROLE_TOOL_TOOL_LOG_H

#include "conf/conf.h"
#include "rt/rt.h"

/* Opens the log as the configuration says (maillog_file, else syslog) for
 * lines of "$syslog_name/NAME".  Where it cannot be opened nothing is
 * logged. */
void tool_log_open(struct task *t, const struct conf *c, struct arena *a,
                   str name);

/* The same for a command that master started: fd is the log file as master
 * has it open, which the command itself may not be allowed to do. */
void tool_log_adopt(struct task *t, const struct conf *c, struct arena *a,
                    str name, int fd);

/* The same with a whole tag. */
void tool_log_open_tag(struct task *t, const struct conf *c, struct arena *a,
                       str tag);

#endif
