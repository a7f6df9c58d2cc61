/* SPDX-License-Identifier: ISC
 *
 * Reading mail takes two roles.  The door (role imapd) has the sockets, TLS
 * and the dialogue before login, and no mail; a reader (role reader) is the
 * user, has the store and no keys, and gets a plaintext stream.
 *
 * After login the door hands over, on its port to the reader of that user id,
 * one READER_SESSION frame with a descriptor: the client's own socket when
 * there is no TLS, else one end of a pair whose other end the door relays.
 *
 * I1  A reader only ever serves the user id it runs as.
 * I2  A reader opens what the pass of a login names (auth/pass.h), or what the
 *     configuration says for users of whom it names nothing.  A door that was
 *     taken over reaches no mailbox but of those who log in through it.
 */
#ifndef ROLE_IMAPD_IMAPD_H
#define ROLE_IMAPD_IMAPD_H

#include "auth/auth.h"
#include "imap/login.h"
#include "net/dns.h"
#include "role/doors.h"
#include "role/waiting.h"
#include "store/store.h"

enum { READER_SESSION = 1 };

/* What a session in a reader starts from; packed in this order. */
struct reader_start {
    bool pop3;
    str pass;               /* authd's: the account, where its mail is */
    str tag;                /* IMAP: the tag to answer */
    str home, location;     /* if the pass names none: one that a service of
                               the configuration has */
    uint64_t quota;         /* the same */
    str client;             /* its address */
    str input;              /* read already */
    int64_t idle_s;
    uint64_t message_max;
};
void reader_start_pack(const struct reader_start *s, struct buf *to);
err reader_start_unpack(str packed, struct reader_start *out);

/* One line of master.cf in the door. */
struct door_settings {
    const struct conf *conf;
    const char *log_name;
    bool pop3, wrapped, plaintext;
    struct tls_context *tls;
    str mechanisms;
    int sasl_flags;
    uint32_t limit;             /* of visits that have not logged in */
    struct waiting waiting;     /* those */
    uint64_t quota;             /* of accounts that have none; 0: none */
};

/* The port to a reader, made on demand. */
struct reader_port {
    struct port *port;      /* NULL: asked for, not there yet */
    uint32_t uid;
    when asked;
};

struct imapd {
    struct role *role;
    struct auth *auth;
    struct dns *dns;
    struct doors *doors;
    struct map readers;     /* uid -> struct reader_port */
    struct map clients;     /* address -> struct door_client */
    struct bell reader_came;
    struct task_group group;
};

/* Serves a struct door_guest. */
err door_visit_run(struct task *t, void *guest);

/* Counts a visit of this address; false: there are max of them.  Either way
 * door_client_leave ends it.  Sessions whose socket went to a reader (without
 * TLS) are no visits any more. */
bool door_client_enter(struct imapd *d, const struct endpoint *peer,
                       uint32_t max);
void door_client_leave(struct imapd *d, const struct endpoint *peer);

/* Hands a descriptor and the start over to the reader of uid, which is that
 * of the pass. */
err reader_hand(struct task *t, struct imapd *d, uint32_t uid,
                const struct reader_start *s, int fd);

/* The special uses of mailboxes by name, as configured; in a. */
void reader_specials(struct task *t, const struct conf *c, struct arena *a,
                     struct store_options *o);

/* Relays between a TLS connection and a plaintext socket until either ends. */
void relay(struct task *t, struct conn *c, struct sock *plain);

/* e->self is then its lines: struct door_settings by service index. */
err door_settings_open(struct task *t, void *imapd, struct edition *e);

#endif
