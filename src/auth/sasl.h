/* SPDX-License-Identifier: ISC
 *
 * SASL, the server's side (RFC 4422): PLAIN (RFC 4616) and LOGIN as pure
 * state machines.  They end with what the client claims; whether it is true
 * is auth_check's to say (auth/auth.h).
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "base/base.h"
#include "conf/conf.h"

enum { SASL_NAME_MAX = 255, SASL_SECRET_MAX = 1024, SASL_LINE_MAX = 12288 };

enum sasl_mech { SASL_NONE, SASL_PLAIN, SASL_LOGIN };

enum sasl_flags {
    SASL_NO_PLAINTEXT = 1, /* noplaintext: no mechanism that shows it */
    SASL_NO_PLAIN = 2, SASL_NO_LOGIN = 4, /* not in auth_mechanisms */
};

/* What auth_mechanisms leaves out. */
int sasl_flags_of(const struct conf *c);

/* SASL_NONE if there is no such mechanism, or flags forbid it. */
enum sasl_mech sasl_find(str name, int flags);

/* "PLAIN LOGIN": what may be offered. */
str sasl_offer(int flags);

enum sasl_step {
    SASL_MORE,      /* send *challenge, feed the answer */
    SASL_CLAIM,     /* user and secret are known: check them */
    SASL_BAD,       /* what the client sent is not the mechanism's */
};

struct sasl {
    enum sasl_mech mech;
    struct arena *a;
    int n_answers;
    str user, secret;   /* of the claim; UTF-8 without control bytes */
};

/* Begins an exchange; its strings live in a.  initial may be NULL (there is
 * none).  Challenges and answers are bytes before base64. */
enum sasl_step sasl_begin(struct sasl *s, enum sasl_mech mech,
                          struct arena *a, const str *initial,
                          str *challenge);
enum sasl_step sasl_answer(struct sasl *s, str answer, str *challenge);

/* The same with base64: line is what the client sent; "=" stands for an empty
 * initial response.  challenge is base64 in a. */
enum sasl_step sasl_begin_base64(struct sasl *s, enum sasl_mech mech,
                                 struct arena *a, const str *initial,
                                 str *challenge);
enum sasl_step sasl_answer_base64(struct sasl *s, str line, str *challenge);

#endif
