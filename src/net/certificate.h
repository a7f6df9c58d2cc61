/* SPDX-License-Identifier: ISC
 *
 * What a certificate says: for those who look after it.
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "rt/rt.h"

struct certificate {
    str subject, issuer;        /* "CN=mail.example.com" */
    int64_t from_s, until_s;    /* seconds since 1970 */
    bool self_signed;
    bool for_host;              /* of the host that was asked about */
};

/* Reads the first certificate of a PEM text.  ERR_SYNTAX with why(). */
err certificate_read(struct task *t, struct arena *a, str pem, str host,
                     struct certificate *out);

#endif
