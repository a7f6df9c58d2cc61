/* SPDX-License-Identifier: ISC
 *
 * The keys of TLS session tickets.  All processes that serve TLS have the
 * same ones, and those that are started again get them again; nothing of them
 * is on a disk.  A key seals for smtpd_tls_session_cache_timeout, and opens
 * what it has sealed for as long again.
 */
#include "role/master/master.h"

#include "role/events.h"

static void add_key(struct task *t, struct master *m)
{
    struct tls_tickets *k = &m->tickets;

    memmove(k->keys[1], k->keys[0], sizeof(k->keys[0]));
    rt_random(t, k->keys[0], sizeof(k->keys[0]));
    if (k->n < TLS_TICKET_KEYS_MAX)
        k->n++;
}

void tickets_begin(struct task *t, struct master *m)
{
    m->tickets.n = 0;
    add_key(t, m);
}

void tickets_give(struct child *c)
{
    const struct tls_tickets *k = &c->m->tickets;

    if ((c->kind != ROLE_smtpd && c->kind != ROLE_imapd) || k->n == 0)
        return;
    port_answer(c->control, &(struct frame){
                    .type = CONTROL_TICKETS, .fd = -1,
                    .body = str_of(k->keys, k->n * sizeof(k->keys[0])) });
}

err tickets_run(struct task *t, void *master)
{
    struct master *m = master;

    for (;;) {
        int64_t s = conf_seconds(m->now->conf,
                                 P_smtpd_tls_session_cache_timeout);
        TRY(task_sleep(t, after_s(t, s < 60 ? 60 : s)));
        add_key(t, m);
        list_each(l, &m->children) {
            struct child *c = container_of(l, struct child, link);
            if (c->alive)
                tickets_give(c);
        }
    }
}
