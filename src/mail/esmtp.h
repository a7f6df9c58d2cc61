/* SPDX-License-Identifier: ISC
 *
 * Parameters of MAIL FROM and RCPT TO: SIZE (RFC 1870), BODY (RFC 6152),
 * RET, ENVID, NOTIFY, ORCPT (RFC 3461, RFC 6533), SMTPUTF8 (RFC 6531), AUTH
 * (RFC 4954).
 */
#ifndef MAIL_ESMTP_H
#define MAIL_ESMTP_H

#include "mail/reply.h"

/* Which extensions were offered; the others' parameters are unknown. */
enum esmtp_offers {
    ESMTP_SIZE = 1,
    ESMTP_8BITMIME = 2,
    ESMTP_DSN = 4,
    ESMTP_UTF8 = 8,
    ESMTP_AUTH = 16,
};

enum mail_body { BODY_UNSAID, BODY_7BIT, BODY_8BITMIME };
enum dsn_ret { RET_UNSAID, RET_FULL, RET_HDRS };

enum dsn_notify {
    NOTIFY_SUCCESS = 1,
    NOTIFY_FAILURE = 2,
    NOTIFY_DELAY = 4,
    NOTIFY_NEVER = 8,
}; /* 0: not said */

struct mail_params {
    uint64_t size;      /* 0: not said */
    enum mail_body body;
    enum dsn_ret ret;
    str envid;          /* decoded */
    bool smtputf8;
    bool has_auth;
    str auth;           /* decoded; "<>" is empty */
};

struct rcpt_params {
    int notify;
    str orcpt;          /* "rfc822;user@example.com", decoded */
};

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };

/* Reads what follows the path.  False with *fault, the reply to give, if
 * there is something wrong; *out is written on success only.  Strings are in
 * a. */
bool esmtp_mail(str text, int offers, struct arena *a,
                struct mail_params *out, struct reply *fault);
bool esmtp_rcpt(str text, int offers, struct arena *a,
                struct rcpt_params *out, struct reply *fault);

/* xtext (RFC 3461 section 4): "+" and two hexadecimal digits for what may not
 * stand as it is.  Decoding fails on ill-formed text. */
void xtext_encode(struct buf *to, str s);
bool xtext_decode(struct buf *to, str s);

/* An ORCPT value as it is sent: the type, ";" and the address in xtext, or in
 * utf-8-addr-xtext for the type utf-8. */
void orcpt_encode(struct buf *to, str orcpt);

#endif
