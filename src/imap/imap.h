/* SPDX-License-Identifier: ISC
 *
 * The IMAP and POP3 dialogues after login: over a plaintext stream, as the
 * user, with his store.  What comes before is imap/login.h.
 *
 * IMAP4rev1 (RFC 3501) with the extensions that IMAP_CAPABILITIES names;
 * POP3 (RFC 1939, 2449).
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "net/conn.h"
#include "store/store.h"

struct reading_options {
    str tag;                /* IMAP: of the login, answered first */
    str user;               /* for words to the client */
    str product, version;   /* for ID */
    int64_t idle_s;         /* imapd_idle_timeout */
    uint64_t message_max;   /* APPENDLIMIT; 0: none */
    void (*note)(struct task *t, void *self, const char *event, str text);
    void *self;             /* note's own; note may be NULL */
};

/* What happened, for the log line at the end. */
struct reading_facts {
    uint64_t n_bytes_in, n_bytes_out, n_retrieved, n_deleted;
};

/* Until LOGOUT (OK), the end of the stream (ERR_END), ERR_LATE ... */
err imap_session(struct task *t, struct conn *c, struct store *st,
                 const struct reading_options *o);
err pop3_session(struct task *t, struct conn *c, struct store *st,
                 const struct reading_options *o);

/* When the store could not be opened: says so and ends. */
void imap_refuse(struct conn *c, const struct reading_options *o);
void pop3_refuse(struct conn *c);

#define IMAP_CAPABILITIES                                                     \
    "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT "   \
    "CHILDREN MOVE ESEARCH SEARCHRES CONDSTORE SPECIAL-USE LIST-EXTENDED "    \
    "LIST-STATUS WITHIN STATUS=SIZE MULTIAPPEND BINARY OBJECTID QUOTA "       \
    "QUOTA=RES-STORAGE QUOTA=RES-MESSAGE"

#endif
