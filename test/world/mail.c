/* SPDX-License-Identifier: ISC
 *
 * The mail system: clients send letters to the real smtpd, the real qmgr
 * keeps them, the real smtpc relays them to two peers over two transports, and
 * a stand-in for the deliver role takes some; power fails, processes are
 * killed, disks fail and fill up, the configuration changes, somebody holds,
 * releases, requeues and deletes mail.  Then all faults stop and everything
 * must drain:
 *
 * A  Every letter answered 250 has reached its peer or came back as a report,
 *    for each recipient, unless it was deleted.
 * B  Nothing is left in the spool.
 *
 * The other invariants stand in ledger.c, where they are checked.
 */
#include "test/world/mail.h"

enum { N_SENDERS = 3, DRAIN_S = 3600, RESTART_MS = 100 };

static void set_faults(struct task *t, struct world_mail *w)
{
    struct sim_faults *f = sim_faults(t);

    *f = (struct sim_faults){ .sync_lies = w->r->mutant == MUTANT_EARLY_ACK };
    if (w->calm)
        return;
    f->sync_slow = one_in(t, 3) ? 3000 : 0;
    f->sync_fails = one_in(t, 4) ? 2000 : 0;
    f->write_fails = one_in(t, 6) ? 2000 : 0;
    f->reset = one_in(t, 2) ? 3000 : 0;
    f->refuse = one_in(t, 3) ? 50000 : 0;
    f->slow = one_in(t, 3) ? 3000 : 0;
    if (one_in(t, 4))
        f->capacity = 512 * 1024 * (4 + below(t, 5));
}

/* What ended by itself, or was killed, is started again. */
static void restart(struct task *t, struct world_mail *w)
{
    for (int i = 0; i < N_PROCESSES; i++) {
        struct machine_role *mr = &w->roles[i];
        if (mr->process && !mr->ended)
            continue;
        if (mr->ended) {
            w->r->tally->io_errors += !mr->role.stop;
            vec_push(&w->memory, &w->crashes, rt_now(t));
        }
        role_kill(t, mr);
        role_start_one(t, w, mr);
    }
}

static void hurt(struct task *t, struct world_mail *w)
{
    uint64_t what = below(t, 14);

    if (what >= 12) {
        machine_reload(t, w, (unsigned)below(t, 100));
        set_faults(t, w);
        return;
    }
    vec_push(&w->memory, &w->crashes, rt_now(t));
    if (what < 4) {
        sim_power_loss(t);
        machine_lost(w);
        w->r->tally->crashes++;
        err_ignore(task_sleep(t, after_ms(t, (int64_t)below(t, 5000))));
    } else if (what < 11) {
        role_kill(t, &w->roles[below(t, N_PROCESSES)]);
        w->r->tally->kills++;
    } else {
        struct machine_role *mr = &w->roles[below(t, N_PROCESSES)];
        mr->role.stop = true;
        role_changed(&mr->role);
    }
    set_faults(t, w);
}

static void stormy(struct task *t, struct world_mail *w)
{
    uint64_t n = 2 + below(t, 5);

    for (uint64_t i = 0; i < n; i++) {
        when until = after_ms(t, 200 + (int64_t)below(t, 14000));
        while (rt_now(t) < until) {
            err_ignore(task_sleep(t, after_ms(t, RESTART_MS)));
            restart(t, w);
        }
        hurt(t, w);
        restart(t, w);
    }
}

static bool awaited(const struct letter *l)
{
    return l->promised && !l->deleted;
}

static bool settled(const struct world_mail *w)
{
    for (size_t i = 0; i < w->letters.n; i++) {
        const struct letter *l = w->letters.p[i];
        for (int k = 0; awaited(l) && k < l->n_rcpts; k++)
            if (!l->to[k].n_delivered && !l->to[k].bounced)
                return false;
    }
    return true;
}

static void check_settled(struct world_mail *w)
{
    for (size_t i = 0; i < w->letters.n; i++) {
        const struct letter *l = w->letters.p[i];
        for (int k = 0; awaited(l) && k < l->n_rcpts; k++)
            if (!l->to[k].n_delivered && !l->to[k].bounced)
                broken(w->r, "A: letter %" PRIu64 " for recipient %d is lost",
                       l->id, k);
    }
}

static void pack_nothing(void *self, struct spool_entry *e, struct buf *to)
{
    (void)self;
    (void)e;
    (void)to;
}

/* How many messages the spool holds; the machine must not run. */
static uint64_t count_left(struct task *t, struct world_mail *w, bool tell)
{
    struct spool_options o = { .segment_size = 512 * 1024,
                               .read_only = true };
    struct spool_owner owner = { w, pack_nothing };
    struct spool_found f;
    struct spool *sp;
    struct arena a;
    uint64_t n = 0;

    arena_init(&a, 0);
    if (spool_open(t, &a, w->spool_dir, &o, owner, &sp)) {
        broken(w->r, "B: the spool cannot be opened: %s", task_why(t));
        return 0;
    }
    while (!spool_found_next(t, sp, &f)) {
        n++;
        if (tell)
            broken(w->r, "B: message %" PRIx64 " is left in the spool",
                   f.entry->id);
    }
    arena_reset(&a);
    return n;
}

static void drain(struct task *t, struct world_mail *w)
{
    when until = after_s(t, DRAIN_S);

    w->calm = true;
    set_faults(t, w);
    restart(t, w);
    machine_reload(t, w, 0);
    for (int i = 0; i < 5; i++) {
        err_ignore(task_sleep(t, after_s(t, 1)));
        restart(t, w);
    }
    w->closing = true;
    while (rt_now(t) < until
           && !(settled(w) && count_left(t, w, false) == 0)) {
        err_ignore(operator_release(t, w)); /* again later */
        err_ignore(task_sleep(t, after_s(t, 10)));
        restart(t, w);
    }
    check_settled(w);
    count_left(t, w, true);
}

err mail_scenario(struct task *t, void *arg)
{
    struct world_mail *w = heap_new(struct world_mail);
    struct dir *root;

    w->r = arg;
    arena_init(&w->memory, 0);
    TRY(endpoint_parse(S("192.0.2.1"), 25, &w->relay_at));
    TRY(endpoint_parse(S("192.0.2.1"), 9000, &w->admin_at));
    TRY(endpoint_parse(S("192.0.2.25"), 25, &w->peer[0].at));
    TRY(endpoint_parse(S("192.0.2.26"), 25, &w->peer[1].at));
    for (int i = 0; i < N_PEERS; i++) {
        w->peer[i].w = w;
        TRY(sock_listen(t, &w->peer[i].at, 100, &w->peer[i].listener));
    }
    TRY(dir_make(t, NULL, S("log"), 0700));
    TRY(dir_open(t, NULL, S("/"), &root));
    TRY(dir_sync(t, root));
    TRY(dir_open(t, NULL, S("log"), &w->spool_dir));
    group_open(t, &w->peers);
    group_open(t, &w->machine);
    set_faults(t, w);
    machine_start(t, w);
    for (int i = 0; i < N_PEERS; i++)
        group_go(&w->peers, "receiver", receiver_run, &w->peer[i]);
    group_go(&w->peers, "operator", operator_run, w);
    for (int i = 0; i < N_SENDERS; i++)
        group_go(&w->peers, "sender", sender_run, w);
    stormy(t, w);
    drain(t, w);
    w->r->tally->virtual_s += (uint64_t)rt_now(t) / 1000000;
    for (int i = 0; i < N_PROCESSES; i++)
        role_kill(t, &w->roles[i]);
    group_close(t, &w->peers);
    group_close(t, &w->machine);
    return OK;
}
