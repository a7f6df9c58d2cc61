/* SPDX-License-Identifier: ISC
 *
 * One connection to a next hop: it carries jobs, one chained to the next, as
 * long as there are any, and stays open for a while after the last.
 */
#include "role/smtpc/smtpc.h"

struct carried {
    struct work *w;
    struct smtp_transaction x;
    struct text_reader reader;
};

static void carried_begin(struct task *t, struct client *c, struct line *n,
                          struct work *w, struct carried *out)
{
    struct envelope *e = &w->job.envelope;
    const struct recipient **list =
        arena_array(&w->memory, const struct recipient *, e->recipients.n);

    w->start_us = w->start_us ? w->start_us : rt_wall(t);
    if (n->peer.n_used == 0)
        w->connected_us = n->connected_us;
    for (size_t i = 0; i < e->recipients.n; i++)
        list[i] = &e->recipients.p[i];
    out->w = w;
    text_reader_open(&out->reader, c, w);
    out->x = (struct smtp_transaction){
        .sender = address_external(&e->sender, &w->memory),
        .envelope = e,
        .rcpts = list,
        .n_rcpts = e->recipients.n,
        .size = e->size,
        .text = { &out->reader, text_reader_next },
        .arena = &w->memory,
    };
    smtp_send_envelope(&n->peer, &out->x);
}

static bool worn_out(const struct hop *h, const struct line *n)
{
    return n->peer.broken
           || (h->l->uses_max && n->peer.n_used >= h->l->uses_max);
}

/* Carries w and what can be chained to it.  Returns when nothing waits, or
 * the connection is of no more use. */
static void carry(struct task *t, struct hop *h, struct line *n,
                  struct work *w)
{
    struct carried pair[2];
    struct carried *now = &pair[0], *next = &pair[1];

    carried_begin(t, h->c, n, w, now);
    while (now) {
        bool chained = false;
        err e = smtp_read_envelope(t, &n->peer, &now->x);

        if (!e)
            e = smtp_send_text(t, &n->peer, &now->x);
        if (!e && n->peer.pipelining && !worn_out(h, n)
            && (w = hop_take(h))) {
            carried_begin(t, h->c, n, w, next);
            chained = true;
        }
        if (!e)
            e = smtp_read_end(t, &n->peer, &now->x);
        text_reader_close(&now->reader);
        if (e)
            n->peer.broken = true;
        verdict(t, h->c, h, n, now->w, &now->x, e);
        if (chained && n->peer.broken) {
            text_reader_close(&next->reader); /* it goes another way */
            hop_return(h, next->w);
            chained = false;
        }
        if (!chained && !worn_out(h, n) && (w = hop_take(h))) {
            carried_begin(t, h->c, n, w, next);
            chained = true;
        }
        struct carried *was = now;
        now = chained ? next : NULL;
        next = was;
    }
}

/* Waits for more to carry; NULL when nothing came in time. */
static struct work *idle(struct task *t, struct hop *h, struct line *n)
{
    when until = after_s(t, h->l->idle_s);
    struct work *w;

    err_ignore(conn_flush(t, n->peer.conn, until)); /* its end is noticed */
    while (!(w = hop_take(h))) {
        h->n_idle++;
        if (bell_wait(t, &h->work, until)) {
            h->n_idle--; /* who rings counts for us */
            return NULL;
        }
    }
    return w;
}

static void fail(struct task *t, struct hop *h, struct work *w,
                 const struct open_failure *f)
{
    struct result_rcpt r = {
        .outcome = f->permanent ? OUTCOME_BOUNCED : OUTCOME_DEFERRED,
        .text = f->text,
        .relay = str_empty(f->relay) ? S("none") : f->relay,
    };

    memcpy(r.dsn, f->dsn, sizeof(r.dsn));
    verdict_all(t, h->c, h, w, &r, !f->permanent);
}

static err serve(struct task *t, struct hop *h)
{
    struct work *w = hop_take(h);

    while (w) {
        struct open_failure f = { 0 };
        struct line *n;
        struct arena a;
        err e;

        w->start_us = rt_wall(t);
        arena_init(&a, 0);
        e = line_open(t, h->c, h->l, h->nexthop, &a, &n, &f);
        if (e == ERR_STOPPED) {
            hop_return(h, w);
            arena_reset(&a);
            return e;
        }
        if (e && h->n_connections > 1) {
            hop_return(h, w); /* others are in: they carry it */
            arena_reset(&a);
            return OK;
        }
        for (; e && w; w = hop_take(h))
            fail(t, h, w, &f);
        while (!e && w) {
            if (!work_is_stale(h->c, w)) /* connecting took its time */
                carry(t, h, n, w);
            w = worn_out(h, n) ? hop_take(h) : idle(t, h, n);
            if (worn_out(h, n))
                break;
        }
        if (!e)
            line_close(t, n, true);
        arena_reset(&a);
    }
    return OK;
}

err connection_run(struct task *t, void *arg)
{
    struct hop *h = arg;
    err e;

    log_name_set(t, h->l->log_name);
    e = serve(t, h);
    if (e)
        h->n_connections--;
    else
        hop_left(h);
    return e;
}
