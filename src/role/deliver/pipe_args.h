/* SPDX-License-Identifier: ISC
 *
 * The attributes of a pipe line in master.cf (pipe(8)).  Pure.
 */
#ifndef ROLE_DELIVER_PIPE_ARGS_H
#define ROLE_DELIVER_PIPE_ARGS_H

#include "conf/conf.h"
#include "mail/envelope.h"

enum pipe_macro {
#define MACRO(name, each) PIPE_##name,
#include "role/deliver/pipe_macros.def"
#undef MACRO
    N_PIPE_MACROS,
    PIPE_TEXT,                  /* no macro: text as it is */
};

/* A part of an argument. */
struct pipe_part {
    enum pipe_macro macro;
    str text;
};

struct pipe_word {
    vec_of(struct pipe_part) parts;
    bool each;                  /* stands once for every recipient */
};

struct pipe_args {
    str user, directory, chroot, eol, null_sender;
    uint64_t size_max;          /* 0: none */
    bool blank_end, delivered_to, from_line, original_to, return_path,
         final, dots, quote_from, fold_domain, fold_user, quote;
    vec_of(struct pipe_word) argv;
    str command;                /* argv as written, for messages */
};

/* Reads the arguments behind the options.  ERR_SYNTAX: *complaint says what
 * is wrong. */
err pipe_args_read(const struct service *s, struct arena *a,
                   struct pipe_args *out, str *complaint);

/* What macros stand for. */
struct pipe_facts {
    const struct envelope *envelope;
    const struct recipient *recipients;
    size_t n_recipients;
    str queue_id, nexthop, delimiters;
    bool owner_request_special;
};

/* The command's arguments for these recipients. */
struct pipe_argv {
    vec_of(str) list;
};
void pipe_args_expand(const struct pipe_args *p, const struct pipe_facts *f,
                      struct arena *a, struct pipe_argv *out);

#endif
