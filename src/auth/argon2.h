/* SPDX-License-Identifier: ISC
 *
 * Argon2i and Argon2id (RFC 9106).  Pure, and meant to be slow.
 */
#ifndef AUTH_ARGON2_H
#define AUTH_ARGON2_H

#include "base/base.h"

/* The most that a stored password may ask for: memory in KiB, passes, lanes,
 * and bytes of salt and tag. */
enum { ARGON2_MEMORY_MAX = 1 << 20, ARGON2_PASSES_MAX = 1000,
       ARGON2_LANES_MAX = 64, ARGON2_BYTES_MAX = 128 };

/* Checks given against "$argon2id$v=19$m=65536,t=3,p=1$salt$tag", or the same
 * with argon2i.  ERR_DENIED: it is not the one; ERR_SYNTAX: no such form, or
 * over the bounds. */
err argon2_check(str encoded, str given);

/* Whether argon2_check would understand it. */
bool argon2_valid(str encoded);

#endif
