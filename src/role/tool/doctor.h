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
};

/* One finding, one line.  FINE says what was looked at and is good. */
enum doctor_level { FINE, DOUBT, PROBLEM };
void doctor_say(struct doctor *d, enum doctor_level level, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));

/* The ports of master.cf: who answers, or whether they can be had. */
void doctor_ports(struct task *t, struct doctor *d);

/* Certificates, files and their modes. */
void doctor_files(struct task *t, struct doctor *d);

#endif
