/* SPDX-License-Identifier: ISC
 *
 * The envelope: what is known about a message beside its bytes.  Kept in the
 * spool's ENV records and sent between roles, in one packed form.
 *
 * Packed: u8 version | the fields in the order of the structures | u32 count
 * of recipients | recipients.  Strings as in base/pack.h.
 *
 * I1  Unpacking gives an envelope whose every address and string is checked,
 *     or ERR_CORRUPT: the packer may be the weaker side.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "mail/address.h"
#include "mail/esmtp.h"

enum { ENVELOPE_VERSION = 1, ENVELOPE_TEXT_MAX = 4096,
       ENVELOPE_RECIPIENTS_MAX = 1000000 };

enum envelope_flags {
    ENVELOPE_LOCAL = 1,         /* submitted on this host (sendmail) */
    ENVELOPE_INTERNAL = 2,      /* made by the system: bounces, notices */
    ENVELOPE_SMTPUTF8 = 4,
    ENVELOPE_8BIT = 8,          /* BODY=8BITMIME, or 8-bit bytes were seen */
    ENVELOPE_HOLD = 16,
    ENVELOPE_DISCARD = 32,
    ENVELOPE_NO_REWRITE = 64,   /* no canonical, virtual, masquerade, bcc */
    ENVELOPE_NO_DELAY_NOTICE = 128, /* delay_warning was sent or not wanted */
    ENVELOPE_AUTHENTICATED = 256,
    ENVELOPE_NO_HOPS = 512,     /* DSN: a bounce of a bounce */
    ENVELOPE_VERIFY = 1024,     /* a probe: deliver nothing */
    ENVELOPE_NO_MILTERS = 2048,
    ENVELOPE_SMTPUTF8_NEEDED = 4096, /* header or addresses are not ASCII */
};

/* One recipient and what is special about it. */
struct recipient {
    struct address address;     /* where it goes, after all rewriting */
    str original;               /* X-Original-To: what the client said */
    str orcpt;                  /* "rfc822;user@example.com", or empty */
    int notify;                 /* enum dsn_notify */
    str transport;              /* override "transport:nexthop" (FILTER), or
                                   empty */
    str dsn_text;               /* why it was expanded here, or empty */
};

/* Who gave us the message. */
struct envelope_client {
    str name;           /* "unknown" if there is none */
    str reverse_name;
    str address;        /* "192.0.2.1", "2001:db8::1" */
    uint16_t port;
    str helo;
    str protocol;       /* "SMTP", "ESMTP", "LMTP" */
    str sasl_method, sasl_user, sasl_sender;
    str tls;            /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty */
};

struct envelope {
    int64_t arrival_us; /* wall time */
    int flags;
    struct address sender;
    enum dsn_ret ret;
    str envid;
    str rewrite_domain; /* address_rewrite context: empty is local */
    str verp;           /* VERP delimiters, or empty */
    struct envelope_client client;
    uint64_t size;      /* of the message in bytes */
    uint32_t hops;      /* Received: fields counted */
    str filter;         /* content_filter of the whole message, or empty */
    str message_id;     /* of the header, for log lines */
    vec_of(struct recipient) recipients;
};

void envelope_pack(const struct envelope *e, struct buf *to);

/* Strings point into packed; the recipients' array is in a. */
err envelope_unpack(str packed, struct arena *a, struct envelope *out);

/* The same as a part of a larger record; on failure u->bad is set. */
void envelope_unpack_from(struct unpack *u, struct arena *a,
                          struct envelope *out);

/* A copy with everything in a. */
void envelope_copy(const struct envelope *e, struct arena *a,
                   struct envelope *out);
void recipient_copy(const struct recipient *r, struct arena *a,
                    struct recipient *out);

#endif
