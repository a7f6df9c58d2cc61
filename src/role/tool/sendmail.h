/* SPDX-License-Identifier: ISC
 *
 * Inside sendmail(1) only: what its options say.
 */
#ifndef ROLE_TOOL_SENDMAIL_H
#define ROLE_TOOL_SENDMAIL_H

#include "mail/envelope.h"
#include "role/tool/mail_text.h"
#include "role/tool/tool.h"

enum sendmail_mode { SENDMAIL_MAIL, SENDMAIL_LIST, SENDMAIL_FLUSH,
                     SENDMAIL_DAEMON, SENDMAIL_ALIASES, SENDMAIL_SERVER,
                     SENDMAIL_NOTHING };

struct sendmail {
    const struct tool_args *args;
    struct arena arena;
    struct conf *conf;
    enum sendmail_mode mode;
    const char *config_dir;     /* -C */
    const char *sender;         /* -f, -r */
    const char *full_name;      /* -F */
    const char *alias_database; /* -oA */
    char flush;                 /* 'f', 'i' or 's' */
    const char *flush_what;
    const char *envid;
    int notify;
    enum dsn_ret ret;
    enum mail_body body;
    bool gateway, report;
    struct mail_text_options text;
    int rest;                   /* the first recipient in argv */
};

/* Reads the options.  False after saying what is wrong; *status then. */
bool sendmail_options(struct sendmail *sm, int *status);

/* Reads standard input and sees that it is queued; the exit status. */
int sendmail_enqueue(struct task *t, struct sendmail *sm);

/* Makes the tables of alias_database; the exit status. */
int sendmail_aliases(struct task *t, const struct tool_args *args);

/* Standard input and output to the server (-bs); the exit status. */
int sendmail_serve(struct task *t, struct sendmail *sm);

#endif
