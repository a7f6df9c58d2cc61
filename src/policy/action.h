/* SPDX-License-Identifier: ISC
 *
 * Inside policy only: what the right-hand side of an access(5) table says.
 * Pure.
 */
#ifndef POLICY_ACTION_H
#define POLICY_ACTION_H

#include "mail/reply.h"

enum action_kind {
    ACTION_OK, ACTION_DUNNO,
    ACTION_REFUSE,          /* REJECT, 4NN, 5NN, DEFER: reply says all */
    ACTION_DEFER_IF_PERMIT, ACTION_DEFER_IF_REJECT, /* reply as well */
    ACTION_WARN, ACTION_INFO, ACTION_DISCARD, ACTION_HOLD, /* text */
    ACTION_FILTER, ACTION_REDIRECT, ACTION_BCC, ACTION_PREPEND,
    ACTION_RESTRICTIONS,    /* text is a list of them */
};

struct action {
    enum action_kind kind;
    struct reply reply;     /* code, DSN and text without its subject */
    str text;
};

/* access_map_reject_code and access_map_defer_code. */
struct action_codes {
    int reject, defer;
};

/* Every text is some action.  Strings are borrowed from text. */
struct action action_read(str text, const struct action_codes *codes);

/* What is wrong with the argument of FILTER, REDIRECT, BCC or PREPEND, as it
 * stands in a warning: "requires header: text".  NULL: nothing. */
const char *action_fault(const struct action *x);

#endif
