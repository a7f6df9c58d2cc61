/* SPDX-License-Identifier: ISC
 *
 * LIST's patterns: '*' is anything, '%' anything but the separator.
 */
#ifndef IMAP_GLOB_H
#define IMAP_GLOB_H

#include "base/base.h"

/* Whether name matches.  INBOX in front matches in any case. */
bool glob_match(str pattern, str name, char separator);


#endif
