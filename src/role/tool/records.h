/* SPDX-License-Identifier: ISC
 *
 * The DNS records that others need to find this host and to believe it, and
 * what DNS says of them.
 *
 * No question takes longer than some seconds, all together no longer than the
 * deadline they are given; after a server that does not answer at all nothing
 * more is asked.
 */
#ifndef ROLE_TOOL_RECORDS_H
#define ROLE_TOOL_RECORDS_H

#include "conf/conf.h"
#include "net/dns.h"

enum record_state {
    RECORD_OK,
    RECORD_MISSING,
    RECORD_DIFFERS,
    RECORD_UNKNOWN,         /* DNS did not say */
};

struct record {
    enum record_state state;
    const char *type;       /* "MX" */
    str name;               /* without a dot at its end */
    str wanted;             /* as a zone file has it */
    str found;              /* the same, or a sentence */
};

/* For vec_push(). */
struct addresses {
    struct endpoint *p;
    size_t n, cap;
};

struct records {
    const struct conf *conf;
    struct dns *dns;
    struct arena *a;
    when until;
    bool silent;            /* a server did not answer: ask no more */
    str host;               /* myhostname */
    struct addresses addresses;     /* of the host, as DNS has them */
    vec_of(struct record) list;
};

/* Opens DNS as the configuration says and does fn(arg) with it. */
err records_with_dns(struct task *t, struct records *r,
                     void (*fn)(struct task *t, struct records *r, void *arg),
                     void *arg);

/* A, AAAA, PTR of myhostname; comes first. */
void records_of_host(struct task *t, struct records *r);

/* MX and SPF. */
void records_of_domain(struct task *t, struct records *r, str domain);

/* RFC 6186, RFC 8314: SRV of the services that are configured. */
void records_of_services(struct task *t, struct records *r, str domain);

/* Within: a question; false: there is no answer, and *state says why. */
bool records_ask(struct task *t, struct records *r, str name,
                 enum dns_type type, struct dns_answer *out,
                 enum record_state *state);
void records_add(struct records *r, struct record x);
/* The SPF record, when the host's addresses are known; mx: that of the domain
 * leads here, or will. */
void records_spf(struct task *t, struct records *r, str domain, bool mx);

#endif
