/* SPDX-License-Identifier: ISC
 *
 * The arguments of IMAP commands (RFC 3501 section 9), read by a cursor over
 * one whole command, its literals in place: "A1 LOGIN {4}\r\nfred secret".
 *
 * Each reader takes what it names or leaves .error set; the first error
 * stays, so that a handler checks once, at the end.  Nothing recurses.
 */
#ifndef IMAP_ARGS_H
#define IMAP_ARGS_H

#include "base/base.h"

enum { ARGS_LIST_MAX = 10000 };

struct args {
    struct scan in;
    struct arena *a;
    const char *error;      /* NULL: all is well */
};

static inline struct args args_of(struct arena *a, str text)
{
    return (struct args){ scan_of(text), a, NULL };
}

/* Sets the error unless there is one; returns false. */
bool args_fail(struct args *x, const char *error);

/* A space; more than one are taken as one. */
bool args_space(struct args *x);

/* The beginning and the end of a list, with blanks inside: if it is there,
 * and if it must be. */
bool args_open(struct args *x);
bool args_close(struct args *x);
bool args_begin(struct args *x);
bool args_finish(struct args *x);

/* Blanks and then another member of a list, or of the command. */
bool args_more(struct args *x);

/* A byte that must be there; one that may. */
bool args_byte(struct args *x, char c);
bool args_maybe(struct args *x, char c);

/* What is next, without taking it; -1 at the end. */
int args_peek(const struct args *x);

/* Nothing may follow. */
bool args_end(struct args *x);

/* atom; astring = atom with ']' / string; string = quoted / literal. */
bool args_atom(struct args *x, str *out);
bool args_astring(struct args *x, str *out);
bool args_string(struct args *x, str *out);

/* A string or NIL (then .p is NULL). */
bool args_nstring(struct args *x, str *out);

/* A mailbox name for LIST: also with '*' and '%'. */
bool args_pattern(struct args *x, str *out);

bool args_number(struct args *x, uint64_t max, uint64_t *out);

/* A word of letters, digits, '.', '-' and '_', not empty. */
bool args_word(struct args *x, str *out);

/* "1:3,7,*": ranges in the order given, ends swapped to ascend; UINT32_MAX
 * stands for '*'.  "$" gives saved = true. */
struct set_range {
    uint32_t from, to;
};
struct set {
    const struct set_range *p;
    size_t n;
    bool saved;
};
bool args_set(struct args *x, struct set *out);

/* The same numbers, where '*' is last, as ranges that ascend and lie apart.
 * Then set_has is quick. */
struct set set_resolve(struct arena *a, const struct set *s, uint32_t last);
bool set_has(const struct set *resolved, uint32_t n);

/* "(\Seen work)" or, without list, bare flags to the end. */
struct flag_list {
    uint8_t flags;          /* enum message_flag's bits */
    const str *keywords;
    size_t n_keywords;
};
bool args_flags(struct args *x, struct flag_list *out);

/* "17-Jul-1996 02:44:25 -0700" in quotes: seconds since 1970.  "17-Jul-1996"
 * with or without quotes: days since 1970. */
bool args_date_time(struct args *x, int64_t *seconds);
bool args_date(struct args *x, int64_t *days);

#endif
