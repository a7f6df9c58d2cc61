/* SPDX-License-Identifier: ISC
 *
 * Looking a configuration over before it is used: one judgement for `postfix
 * check', for the start and for the reload, so that none of them takes what
 * another one refuses.
 */
#ifndef ROLE_EXAMINE_H
#define ROLE_EXAMINE_H

#include "conf/conf.h"

/* Reads the configuration as conf_load() does, and examines it.  All findings
 * of both are appended, each once; ERR_SYNTAX with why() if one of them is
 * fatal, and *out is then not written.  ERR_ABSENT and ERR_IO with why() when
 * a file cannot be read. */
err examine_load(struct task *t, struct arena *a,
                 const struct conf_load *load, struct conf_findings *findings,
                 struct conf **out);

/* Appends what is to be said of a snapshot that was read, in a: parameters
 * that ask for what is not built, in main.cf and in every service's options;
 * services; tables; restriction lists.  ERR_SYNTAX with why() if a finding of
 * its own is fatal. */
err examine(struct task *t, const struct conf *c, struct arena *a,
            struct conf_findings *findings);

#endif
