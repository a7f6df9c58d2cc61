/* SPDX-License-Identifier: ISC
 *
 * What a FETCH wants, as a plan: parsed once, run for each row.
 */
#ifndef IMAP_PLAN_H
#define IMAP_PLAN_H

#include "imap/args.h"

enum item_kind {
    ITEM_UID, ITEM_FLAGS, ITEM_DATE, ITEM_SIZE, ITEM_MODSEQ, ITEM_ENVELOPE,
    ITEM_BODY_SHAPE, ITEM_BODYSTRUCTURE, ITEM_SECTION, ITEM_BINARY,
    ITEM_BINARY_SIZE, ITEM_EMAILID, ITEM_THREADID,
};

enum section_kind {
    SECTION_ALL,            /* BODY[], BODY[1.2] */
    SECTION_HEADER, SECTION_TEXT, SECTION_MIME,
    SECTION_FIELDS, SECTION_FIELDS_NOT,
};

enum { SECTION_DEPTH_MAX = 100, FIELDS_MAX = 1000 };

struct plan_item {
    enum item_kind kind;
    enum section_kind section;
    const uint32_t *path;
    size_t n_path;
    const struct map *fields;   /* names, in any case */
    bool partial;
    uint64_t from, max;
    str label;              /* "BODY[1.2.HEADER]<0>", as it is answered */
};

enum plan_needs {
    NEED_MESSAGE = 1,       /* its bytes */
    NEED_TREE = 2,          /* and their structure */
    NEED_SIZE = 4,
    SETS_SEEN = 8,
};

struct plan {
    const struct plan_item *p;
    size_t n;
    int needs;
    uint64_t changed_since; /* 0: all */
    bool flags;             /* FLAGS is among the items */
    bool modseq_item;       /* MODSEQ is */
    bool partial;           /* some section is asked for in part */
    bool modseq;            /* it is, or CHANGEDSINCE was given */
};

/* Reads everything after the set; pure. */
bool plan_parse(struct args *x, bool uid, struct plan *out);

#endif
