/* SPDX-License-Identifier: ISC
 *
 * postconf(1), the parts it is made of:
 *
 *     postconf.c         options, which fit together, what to do
 *     postconf_main.c    showing main.cf
 *     postconf_master.c  showing master.cf
 *     postconf_edit.c    changing both
 */
#ifndef ROLE_TOOL_POSTCONF_H
#define ROLE_TOOL_POSTCONF_H

#include "conf/layout.h"
#include "conf/names.h"
#include "role/tool/tool.h"

/* A set of option letters. */
struct letters {
    bool has[128];
};

enum postconf_class { CLASS_BUILTIN = 1, CLASS_SERVICE = 2, CLASS_USER = 4,
                      CLASS_ALL = 7 };

struct postconf {
    const struct tool_args *args;
    struct arena arena;
    struct letters options;
    int classes;         /* -C */
    str dir;             /* the configuration directory */
    bool dir_given;      /* by -c or MAIL_CONFIG */
    str main_file, master_file;
    vec_of(str) overrides; /* -o */
    const str *names;    /* operands */
    size_t n_names;
    struct buf out;      /* goes to stdout when all went well */

    /* What was read (postconf_read). */
    struct conf_facts facts;
    struct map *entries;
    struct service_list services;
    struct names *known;
    struct conf_scope scope;
    str networks_complaint; /* why mynetworks' default is not known */
};

static inline bool asked(const struct postconf *p, char letter)
{
    return p->options.has[(unsigned char)letter];
}

/* All of these have said on stderr what went wrong, as "fatal: ...". */

/* Reads both files; with main_too false, defaults and master.cf only. */
err postconf_read(struct task *t, struct postconf *p, bool main_too);

/* Expands as -x does. */
err postconf_expand(struct postconf *p, const struct conf_scope *scope,
                    str text, str *out);

/* "name = value" as -f, -h and -H want it. */
void postconf_setting(struct postconf *p, str name, str value);

/* Says which parameters are asked for and not there, or set and cannot be. */
void postconf_say_undefined(struct postconf *p);

/* Says which are set and mean nothing, in master.cf and perhaps main.cf. */
err postconf_say_unused(struct postconf *p, bool main_too);

err postconf_show_main(struct postconf *p);
err postconf_show_master(struct postconf *p);
err postconf_edit_main(struct task *t, struct postconf *p);
err postconf_edit_master(struct task *t, struct postconf *p);

/* Splits "service/type/field" at slashes into at most 3 parts, the ones that
 * are missing "*"; false when the first is missing or there are more than
 * max.  *n: how many were there. */
bool postconf_parts(str text, size_t max, str parts[3], size_t *n);

#endif
