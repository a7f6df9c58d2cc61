/* SPDX-License-Identifier: ISC
 *
 * veredus doctor: what its parts share.
 */
#ifndef ROLE_TOOL_DOCTOR_H
#define ROLE_TOOL_DOCTOR_H

#include "role/tool/admin.h"

struct doctor {
    struct admin *ad;
    struct arena *a;
    struct conf *conf;
    bool runs;          /* the system */
    bool ill;           /* a problem was found */
    vec_of(str) domains; /* that have mailboxes or aliases here */
};

/* One finding, one line.  FINE says what was looked at and is good. */
enum doctor_level { FINE, DOUBT, PROBLEM };
void doctor_say(struct doctor *d, enum doctor_level level, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));

/* path could not be looked at, with why().  Of somebody who is not root that
 * says nothing about the system, if it is rights that are missing. */
void doctor_failed(struct task *t, struct doctor *d, err e, str path);

/* The ports of master.cf: who answers, or whether they can be had. */
void doctor_ports(struct task *t, struct doctor *d);

/* Certificates, files and their modes. */
void doctor_files(struct task *t, struct doctor *d);

/* Who this host says it is, whom it believes, and where it puts mail. */
void doctor_settings(struct task *t, struct doctor *d);

/* The users of auth_sources, their domains and postmasters. */
void doctor_users(struct task *t, struct doctor *d);

/* Aliases that lead back to themselves, in the directory and in texts. */
void doctor_aliases(struct task *t, struct doctor *d);
/* Whether the texts of alias_maps and alias_database have this name. */
bool doctor_has_alias(struct task *t, struct doctor *d, str name);

/* What DNS says of this host and of its domains. */
void doctor_dns(struct task *t, struct doctor *d);

#endif
