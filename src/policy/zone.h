/* SPDX-License-Identifier: ISC
 *
 * Inside policy only: "domain=127.0.0.[2;4..8]", a DNS list and which of its
 * answers count.  Pure.
 */
#ifndef POLICY_ZONE_H
#define POLICY_ZONE_H

#include "base/base.h"

/* A pattern of four numbers, each a set. */
struct zone_pattern {
    uint64_t bits[4][4];        /* 256 bits for each byte */
};

struct zone {
    str domain;
    bool filtered;
    struct zone_pattern pattern;
};

/* Reads "domain" or "domain=pattern"; NULL, or what is wrong with it. */
const char *zone_read(str text, struct zone *out);

/* Whether an IPv4 answer counts. */
bool zone_matches(const struct zone *z, const unsigned char ip[4]);

#endif
