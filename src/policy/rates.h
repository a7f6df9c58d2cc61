/* SPDX-License-Identifier: ISC
 *
 * How often each client of each service did what costs us something, and how
 * many connections it has open: what smtpd_client_*_limit are held against
 * (anvil(8)).  Pure: who calls says what time it is.
 *
 * A client is a key, made by rates_key: the service and the client's address,
 * or its network.  A key's counts of events are those since the first event
 * of its time unit, and begin anew with the first event after that.
 *
 * Those who report (the processes that hold the connections) are reporters:
 * when one is gone, so are its connections.
 *
 * I1  A client with open connections is in the table, until RATES_CLIENTS_MAX
 *     clients have some.
 * I2  Memory is bounded: a client without connections whose time unit is over
 *     gives way first, then the one whose unit began first; what cannot be
 *     kept is not counted, and said by `full`.
 */
#ifndef POLICY_RATES_H
#define POLICY_RATES_H

#include "base/base.h"

enum { RATES_CLIENTS_MAX = 100 * 1000 };

enum rate_event { RATE_CONNECTION, RATE_MESSAGE, RATE_RECIPIENT,
                  RATE_NEW_TLS, RATE_AUTH, N_RATE_EVENTS };

struct rates;
struct rate_reporter;

/* unit_us: the length of a time unit (anvil_rate_time_unit).  The table lives
 * until rates_free, which all reporters must have left before. */
struct rates *rates_new(int64_t unit_us);
void rates_unit_set(struct rates *r, int64_t unit_us);
void rates_free(struct rates *r);

struct rate_reporter *rate_reporter_join(struct rates *r);
/* And its connections are closed. */
void rate_reporter_leave(struct rate_reporter *from);

struct rate_counts {
    uint32_t open;                  /* connections at this moment */
    uint32_t n[N_RATE_EVENTS];      /* events of this time unit */
    bool full;                      /* not counted: there was no room */
};

/* Counts an event and says where the client is now.  A RATE_CONNECTION opens
 * a connection, which rate_close ends. */
struct rate_counts rate_note(struct rate_reporter *from, str key,
                             enum rate_event event, int64_t now_us);
/* Ends a connection of this reporter; one that it never opened is ignored. */
void rate_close(struct rate_reporter *from, str key, int64_t now_us);

/* How many clients are known: for tests and for the curious. */
size_t rates_n(const struct rates *r);

/* "SERVICE:ADDRESS" with the address cut to a network of that many bits;
 * address is of n bytes, 4 or 16 (smtpd_client_ipv4_prefix_length, ...). */
str rates_key(struct arena *a, str service, const unsigned char *address,
              size_t n, int prefix);

#endif
