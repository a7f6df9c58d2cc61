/* SPDX-License-Identifier: ISC
 *
 * A table of queue age against domains (qshape(1)).  Pure.
 */
#ifndef ROLE_TOOL_QSHAPE_TABLE_H
#define ROLE_TOOL_QSHAPE_TABLE_H

#include "base/base.h"

enum { QSHAPE_BUCKETS_MAX = 64 };

struct qshape_options {
    uint32_t n_buckets;     /* -b */
    uint32_t minutes;       /* -t: the first bucket */
    bool linear;            /* -l */
    bool parents;           /* -p */
    uint32_t subdomains_min; /* -m */
    uint32_t width;         /* -w */
};

struct qshape {
    struct qshape_options o;
    struct arena *a;
    struct map domains;     /* name -> struct qshape_row; ended by its owner */
    struct qshape_row *total;
};

void qshape_init(struct qshape *q, const struct qshape_options *o,
                 struct arena *a);
void qshape_free(struct qshape *q);

/* Counts n recipients (or messages) of a domain; an empty name is
 * MAILER-DAEMON's. */
void qshape_add(struct qshape *q, str domain, int64_t age_s);

/* Appends the table. */
void qshape_put(const struct qshape *q, struct buf *to);

#endif
