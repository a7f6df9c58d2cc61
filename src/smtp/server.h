/* SPDX-License-Identifier: ISC
 *
 * Inside smtp only: the parts of the server's dialogue.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp/smtp.h"

/* verbs.c: one command's answer; rest is what follows the verb. */
struct reply smtp_command(struct task *t, struct smtp_session *s,
                          enum smtp_verb v, str rest);

/* Whether the command has to wait for STARTTLS. */
/* The handshake; its outcome is noted.  What had been read is gone (I2). */
err smtp_tls_start(struct task *t, struct smtp_session *s,
                   struct tls_context *ctx);

bool smtp_needs_tls(const struct smtp_session *s, enum smtp_verb v);

/* transaction.c */
struct reply smtp_on_mail(struct task *t, struct smtp_session *s, str rest);
struct reply smtp_on_rcpt(struct task *t, struct smtp_session *s, str rest);
void smtp_transaction_end(struct task *t, struct smtp_session *s);

/* data.c: these send their own replies, so that LMTP can send many; an err
 * ends the session. */
err smtp_on_data(struct task *t, struct smtp_session *s, str rest);
err smtp_on_bdat(struct task *t, struct smtp_session *s, str rest);

void smtp_note(struct task *t, struct smtp_session *s, enum smtp_note n,
               str text);

/* Sends a reply and counts it. */
void smtp_say(struct task *t, struct smtp_session *s, struct reply r);

when smtp_until(struct task *t, const struct smtp_session *s);

/* What EHLO announces, as LF-separated lines. */
str smtp_offers(struct smtp_session *s);
int smtp_offer_flags(const struct smtp_session *s);

#endif
