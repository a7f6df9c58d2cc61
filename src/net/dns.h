/* SPDX-License-Identifier: ISC
 *
 * Names and addresses: DNS through libunbound (validating) and, where
 * smtp_host_lookup or the like says "native", the system's own ways.
 *
 * The lookup role has the real thing (libunbound runs on a thread of its own:
 * it needs 200 KiB of stack); other roles hold a struct dns that asks the
 * lookup role over a port.  Callers cannot tell them apart.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "rt/rt.h"

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12,
                DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33,
                DNS_TLSA = 52 };

enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DATA,        /* the name exists, no such record */
    DNS_NO_NAME,        /* NXDOMAIN */
    DNS_TRY_AGAIN,      /* servers failed or did not answer */
    DNS_BOGUS,          /* validation failed: treat as TRY_AGAIN, never as
                           unsigned */
};

struct dns_record {
    enum dns_type type;
    uint32_t ttl;
    uint16_t preference;        /* MX; SRV priority */
    uint16_t weight, port;      /* SRV */
    str name;                   /* MX, NS, PTR, CNAME, SRV: the target */
    struct endpoint address;    /* A, AAAA */
    str data;                   /* TXT: joined strings; TLSA: raw */
};
struct dns_answer {
    enum dns_outcome outcome;
    bool secure;                /* DNSSEC said yes */
    const struct dns_record *p;
    size_t n;
};

struct dns;

/* Asks; the answer lives in a.  An err means that nobody could be asked in
 * time (ERR_LATE, ERR_END, ERR_STOPPED): treat as DNS_TRY_AGAIN. */
err dns_ask(struct task *t, struct dns *d, str name, enum dns_type type,
            when until, struct arena *a, struct dns_answer *out);

/* Addresses of a host by the system's ways (getaddrinfo: /etc/hosts, DNS). */
err dns_host(struct task *t, struct dns *d, str name, when until,
             struct arena *a, struct dns_answer *out);

/* The client's names: *reverse is what PTR says, *name the same if it leads
 * back to the address; both "unknown" otherwise.  *status: 0 verified, 4
 * temporary failure, 5 no. */
err dns_client(struct task *t, struct dns *d, const struct endpoint *client,
               when until, struct arena *a, str *name, str *reverse,
               int *status);

/* The real thing, for the lookup role. */
err dns_open(struct task *t, struct arena *a, struct dns **out);
/* One that asks the lookup role; calls_run is somebody else's task. */
struct dns *dns_remote(struct arena *a, struct calls *calls);
/* Answers questions that came over a port: one frame's body in, the answer's
 * body appended to *answer. */
err dns_serve(struct task *t, struct dns *d, str question,
              struct buf *answer);

#endif
