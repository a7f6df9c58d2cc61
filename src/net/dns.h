/* SPDX-License-Identifier: ISC
 *
 * Names and addresses: DNS through libunbound, validating where a trust
 * anchor is there, and the system's hosts file for what is asked by host
 * name.
 *
 * The lookup role has the real thing (dns_open: libunbound works on threads
 * of its own); other roles hold a struct dns that asks the lookup role over a
 * port (dns_remote); tests have one that knows what a text says (dns_fixed).
 * Callers cannot tell them apart.
 *
 * Names are given as mail has them, with or without a dot at the end; U-labels
 * are turned into A-labels here.  No search list is applied.  Names that come
 * back have no dot at the end ("." alone is the root), and records whose name
 * is no host name are left out.
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
    uint32_t ttl;               /* seconds it may be kept, a "no" as well */
    const struct dns_record *p;
    size_t n;
};

static inline bool dns_found(const struct dns_answer *x)
{
    return x->outcome == DNS_FOUND;
}

/* Whether the answer may be another one later. */
static inline bool dns_temporary(const struct dns_answer *x)
{
    return x->outcome == DNS_TRY_AGAIN || x->outcome == DNS_BOGUS;
}

struct dns;
struct calls;

/* Asks; CNAMEs are followed; the answer lives in a.  A name that cannot be in
 * DNS (labels of 64 bytes, blanks ...) is a DNS_NO_NAME.  An err means that
 * nobody could be asked in time (ERR_LATE, ERR_END, ERR_STOPPED): treat as
 * DNS_TRY_AGAIN. */
err dns_ask(struct task *t, struct dns *d, str name, enum dns_type type,
            when until, struct arena *a, struct dns_answer *out);

/* Addresses of a host, IPv4 first: an address written as text, the hosts
 * file, else DNS. */
err dns_host(struct task *t, struct dns *d, str name, when until,
             struct arena *a, struct dns_answer *out);

/* A client's names: reverse is what PTR (or the hosts file) says, name the
 * same if it leads back to the address; both "unknown" otherwise.
 * status: 0 verified, 4 temporary failure, 5 no. */
struct dns_names {
    str name, reverse;
    int status;
};
err dns_client(struct task *t, struct dns *d, const struct endpoint *client,
               when until, struct arena *a, struct dns_names *out);

/* The name to ask for with PTR, or (suffix given) in a list of addresses:
 * "1.2.0.192" + suffix; "in-addr.arpa" and its like without one. */
str dns_reverse_name(const struct endpoint *e, str suffix, struct arena *a);

/* Where the real thing asks.  All empty: what the system says. */
struct dns_settings {
    struct endpoint server; /* instead of those in resolv_conf */
    str resolv_conf;        /* "/etc/resolv.conf" */
    str hosts;              /* "/etc/hosts" */
    str root_key;           /* "/usr/share/dns/root.key" */
};

/* The real thing, for the lookup role; closed with a.  dns_run is a task of
 * its own for as long as it is used.
 *
 * Where the name servers of resolv_conf strip signatures, so that nothing can
 * be validated, answers are taken unvalidated (.secure is false then); this
 * is found out when the first answer does not validate. */
err dns_open(struct task *t, struct arena *a, const struct dns_settings *s,
             struct dns **out);
err dns_run(struct task *t, void *dns);

/* One that asks the lookup role and keeps answers for as long as their ttl
 * and dns_remote's own bounds allow. */
struct dns *dns_remote(struct arena *a, struct calls *calls);

/* Answers a question that came over a port: a frame of type DNS_FRAME, its
 * body in, the answer's body appended to *answer.  ERR_PEER: no question. */
enum { DNS_FRAME = 100, DNS_FRAME_MAX = 64 * 1024 };
err dns_serve(struct task *t, struct dns *d, str question,
              struct buf *answer);

/* One that knows what a text says, for tests and the simulated world:
 *     example.com MX 10 mx.example.com
 *     mx.example.com A 192.0.2.1
 *     slow.example.com TRY_AGAIN
 *     forged.example.com BOGUS
 * Names above a known one exist (DNS_NO_DATA); others do not. */
struct dns *dns_fixed(struct arena *a, str text);

#endif
