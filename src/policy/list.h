/* SPDX-License-Identifier: ISC
 *
 * Inside policy only: restriction lists as they are read.
 *
 *     list      = item *( ("," / blank) item )
 *     item      = word [ argument ] | class | table
 *     argument  = type:name | { type:name [, name = value] } | number
 *               | domain[=pattern]
 *
 * A table without a word before it is asked as the check_..._access of the
 * list that it stands in.  What stands in { } is one item.
 *
 * Reading is pure; tables are opened afterwards (open.c).
 *
 * L1  Every word of a read list is built, every argument is there.
 * L2  Classes name each other without a circle, at most CLASS_DEPTH_MAX deep.
 */
#ifndef POLICY_LIST_H
#define POLICY_LIST_H

#include "policy/zone.h"
#include "table/table.h"

enum { RULES_MAX = 10000, CLASS_DEPTH_MAX = 20 };

/* What a word looks at. */
enum about { ABOUT_NOTHING, ABOUT_CLIENT, ABOUT_REVERSE, ABOUT_SASL,
             ABOUT_CCERT, ABOUT_HELO, ABOUT_SENDER, ABOUT_RECIPIENT,
             ABOUT_ETRN };

enum operation {
    DO_PERMIT, DO_REJECT, DO_DEFER, DO_DEFER_IF_PERMIT, DO_DEFER_IF_REJECT,
    DO_WARN_IF_REJECT, DO_SLEEP, DO_UNAUTH_PIPELINING, DO_PLAINTEXT_SESSION,
    DO_MULTI_RECIPIENT_BOUNCE, DO_PERMIT_MYNETWORKS, DO_PERMIT_INTERFACES,
    DO_PERMIT_SASL, DO_PERMIT_ANY_CERT, DO_PERMIT_CERT, DO_UNKNOWN_CLIENT,
    DO_UNKNOWN_REVERSE, DO_ACCESS, DO_ACCESS_A, DO_ACCESS_MX, DO_ACCESS_NS,
    DO_RBL, DO_DNSWL, DO_RHSBL, DO_RHSWL, DO_INVALID_HOST, DO_NON_FQDN_HOST,
    DO_UNKNOWN_HOST, DO_PERMIT_NAKED_IP, DO_NON_FQDN_ADDRESS,
    DO_UNKNOWN_DOMAIN, DO_UNLISTED, DO_LOGIN_MISMATCH,
    DO_LOGIN_AUTHENTICATED, DO_LOGIN_UNAUTHENTICATED, DO_LOGIN_KNOWN,
    DO_PERMIT_AUTH_DESTINATION, DO_PERMIT_MX_BACKUP, DO_UNAUTH_DESTINATION,
    DO_DEFER_UNAUTH_DESTINATION, DO_CLASS, DO_NOT_BUILT,
};

struct rule_list;

struct rule {
    str word;                   /* as written */
    enum operation operation;
    enum about about;
    str argument;               /* "type:name"; a domain with its filter */
    struct zone zone;           /* of DNS lists */
    int64_t seconds;            /* DO_SLEEP */
    const struct rule_list *class_list; /* DO_CLASS */
    struct maps table;          /* DO_ACCESS...: opened by open.c */
};

struct rule_list {
    struct rule *p;
    size_t n;
};

struct rule_class {
    str name, text;
    struct rule_list list;
};

/* smtpd_restriction_classes. */
struct rule_classes {
    struct rule_class *p;
    size_t n;
};

/* Where a list stands. */
struct list_place {
    str title;                  /* the parameter, for complaints */
    str bare_table;             /* the word that a table alone stands for;
                                   empty: there is none */
    bool in_action;             /* in an access table: names no tables */
};

/* Reads a list; everything lives in a, strings are borrowed from text.
 * ERR_SYNTAX with *complaint (in a). */
err rule_list_read(struct arena *a, const struct list_place *place,
                   const struct rule_classes *classes, str text,
                   struct rule_list *out, str *complaint);

/* Reads all classes: their names and texts are filled in.  Holds L2. */
err rule_classes_read(struct arena *a, struct rule_classes *classes,
                      str *complaint);

/* Whether the list, or a class it names, refuses what is not ours: the start
 * is denied to a server that relays for everybody. */
bool rule_list_guards(const struct rule_list *list);

#endif
