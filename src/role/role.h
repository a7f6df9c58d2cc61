/* SPDX-License-Identifier: ISC
 *
 * What a role is given.  In production master hands these things over a
 * control port, one by one (role/control.c); tests and the simulated world
 * fill them in themselves.  No role has mutable statics: everything comes
 * through here, so any number of them can run in one process.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include "auth/pass.h"
#include "role/edition.h"
#include "role/ended.h"
#include "rt/rt.h"
#include "table/table.h"

/* The roles that processes take; the name is what `--role` says. */
enum role_kind {
#define ROLE(name, title) ROLE_##name,
#include "role/roles.def"
#undef ROLE
    N_ROLES
};
const char *role_name(enum role_kind k);
const char *role_title(enum role_kind k);
enum role_kind role_find(str name);     /* N_ROLES: none */

/* Frames from master.  A configuration is handed over as CONTROL_CONFIG, then
 * what belongs to it, then CONTROL_PREPARE. */
enum control_frame {
    CONTROL_CONFIG = 1,     /* str version of the program, u32 edition, u8
                               first, and a packed configuration (conf_pack) */
    CONTROL_KEYS,           /* u32 service, u8 n, n times (str certificate,
                               str key), str CAs, str DH parameters, str
                               names of files, str fault, str text */
    CONTROL_TICKETS,        /* what TLS session tickets are sealed with from
                               now on: 1 or 2 times 80 bytes, newest first */
    CONTROL_LISTENER,       /* u32 number of the bound address, u32 service
                               (index in master.cf), descriptor */
    CONTROL_PORT,           /* u8 role at the other end, u32 its number,
                               descriptor */
    CONTROL_LOG,            /* u8 sink, u32 facility, str host, descriptor */
    CONTROL_DIR,            /* u8 which (enum role_dir), descriptor */
    CONTROL_PREPARE,        /* u32 edition: open what it needs */
    CONTROL_TAKE,           /* u32 edition: it is in force from now on */
    CONTROL_DROP,           /* u32 edition: it will not be */
    CONTROL_PASS_KEY,       /* authd, readers: what passes are made with
                               (auth/pass.h) */
    CONTROL_STOP,           /* finish what you do and end */
    CONTROL_FLUSH,          /* qmgr: try everything now */
    CONTROL_USER_ENDED,     /* readers, smtpd: the name of a user whose
                               sessions end */
    CONTROL_READY = 100,    /* from the role, u32 edition: it can be taken */
    CONTROL_REFUSED,        /* from the role, u32 edition, str why it cannot */
    CONTROL_TAKEN,          /* from the role, u32 edition: it is in force */
    CONTROL_FAILED,         /* from the role, before it ends: str why */
    CONTROL_WANT,           /* imapd: a pass: a port to the reader who is its
                               user; it comes as CONTROL_PORT with the uid as
                               its number */
};

enum role_dir { ROLE_DIR_SPOOL, ROLE_DIR_QUEUE, ROLE_DIR_CONFIG, N_ROLE_DIRS };

/* A listener stays the same over reloads, as long as configurations name its
 * address: what waits in it is not disturbed. */
struct role_listener {
    struct link link;
    uint32_t number;        /* of the bound address, as master counts them */
    uint32_t service;       /* index in conf_services() of what is in force */
    uint32_t service_next;  /* in what is coming ... */
    uint32_t edition;       /* ... which is the last that named it */
    bool served;            /* the edition in force names it, or one did */
    struct sock *sock;
};

/* The number of the queue manager's port for mail that deliveries make; its
 * other port to the deliver role is for jobs. */
#define ROLE_SUBMISSIONS UINT32_C(0x80000000)

struct role_port {
    struct link link;
    enum role_kind peer;
    uint32_t number;        /* of the peer among its kind */
    struct port *port;
};

/* A role's hands: what has been given so far. */
struct role {
    enum role_kind kind;
    struct arena *memory;
    struct port *control;   /* NULL in tests */
    struct edition *now;    /* in force; NULL: none yet */
    struct edition *coming; /* being handed over, or ready to be taken */
    bool complete;          /* all of the coming one was handed over ... */
    bool opened;            /* ... and what it needs is open */
    uint32_t take;          /* which one is to be taken; 0: none yet */
    struct link listeners;  /* struct role_listener */
    struct link ports;      /* struct role_port not yet taken */
    struct tls_tickets tickets;
    char pass_key[PASS_KEY_SIZE];
    struct ended *ended;    /* users whose sessions ended */
    struct dir *dirs[N_ROLE_DIRS];
    struct bell changed;    /* rings when anything above did ... */
    uint64_t n_changes;     /* ... and then counts */
    bool stop, flush;
    bool log_given;         /* log_fd is where log lines go */
    int log_fd;
};

void role_init(struct role *r, enum role_kind kind, struct arena *memory);

/* Receives from master until it is gone or this task is cancelled; rings
 * changed.  Returns when master ended: the role ends too. */
err role_control(struct task *t, struct role *r);

/* Says that something above changed. */
void role_changed(struct role *r);

/* Waits until something did since *seen, which begins as 0: what comes while
 * a role is busy with the change before is not missed.  ERR_LATE: nothing. */
err role_wait(struct task *t, struct role *r, uint64_t *seen, when until);

/* Waits for the first configuration to be handed over, then gives up what
 * this role does not need (role/sandbox.h): until then only master was
 * listened to.  In tests, where no master is, nothing is given up. */
err role_wait_first(struct task *t, struct role *r);
/* The same for a role that has to become another user before: it gives its
 * powers up by itself. */
err role_wait_complete(struct task *t, struct role *r);

/* How a role's body works with editions. */
struct edition_user {
    /* Opens what the role needs to work by e, in e's memory; e->self is the
     * role's.  An err with why() refuses it. */
    err (*open)(struct task *t, void *self, struct edition *e);
    /* role->now is in force; before is what was (NULL at first), and goes
     * with its last user. */
    void (*take)(struct task *t, void *self, struct edition *before);
};

/* Opens and takes what is due; the role's body calls it whenever something
 * changed.  An err: the very first was refused. */
err role_turn(struct task *t, struct role *r, const struct edition_user *u,
              void *self);

/* For who has no master: e is to be taken next.  It is the role's then. */
void role_offer(struct role *r, struct edition *e);

/* What is coming will not be in force; who is opening it still holds it. */
void role_forget_coming(struct role *r);

/* Leaves the editions, when the role's tasks have ended. */
void role_end(struct role *r);

/* Takes the next port to a peer of this kind off the list; NULL if none. */
struct role_port *role_port_take(struct role *r, enum role_kind peer);
/* Calls to a peer, for as long as g's tasks run; nobody else takes ports to
 * it. */
struct calls *role_calls(struct role *r, struct task_group *g,
                         enum role_kind peer);
/* How a role opens tables: through lookup, whose calls these are; by their
 * paths in tests, where no master is. */
struct table_opener role_opener(struct role *r, struct calls *lookup);

/* For who has no master: a listener of what is coming. */
void role_listener_add(struct role *r, uint32_t number, uint32_t service,
                       struct sock *s);
/* Whether what is in force names it no more. */
bool role_listener_over(const struct role *r, const struct role_listener *l);
/* Closes and forgets it. */
void role_listener_close(struct role_listener *l);

static inline str role_pass_key(const struct role *r)
{
    return str_of(r->pass_key, sizeof(r->pass_key));
}

/* Whether this program has the role's body. */
bool role_built(enum role_kind k);

/* The roles' bodies. */
#define ROLE(name, title) err role_##name##_run(struct task *t, struct role *r);
#include "role/roles.def"
#undef ROLE

/* Master: the whole system, from a configuration directory.  foreground:
 * stay; else the caller has forked. */
struct master_options {
    const char *config_dir;
    const char *self;       /* the program's path, to name it */
    int program;            /* and itself (process_self), for starting roles */
    bool foreground;
    int ready_fd;           /* written to when the system serves; -1: none */
};
err role_master_run(struct task *t, const struct master_options *o);

#endif
