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

enum { RCPTS_MAX = 4 };

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
    struct addressee to[RCPTS_MAX];
};

/* A role in a process of its own. */
struct machine_role {
    struct world_mail *w;
    enum role_kind kind;
    uint32_t process;       /* 0: does not run */
    struct arena *memory;
    struct role role;
    bool ended;             /* by itself */
};

struct world_mail {
    struct run *r;
    struct arena memory;
    vec_of(struct letter *) letters;
    struct endpoint relay_at, peer_at;
    struct sock *peer_listener;
    struct task_group peers, machine;
    struct machine_role roles[3];
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
err receiver_run(struct task *t, void *world_mail);

/* machine.c */
void machine_start(struct task *t, struct world_mail *w);
void role_start_one(struct task *t, struct world_mail *w,
                    struct machine_role *mr);
void role_kill(struct task *t, struct machine_role *mr);
void machine_lost(struct world_mail *w);

#endif
