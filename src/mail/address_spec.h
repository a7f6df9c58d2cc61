/* SPDX-License-Identifier: ISC
 *
 * What the readers of paths and of header lists share.
 */
#ifndef MAIL_ADDRESS_SPEC_H
#define MAIL_ADDRESS_SPEC_H

#include "mail/address.h"

/* Reads the whole of in as an addr-spec without route; empty is null. */
err address_spec_read(str in, struct arena *a, int flags,
                      struct address *out);

/* Where a source route "@a,@b:" at the start of in ends; 0: there is none. */
size_t address_route_end(str in);

#endif
