/* SPDX-License-Identifier: ISC
 *
 * One connection to a next hop: it carries jobs, one after the other, as long
 * as there are any, and stays open for a while after the last.
 */
#include "role/smtpc/smtpc.h"

enum { REFUSED_MAX = 2 }; /* then all that waits has the same fate */

struct carried {
    struct work *w;
    struct smtp_transaction x;
    struct text_reader reader;
};

static void carried_begin(struct task *t, struct client *c, struct line *n,
                          struct carried *out)
{
    struct work *w = out->w;
    struct envelope *e = &w->job.envelope;
    const struct recipient **list =
        arena_array(&w->memory, const struct recipient *, w->n_open);

    w->start_us = w->start_us ? w->start_us : rt_wall(t);
    if (n->peer.n_used == 0)
        w->connected_us = n->connected_us;
    for (size_t i = 0; i < w->n_open; i++)
        list[i] = &e->recipients.p[w->open[i]];
    text_reader_open(&out->reader, c, w,
                     (e->flags & ENVELOPE_8BIT) && !n->peer.eightbit
                         && w->l->convert);
    out->x = (struct smtp_transaction){
        .sender = n->peer.manners.quote
                      ? address_external(&e->sender, &w->memory)
                      : e->sender.text,
        .envelope = e,
        .rcpts = list,
        .n_rcpts = w->n_open,
        .size = e->size,
        .text = { &out->reader, text_reader_next },
        .arena = &w->memory,
    };
    smtp_send_envelope(&n->peer, &out->x);
}

static bool is_kept(const struct client_settings *l, const struct line *n)
{
    if (l->keep)
        return true;
    for (size_t i = 0; i < l->kept.n; i++)
        if (str_ieq(l->kept.p[i], n->target.site)
            || str_ieq(l->kept.p[i], n->target.host))
            return true;
    return false;
}

static bool worn_out(struct task *t, const struct client_settings *l,
                     const struct line *n)
{
    return n->peer.broken || l->edition->old || !is_kept(l, n)
           || (l->uses_max && n->peer.n_used >= l->uses_max)
           || rt_wall(t) - n->connected_us >= l->use_s * 1000000;
}

/* The next that can go over this connection, or NULL.  A server that speaks
 * unasked (421 most of all) is out of step, and takes nothing more. */
static struct work *next_work(struct task *t, struct hop *h, struct line *n)
{
    struct work *w;

    while (smtp_is_quiet(&n->peer) && (w = hop_take(h))) {
        if (verdict_fits(t, n, w))
            return w;
        verdict_end(h->c, w);
    }
    return NULL;
}

/* Carries w.  Nothing of the next message is sent before this one's end was
 * answered: an answer that is missing could not be told from the next. */
static void carry_one(struct task *t, struct client *c, struct line *n,
                      struct work *w)
{
    struct carried now = { .w = w };
    err e;

    carried_begin(t, c, n, &now);
    e = smtp_read_envelope(t, &n->peer, &now.x);
    if (!e)
        e = smtp_send_text(t, &n->peer, &now.x);
    if (!e)
        e = smtp_read_end(t, &n->peer, &now.x);
    text_reader_close(&now.reader);
    if (e)
        n->peer.broken = true;
    verdict(t, n, w, &now.x, e);
    verdict_end(c, w);
}

/* Carries w and what comes after it.  Returns when nothing waits, or the
 * connection is of no more use.  h NULL: w alone. */
static void carry(struct task *t, struct client *c, struct hop *h,
                  struct line *n, struct work *w)
{
    struct client_settings *l = settings_hold(w->l);

    do
        carry_one(t, c, n, w);
    while (h && !worn_out(t, l, n) && (w = next_work(t, h, n)));
    settings_leave(l);
}

/* Waits for more to carry; NULL when nothing came in time.  Who rings takes
 * one off n_idle: another may have taken the job before we wake. */
static struct work *idle(struct task *t, const struct client_settings *l,
                         struct hop *h, struct line *n)
{
    when until = after_s(t, l->idle_s);
    struct work *w;

    err_ignore(conn_flush(t, n->peer.conn, until)); /* its end is noticed */
    while (!(w = next_work(t, h, n))) {
        if (!smtp_is_quiet(&n->peer))
            return NULL;
        h->n_idle++;
        if (bell_wait(t, &h->work, until)) {
            h->n_idle--; /* who rings counts for us */
            return NULL;
        }
        if (l->edition->old)
            return NULL;
    }
    return w;
}

static void fail(struct task *t, struct client *c, struct work *w,
                 const struct open_failure *f)
{
    struct result_rcpt r = {
        .outcome = f->permanent ? OUTCOME_BOUNCED : OUTCOME_DEFERRED,
        .text = f->text,
        .relay = str_empty(f->relay) ? S("none") : f->relay,
    };

    memcpy(r.dsn, f->dsn, sizeof(r.dsn));
    w->dead |= !f->permanent;
    w->rest.list.n = 0;
    verdict_same(t, w, NULL, &r);
    verdict_end(c, w);
}

/* Nobody let us in for w.  What else waits is tried for itself, unless it has
 * happened before. */
static void on_refused(struct task *t, struct hop *h, struct work *w,
                       const struct open_failure *f)
{
    fail(t, h->c, w, f);
    if (++h->n_refused < REFUSED_MAX && !f->permanent)
        return;
    while ((w = hop_take(h)))
        fail(t, h->c, w, f);
}

/* A connection for w and those after it; the next w, or NULL. */
static err serve_one(struct task *t, struct hop *h, struct work *w,
                     struct arena *a)
{
    struct client_settings *l = w->l;
    struct open_failure f = { 0 };
    struct targets to;
    struct line *n;
    err e;

    w->start_us = rt_wall(t);
    e = targets_find(t, h->c, l, h->nexthop, a, &to);
    if (!e)
        e = line_open(t, &(struct line_plan){
            .l = l, .to = &to, .queue_id = w->job.queue_id }, a, &n, &f);
    if (e == ERR_STOPPED) {
        hop_return(h, w);
        return e;
    }
    if (e && h->n_connections > 1) {
        hop_return(h, w); /* others are in: they carry it */
        return ERR_ABSENT;
    }
    if (e) {
        on_refused(t, h, w, &f);
        return OK;
    }
    h->n_refused = 0;
    if (work_is_stale(h->c, w) || work_moved(h->c, w)) {
        w = next_work(t, h, n); /* connecting took its time */
    } else if (!verdict_fits(t, n, w)) {
        verdict_end(h->c, w);
        w = next_work(t, h, n);
    }
    while (w) {
        carry(t, h->c, h, n, w);
        w = worn_out(t, l, n) ? NULL : idle(t, l, h, n);
    }
    line_close(t, n, true);
    return OK;
}

static err serve(struct task *t, struct hop *h)
{
    struct work *w;
    err e = OK;

    while (!e && (w = hop_take(h))) {
        struct client_settings *l = settings_hold(w->l);
        struct arena a;
        log_name_set(t, l->log_name);
        arena_init(&a, 0);
        e = serve_one(t, h, w, &a);
        arena_reset(&a);
        log_name_set(t, "postfix/smtp");
        settings_leave(l);
    }
    return e;
}

err connection_run(struct task *t, void *arg)
{
    struct hop *h = arg;
    err e = serve(t, h);

    h->n_connections--;
    hop_leave(h);
    return e == ERR_ABSENT ? OK : e;
}

err connection_once(struct task *t, void *arg)
{
    struct work_on *on = arg;
    struct client *c = on->c;
    struct work *w = on->w;
    struct client_settings *l;
    struct open_failure f = { 0 };
    struct line *n;
    struct arena a;
    err e;

    heap_free(on);
    work_renew(c, w);
    l = settings_hold(w->l);
    log_name_set(t, l->log_name);
    arena_init(&a, 0);
    e = line_open(t, &(struct line_plan){
                      .l = l, .to = &w->rest, .queue_id = w->job.queue_id,
                      .n_sessions = w->n_sessions }, &a, &n, &f);
    if (e) {
        fail(t, c, w, &f);
    } else if (work_is_stale(c, w)) {
        line_close(t, n, true);
    } else if (verdict_fits(t, n, w)) {
        carry(t, c, NULL, n, w);
        line_close(t, n, true);
    } else {
        verdict_end(c, w);
        line_close(t, n, true);
    }
    arena_reset(&a);
    log_name_set(t, "postfix/smtp");
    settings_leave(l);
    return e == ERR_STOPPED ? e : OK;
}
