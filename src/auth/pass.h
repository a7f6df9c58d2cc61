/* SPDX-License-Identifier: ISC
 *
 * A pass says who has logged in and where that user's mail is.  authd issues
 * it when the password was right, for the door to show: to master, which
 * starts a reader for the user id that stands in it, and to the reader, which
 * opens the mailbox that stands in it.  A door that strangers took over has
 * no key, so it gets at the mail of those alone whose logins pass through it.
 *
 *     u8 version | str name | str home | str mailbox | u32 uid | u32 gid |
 *     u64 quota | i64 until | 16 bytes of chance | HMAC-SHA-256 of all that
 *
 * I1  The key is made by master when it starts, and is known to authd, master
 *     and readers alone.
 * I2  A reader takes each pass once, and none after its time.
 */
#ifndef AUTH_PASS_H
#define AUTH_PASS_H

#include "auth/auth.h"

enum { PASS_KEY_SIZE = 32, PASS_NONCE_SIZE = 16, PASS_LIFE_S = 60,
       PASS_SIZE_MAX = 16 * 1024 };

struct pass {
    struct auth_user user;  /* has_ids; no pass of its own */
    when until;             /* of the host's clock that begins at its start */
    str nonce;
};

/* A new one, in a. */
str pass_issue(struct task *t, str key, const struct auth_user *user,
               struct arena *a);

/* OK: it is of this key and not yet over; *out borrows from packed.
 * ERR_DENIED with why() else. */
err pass_check(struct task *t, str key, str packed, struct pass *out);

/* The passes that were taken and are not over; on the heap. */
struct passes;
struct passes *passes_new(void);
void passes_free(struct passes *ps);

/* Takes one.  ERR_DENIED with why(): it was taken before; ERR_LIMIT: too many
 * came in one minute. */
err passes_take(struct task *t, struct passes *ps, const struct pass *p);

#endif
