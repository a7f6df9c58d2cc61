/* SPDX-License-Identifier: ISC
 *
 * Inside smtp's client only: reading replies (answer.c).
 */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H

#include "smtp/client.h"

struct wire_question {
    const char *command;    /* in reply to which: "RCPT TO command" */
    const char *classes;    /* first digits of what may be said: "245" */
    int64_t limit_s;
    bool alone;             /* no other command is out, and this one is still
                               in our buffer */
    void (*each)(struct smtp_peer *, str); /* may be NULL; sees every line of
                               a 2xx after the first, without its code */
};

/* One reply, its lines joined by blanks, with all codes as they were said.
 * What cannot be an answer to it is ERR_PEER, and p->wrong has it. */
err wire_ask(struct task *t, struct smtp_peer *p,
             const struct wire_question *q, struct arena *a,
             struct smtp_answer *out);

#endif
