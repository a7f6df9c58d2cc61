/* SPDX-License-Identifier: ISC
 *
 * Stored passwords: checking what somebody gave against them, making new
 * ones.  A stored password is "{SCHEME}rest" as Dovecot writes them, or
 * without a scheme the form of crypt(5).
 *
 * These functions take no task and may take a tenth of a second: the
 * expensive schemes are meant to.  Call them through offload.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/base.h"

enum { PASSWORD_MAX = 1024, PASSWORD_SALT_SIZE = 32 };

/* OK: it is the one.  ERR_DENIED: it is not.  ERR_SYNTAX: the stored form is
 * of no scheme that is known here, nobody can log in with it.  user: the full
 * name, which goes into DIGEST-MD5. */
err password_check(str stored, str user, str given);

/* Whether a stored form is of a scheme that is known, and looks whole; cheap
 * where password_check is not. */
bool password_known(str stored);

/* Spends the time that checking against a new hash takes; for users that do
 * not exist, so that they cannot be told from others by the clock. */
void password_check_nothing(str given);

/* A new hash of the default scheme (yescrypt), in a.  salt is
 * PASSWORD_SALT_SIZE random bytes.  ERR_LIMIT: too long; ERR_SYNTAX: empty
 * or with a NUL. */
err password_make(str given, str salt, struct arena *a, str *stored);

#endif
