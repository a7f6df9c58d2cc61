/* SPDX-License-Identifier: ISC
 *
 * An edition: one configuration and all that was opened for it.  Whoever
 * works by it holds it; the last to leave it takes everything back, so that
 * an old configuration lives exactly as long as a session or a delivery that
 * began under it.
 *
 * A configuration comes into force in two steps.  Master hands it to every
 * role, which opens what it needs and says whether it can (CONTROL_READY,
 * CONTROL_REFUSED).  Only when all can, all are told to take it; else it is
 * dropped by all of them, and what was in force goes on.
 *
 * I1  At most one edition is in force in a role and at most one is coming.
 * I2  Numbers grow: of two editions the newer one has the larger number.
 */
#ifndef ROLE_EDITION_H
#define ROLE_EDITION_H

#include "conf/conf.h"
#include "net/tls.h"

enum { ROLE_PAIRS_MAX = 16 };

/* TLS material of one service, and the like: what master read for it. */
struct role_keys {
    struct link link;
    uint32_t service;       /* index in conf_services() */
    struct tls_pair *pairs;
    size_t n_pairs;
    str ca_pem, dh_pem;
    str files;              /* the names of all these, for messages */
    str fault;              /* why they are not all here, or empty */
    str text;               /* qmgr: of bounce_template_file */
};

struct edition {
    struct arena memory;    /* all of it lies here */
    size_t n_users;
    uint32_t number;
    bool first;             /* what the system was started with: there was
                               nothing better to go on with */
    bool old;               /* a later one is in force */
    struct conf *conf;
    struct link keys;       /* struct role_keys */
    void *self;             /* what the role opened for it */
};

/* A new one has one user, its maker. */
struct edition *edition_new(uint32_t number);
struct edition *edition_hold(struct edition *e);
void edition_leave(struct edition *e);      /* NULL is fine */

/* What master read for a service, or NULL. */
const struct role_keys *edition_keys(const struct edition *e,
                                     uint32_t service);

#endif
