/* SPDX-License-Identifier: ISC
 *
 * The mail scenario, inside: the ledger, the peers, the machine.
 */
#ifndef TEST_WORLD_MAIL_H
#define TEST_WORLD_MAIL_H

#include "net/conn.h"
#include "role/role.h"
#include "spool/spool.h"
#include "test/world/world.h"

enum { RCPTS_MAX = 4, N_PROCESSES = 4, N_PEERS = 2, ARRIVAL_RCPTS = 64 };

/* What is known of one recipient of one message. */
struct addressee {
    bool rejected;          /* some time with a 5xx */
    bool bounced;           /* a report came */
    int n_delivered;
    when began, delivered;  /* the last time, */
    bool sure;              /* nothing was slow then */
    when confirmed;         /* and when its client was seen to know; 0 */
};

struct letter {
    uint64_t id;
    uint32_t size;
    int n_rcpts;
    bool sent;              /* its final dot was written */
    bool promised;          /* and answered 250 */
    bool deleted;           /* the operator had it deleted */
    struct addressee to[RCPTS_MAX];
};

/* A role in a process of its own. */
struct machine_role {
    struct world_mail *w;
    enum role_kind kind;
    uint32_t process;       /* 0: does not run */
    struct arena *memory;
    struct role role;
    uint32_t n_editions;
    bool ended;             /* by itself */
};

/* A host that mail is relayed to. */
struct receiver {
    struct world_mail *w;
    struct endpoint at;
    struct sock *listener;
};

struct world_mail {
    struct run *r;
    struct arena memory;
    vec_of(struct letter *) letters;
    struct endpoint relay_at, admin_at;
    struct receiver peer[N_PEERS];
    struct task_group peers, machine;
    struct machine_role roles[N_PROCESSES];
    unsigned variant;       /* of the configuration */
    struct dir *spool_dir;
    bool calm, closing;     /* no faults; no new mail */
    vec_of(when) crashes;   /* when anything was killed */
};

struct letter *letter_find(struct world_mail *w, uint64_t id);

/* The text of a letter from its X-Sim line on. */
void letter_text(const struct letter *l, struct buf *to);

/* The next whole line, without its LF. */
bool line_cut(str *rest, str *line);

err sender_run(struct task *t, void *world_mail);
err receiver_run(struct task *t, void *receiver);

/* ledger.c: a text that came for these recipients; to: those of them whose
 * letter it is. */
struct arrival {
    struct world_mail *w;
    when began;
    bool null_sender;
    const str *rcpts;
    size_t n_rcpts;
    struct addressee *to[ARRIVAL_RCPTS];
    size_t n_to;
};
void arrived(struct task *t, struct arrival *a, str text);
struct addressee *addressee_find(struct world_mail *w, str address);

/* deliverer.c: the deliver role's stand-in. */
err deliverer_run(struct task *t, struct machine_role *mr);

/* operator.c: somebody with postsuper and postqueue. */
err operator_run(struct task *t, void *world_mail);
/* Releases and flushes all; an error if there was nobody to ask. */
err operator_release(struct task *t, struct world_mail *w);

/* machine.c */
void machine_start(struct task *t, struct world_mail *w);
void role_start_one(struct task *t, struct world_mail *w,
                    struct machine_role *mr);
void role_kill(struct task *t, struct machine_role *mr);
void machine_reload(struct task *t, struct world_mail *w, unsigned variant);
void machine_lost(struct world_mail *w);

#endif
