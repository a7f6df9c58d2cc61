/* SPDX-License-Identifier: ISC
 *
 * Inside net's DNS files only: what the three kinds of struct dns share.
 */
#ifndef NET_DNS_LOCAL_H
#define NET_DNS_LOCAL_H

#include "net/dns.h"

enum { DNS_NAME_MAX = 255, DNS_RECORDS_MAX = 1000 };

/* host and client NULL: made from ask and the hosts file. */
struct dns_ops {
    err (*ask)(struct task *t, struct dns *d, str name, enum dns_type type,
               when until, struct arena *a, struct dns_answer *out);
    err (*host)(struct task *t, struct dns *d, str name, when until,
                struct arena *a, struct dns_answer *out);
    err (*client)(struct task *t, struct dns *d, const struct endpoint *e,
                  when until, struct arena *a, struct dns_names *out);
};

enum { DNS_MAGIC = 0x646e7321 };

struct dns {
    uint32_t magic;
    const struct dns_ops *ops;
    struct hosts *hosts;    /* NULL: none */
};

/* --- the hosts file (dns_hosts.c) ---------------------------------------- */

struct hosts *hosts_new(struct arena *a, str path);
/* Reads the file again if it has changed; looks every few seconds. */
void hosts_refresh(struct task *t, struct hosts *h);
/* Pure; the text of a file. */
void hosts_parse(struct hosts *h, str text);
/* Adds the addresses of a name to the answer; false: the file has none. */
bool hosts_find(const struct hosts *h, str name, struct arena *a,
                struct dns_answer *out);
/* The first name of an address. */
bool hosts_name(const struct hosts *h, const struct endpoint *e,
                struct arena *a, str *name);

/* --- answers as they are on the wire (dns_record.c) ---------------------- */

/* RDATA of one record, names uncompressed.  False: it is malformed, or its
 * name is no host name. */
bool dns_record_read(enum dns_type type, str rdata, struct arena *a,
                     struct dns_record *out);

/* The question's name as DNS has it: A-labels, no dot at the end; false if it
 * cannot be one. */
bool dns_name_make(str name, struct arena *a, str *out);

/* Between roles. */
void dns_answer_pack(const struct dns_answer *x, struct buf *to);
bool dns_answer_unpack(struct unpack *u, struct arena *a,
                       struct dns_answer *out);
void dns_answer_copy(const struct dns_answer *x, struct arena *a,
                     struct dns_answer *out);

#endif
