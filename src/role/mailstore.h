/* SPDX-License-Identifier: ISC
 *
 * What those who deliver and those who read must understand alike: where mail
 * is kept and how much of it.
 */
#ifndef ROLE_MAILSTORE_H
#define ROLE_MAILSTORE_H

#include "conf/conf.h"

/* mailstore_quota, "500M": bytes, or with K, M, G, T behind the number; 0:
 * there is none. */
err mailstore_quota_read(struct task *t, const struct conf *c,
                         uint64_t *out);

/* What is wrong when users of the host would not read where local(8) puts
 * their mail: local as that service sees the configuration, reader as imapd or
 * pop3d does.  Empty: nothing, or they have no such users. */
str mailstore_disagreement(const struct conf *local,
                           const struct conf *reader, struct arena *a);

#endif
