/* SPDX-License-Identifier: ISC
 *
 * TLS contexts of services, from their parameters and the keys that master
 * handed over.
 */
#ifndef ROLE_TLS_H
#define ROLE_TLS_H

#include "role/role.h"

/* Which of a client's and a server's parameters count: those of sessions that
 * may use TLS, or of sessions that must. */
enum tls_need { TLS_OPPORTUNISTIC, TLS_MANDATORY };

/* Whose context it is. */
struct tls_plan {
    const struct edition *edition;
    const struct tls_tickets *tickets; /* a server's; they outlive it */
    const struct conf *conf;    /* with the service's overlay */
    uint32_t service;           /* index: whose keys */
    enum tls_need need;
    str label;                  /* a server: sessions of other labels are not
                                   resumed */
    bool demanded;              /* nothing goes without it */
    bool smtp;                  /* a server: asks for certificates if told
                                   to, and is as lax as Postfix */
    bool verifies;              /* a client: wants no anonymous server */
    bool lmtp;                  /* a client: of lmtp_tls_* */
};

/* Whether a server's security level wants TLS of everybody: encrypt, and the
 * higher ones of clients, which a server takes for it. */
bool role_tls_demanded(str level);

/* What smtpd_tls_* says; *out is NULL if there is no certificate.
 *
 * Certificates and keys that cannot be used are an err that names their
 * files, and so is their absence where TLS is demanded: the edition is refused
 * then. */
err role_tls_server(struct task *t, struct arena *a, const struct tls_plan *p,
                    struct tls_context **out);

/* What smtp_tls_* or lmtp_tls_* says, the same way; it may go without keys. */
err role_tls_client(struct task *t, struct arena *a, const struct tls_plan *p,
                    struct tls_context **out);

/* A failed handshake's reason as a word or two, "-1" for complaints of the
 * library's; and those, a line of the log each. */
str role_tls_outcome(str reason);
void role_tls_complain(struct task *t, str reason);

#endif
