/* SPDX-License-Identifier: ISC
 *
 * Handing mail to the running system, over the socket public/pickup.  It
 * speaks ESMTP and knows who we are by the socket itself.
 *
 * One command more is known there (role/smtpd/pickup.c): XPICKUP UID=n
 * [GATEWAY], for mail that somebody else submitted, which only root and the
 * mail owner may say, and for mail whose headers are not ours to rewrite.
 */
#ifndef ROLE_TOOL_SUBMIT_H
#define ROLE_TOOL_SUBMIT_H

#include "conf/conf.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "rt/rt.h"

enum submit_outcome {
    SUBMIT_TAKEN,       /* the server answered 250 */
    SUBMIT_LATER,       /* not now: 4xx, or the connection broke */
    SUBMIT_REFUSED,     /* 5xx for the whole message */
    SUBMIT_DOWN,        /* nobody is there */
    SUBMIT_DENIED,      /* we may not connect */
};

struct submit_result {
    enum submit_outcome outcome;
    struct reply reply;         /* what decided it; code 0: none */
    str reason;                 /* without a reply: why */
    vec_of(uint32_t) refused;   /* recipients that were refused for good */
};

struct submit_mail {
    const struct envelope *envelope;
    str text;                   /* CR LF line ends */
    bool for_other;             /* submitted by uid, not by us */
    uint32_t uid;
};

/* Everything in *out lives in a. */
void submit(struct task *t, const struct conf *c,
            const struct submit_mail *m, struct arena *a,
            struct submit_result *out);

/* Connects to public/pickup. */
err submit_connect(struct task *t, const struct conf *c, struct sock **out);

#endif
