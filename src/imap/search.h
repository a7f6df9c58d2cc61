/* SPDX-License-Identifier: ISC
 *
 * SEARCH keys as a program: parsed once, run for each row.
 *
 * The keys stand in prefix order; NOT, OR and groups say by .size how many
 * nodes they and their operands take.  Each knows where to go on when it
 * holds and when it does not, so that running needs no recursion however
 * deep they are nested, and stops as soon as the answer is known.
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "imap/args.h"
#include "mail/mime_text.h"

enum { SEARCH_NODES_MAX = 20000 };

/* Where the program ends. */
enum { SEARCH_HIT = SEARCH_NODES_MAX, SEARCH_MISS };

enum key_kind {
    KEY_ALL, KEY_AND, KEY_OR, KEY_NOT,
    KEY_FLAG, KEY_NOT_FLAG, KEY_KEYWORD, KEY_NOT_KEYWORD,
    KEY_RECENT, KEY_OLD, KEY_NEW,
    KEY_SEQ, KEY_UID,
    KEY_BEFORE, KEY_ON, KEY_SINCE,          /* INTERNALDATE, local days */
    KEY_SENT_BEFORE, KEY_SENT_ON, KEY_SENT_SINCE, /* Date: */
    KEY_OLDER, KEY_YOUNGER,
    KEY_LARGER, KEY_SMALLER, KEY_MODSEQ,
    KEY_EMAILID, KEY_THREADID,
    KEY_HEADER, KEY_ADDRESS, KEY_BODY, KEY_TEXT,
};

struct search_key {
    enum key_kind kind;
    size_t size;            /* nodes, with those below */
    size_t yes, no;         /* the node to go on at, or the end */
    size_t first;           /* NOT, OR, groups: the operand to begin with */
    bool cheap;             /* no file is needed for it and those below */
    uint64_t n;             /* flag, day, size, seconds, modseq */
    struct set set;
    str name;               /* header field; keyword */
    struct mime_needle needle;
};

enum search_return { RETURN_MIN = 1, RETURN_MAX = 2, RETURN_COUNT = 4,
                     RETURN_ALL = 8, RETURN_SAVE = 16 };

struct search_plan {
    struct search_key *p;
    size_t n;
    int returns;            /* enum search_return; 0: the old answer */
    bool extended;          /* RETURN was given */
    bool modseq;            /* the answer carries MODSEQ */
    bool bad_charset;
};

/* Reads everything after "SEARCH"; pure. */
bool search_parse(struct args *x, struct search_plan *out);

#endif
