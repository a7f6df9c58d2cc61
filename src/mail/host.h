/* SPDX-License-Identifier: ISC
 *
 * Syntax of host names and of addresses written as text, as the name checks
 * of an SMTP server need it (reject_invalid_helo_hostname, ...).  RFC 1123
 * section 2.1 with underscores, RFC 5321 section 4.1.3.
 */
#ifndef MAIL_HOST_H
#define MAIL_HOST_H

#include "base/base.h"

/* Labels of letters, digits, hyphens (not at an end) and underscores, 63
 * bytes each, 255 in all, single dots between, not all digits and dots.
 * With utf8 also 8-bit labels, whose length in DNS is not known here. */
bool host_valid(str name, bool utf8);

/* Valid, and with a dot inside; a dot at the end is forgiven. */
bool host_fully_qualified(str name, bool utf8);

/* "192.0.2.1" or "2001:db8::1". */
bool host_address_valid(str s);
bool host_ip4_valid(str s);
bool host_ip6_valid(str s);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; *address (may be NULL) gets what is
 * inside, without the tag. */
bool host_literal(str s, str *address);

#endif
