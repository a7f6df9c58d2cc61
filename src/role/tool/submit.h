/* SPDX-License-Identifier: ISC
 *
 * Handing mail to the running system, over the socket public/pickup.  It
 * speaks ESMTP and knows who we are by the socket itself.
 *
 * One command more is known there (role/smtpd/pickup.c): XPICKUP UID=n
 * [GATEWAY] [SINCE=us] [BOUNCE=reason], for mail that somebody else submitted,
 * which only root and the mail owner may say, for mail whose headers are not
 * ours to rewrite, that came in before, or that goes back to its sender.
 */
#ifndef ROLE_TOOL_SUBMIT_H
#define ROLE_TOOL_SUBMIT_H

#include "conf/conf.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "rt/rt.h"
#include "smtp/client.h"

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
    vec_of(uint32_t) refused;   /* recipients that were refused for good ... */
    struct reply refused_with;  /* ... the last of them with this */
};

struct submit_mail {
    const struct envelope *envelope;
    str text;                   /* CR LF line ends */
    struct smtp_text source;    /* if it has a next: instead of text ... */
    uint64_t source_size;       /* ... and its size */
    bool for_other;             /* submitted by uid, not by us */
    uint32_t uid;
    int64_t since_us;           /* (with for_other) it came in then, and ORCPT
                                   says what its recipients were; 0: now */
    str bounce;                 /* "5.4.6 why" to report it instead of
                                   delivering it (with for_other), or empty */
};

/* Everything in *out lives in a. */
void submit(struct task *t, const struct conf *c,
            const struct submit_mail *m, struct arena *a,
            struct submit_result *out);

/* Connects to public/pickup. */
err submit_connect(struct task *t, const struct conf *c, struct sock **out);

#endif
