/* SPDX-License-Identifier: ISC
 *
 * Between the files of role/examine.
 */
#ifndef ROLE_EXAMINING_H
#define ROLE_EXAMINING_H

#include "conf/conf.h"

struct examining {
    struct arena *a;
    struct task *t;
    const struct conf *c;       /* main.cf and master.cf */
    struct conf_findings *findings;
    str main_file, master_file;
    const struct service *service; /* whose options are looked at, or NULL */
};

/* Says something about p as c has it: where main.cf sets it, or at the
 * service whose options made it so. */
void examining_found(struct examining *x, bool fatal, const struct conf *c,
                     enum param p, str text);

/* Whether p is to be looked at here: of a service only what its options
 * changed. */
bool examining_new(const struct examining *x, const struct conf *c,
                   enum param p);

/* The same about a line of master.cf. */
void examining_found_service(struct examining *x, const struct service *s,
                             str text);

/* examine_host.c: what c names that the machine must have, such as hosts,
 * users and files. */
void examine_host(struct examining *x, const struct conf *c);
/* And where a service listens. */
void examine_address(struct examining *x, const struct service *s);

/* examine_table.c: the tables that c names, and what it says of domains and
 * networks. */
void examine_tables(struct examining *x, const struct conf *c);

#endif
