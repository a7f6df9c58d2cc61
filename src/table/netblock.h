/* SPDX-License-Identifier: ISC
 *
 * Addresses and networks in CIDR notation, as cidr_table(5) and the address
 * lists of postconf(5) write them.  Pure.
 */
#ifndef TABLE_NETBLOCK_H
#define TABLE_NETBLOCK_H

#include "base/base.h"

struct netblock {
    uint8_t size;        /* bytes of ip: 4 or 16 */
    uint8_t bits;        /* of the prefix */
    unsigned char ip[16];
};

/* A plain address, no brackets.  False if it is none: IPv4 is four decimal
 * numbers without leading zeros. */
bool netblock_single(str text, struct netblock *out);

/* ADDRESS or ADDRESS/BITS, the address or all of it possibly in [ ].  NULL,
 * or what is wrong with it, in the arena. */
const char *netblock_parse(struct arena *a, str text, struct netblock *out);

/* Whether the address lies in the block. */
bool netblock_holds(const struct netblock *block,
                    const struct netblock *address);

/* "192.0.2.0" or "2001:db8::". */
str netblock_text(const struct netblock *block, struct arena *a);

#endif
