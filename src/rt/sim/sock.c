/* SPDX-License-Identifier: ISC
 *
 * Simulated sockets.  A connection is two pipes; bytes written to one arrive
 * some time later in pieces, in order, and are read in pieces.  A descriptor
 * travels with the byte it was attached to.
 *
 * I1  A pipe lives until both its ends are closed and nothing is under way.
 * I2  What is under way in a pipe arrives in the order it was written; the
 *     end or the break comes last.
 */
#include "rt/sim/local.h"

#include <unistd.h>

enum {
    PIPE_MIN = 2048, PIPE_SPREAD = 64 * 1024,
    LOCAL_US = 200, WIDE_US = 40 * 1000, SLOW_US = 20 * 1000 * 1000,
    LATE_US = 30 * 1000 * 1000,
    BACKLOG_MAX = 64,
};

struct attached {
    struct attached *next;
    uint64_t at;
    int fd;
};

struct pipe {
    struct sim *sim;
    struct buf data;
    uint64_t base;          /* place of data's first byte in the stream */
    size_t visible;         /* bytes of data that have arrived */
    size_t size;            /* so many fit */
    struct attached *fds;
    struct sim_sock *from, *to; /* NULL: closed */
    unsigned n_under_way;
    when last;              /* when the latest of them arrives */
    bool closing;           /* nothing more is sent */
    bool ended, broken;     /* seen by the reader */
};

enum arrival_kind { ARRIVE_BYTES, ARRIVE_END, ARRIVE_BREAK };
struct arrival {
    struct sim_event event;
    struct pipe *pipe;
    enum arrival_kind kind;
    size_t n;
};

struct sim_sock {
    struct sock s;
    struct link link;       /* sim->socks, or a listener's backlog too */
    struct link backlog;    /* listener: those not yet accepted */
    struct link waiting;    /* in a listener's backlog */
    struct sim *sim;
    uint32_t process;
    bool listener, wide;
    size_t n_backlog;
    struct pipe *in, *out;
    struct task *reader, *writer;
    struct endpoint own, peer;
};

static struct sim_sock *sim_sock_of(const struct sock *s)
{
    return container_of(s, struct sim_sock, s);
}

static void wake(struct task *t)
{
    if (t)
        task_wake(t, OK);
}

static void pipe_drop(struct pipe *p)
{
    if (p->from || p->to || p->n_under_way > 0) /* I1 */
        return;
    while (p->fds) {
        struct attached *a = p->fds;
        p->fds = a->next;
        close(a->fd);
        heap_free(a);
    }
    buf_free(&p->data);
    heap_free(p);
}

static void arrive(struct sim_event *event)
{
    struct arrival *a = container_of(event, struct arrival, event);
    struct pipe *p = a->pipe;

    sim_mark(p->sim, MARK_ARRIVE, a->kind, a->n);
    if (a->kind == ARRIVE_BYTES && !p->broken)
        p->visible += a->n;
    p->ended |= a->kind == ARRIVE_END;
    p->broken |= a->kind == ARRIVE_BREAK;
    if (p->to)
        wake(p->to->reader);
    if (p->from && p->broken)
        wake(p->from->writer);
    p->n_under_way--;
    heap_free(a);
    pipe_drop(p);
}

static void send_off(struct pipe *p, enum arrival_kind kind, size_t n,
                     when delay_us)
{
    struct arrival *a = heap_new(struct arrival);
    when at = p->sim->w.now + 1 + delay_us;

    if (at <= p->last)
        at = p->last + 1; /* I2 */
    p->last = at;
    p->n_under_way++;
    a->pipe = p;
    a->kind = kind;
    a->n = n;
    sim_event_at(p->sim, &a->event, at, arrive);
}

static when delay(struct sim_sock *s)
{
    struct sim *sim = s->sim;

    if (!s->wide)
        return (when)sim_below(sim, LOCAL_US);
    if (sim_chance(sim, sim->faults.slow))
        return (when)sim_below(sim, SLOW_US);
    return (when)sim_below(sim, WIDE_US);
}

static struct sim_sock *sock_new(struct sim *sim, uint32_t process, bool wide)
{
    struct sim_sock *s = heap_new(struct sim_sock);

    s->s.ops = &sim_ops;
    s->sim = sim;
    s->process = process;
    s->wide = wide;
    list_init(&s->backlog);
    list_add_last(&sim->socks, &s->link);
    return s;
}

static struct pipe *pipe_new(struct sim_sock *from, struct sim_sock *to)
{
    struct pipe *p = heap_new(struct pipe);

    p->sim = from->sim;
    p->size = PIPE_MIN + sim_below(p->sim, PIPE_SPREAD);
    buf_init(&p->data, NULL, 2 * (PIPE_MIN + PIPE_SPREAD));
    p->from = from;
    p->to = to;
    from->out = to->in = p;
    return p;
}

static void pair_up(struct sim_sock *a, struct sim_sock *b)
{
    pipe_new(a, b);
    pipe_new(b, a);
}

/* --- closing ------------------------------------------------------------- */

static void pipe_end(struct pipe *p, enum arrival_kind kind, when delay_us)
{
    if (p->closing)
        return;
    p->closing = true;
    send_off(p, kind, 0, delay_us);
}

static void sock_drop(struct sim_sock *s, bool late)
{
    when after = late ? (when)sim_below(s->sim, LATE_US) : delay(s);
    /* a real stack breaks a connection that is closed with input unread */
    bool rude = late || (s->wide && s->in && s->in->data.n > 0);

    s->reader = s->writer = NULL;
    sim_tickets_forget(s->sim, s);
    while (!list_empty(&s->backlog))
        sock_drop(container_of(list_pop(&s->backlog), struct sim_sock,
                               waiting), late);
    if (link_on(&s->waiting))
        list_del(&s->waiting);
    if (s->out) {
        pipe_end(s->out, rude ? ARRIVE_BREAK : ARRIVE_END, after);
        s->out->from = NULL;
        s->in->to = NULL;
        if (s->in->from)
            wake(s->in->from->writer);
        pipe_drop(s->out);
        pipe_drop(s->in);
    }
    list_del(&s->link);
    heap_free(s);
}

void sim_sock_close(struct sock *sock)
{
    struct sim_sock *s = sim_sock_of(sock);

    must(!s->reader && !s->writer);
    sock_drop(s, false);
}

void sim_socks_drop(struct sim *sim, uint32_t process, bool late)
{
    bool more = true;

    while (more) { /* dropping one may drop others */
        more = false;
        list_each(l, &sim->socks) {
            struct sim_sock *s = container_of(l, struct sim_sock, link);
            if (s->process != process)
                continue;
            sock_drop(s, late && s->wide);
            more = true;
            break;
        }
    }
}

void sim_socks_done(struct sim *sim)
{
    while (!list_empty(&sim->socks))
        sock_drop(container_of(sim->socks.next, struct sim_sock, link),
                  false);
    for (struct heap_node *n; (n = heap_first(&sim->events));) {
        struct sim_event *e = container_of(n, struct sim_event, node);
        heap_del(&sim->events, n);
        e->fn(e);
    }
}

void sim_shutdown(struct sock *sock)
{
    struct sim_sock *s = sim_sock_of(sock);

    pipe_end(s->out, ARRIVE_END, delay(s));
}

/* --- making -------------------------------------------------------------- */

static struct sim_sock *listener_find(struct sim *sim,
                                      const struct endpoint *at)
{
    list_each(l, &sim->socks) {
        struct sim_sock *s = container_of(l, struct sim_sock, link);
        if (s->listener && s->own.port == at->port
            && endpoint_same_address(&s->own, at))
            return s;
    }
    return NULL;
}

err sim_listen(struct task *t, const struct endpoint *at, int backlog,
               struct sock **out)
{
    struct sim *sim = sim_of(t->world);
    struct sim_sock *s;

    (void)backlog;
    if (listener_find(sim, at))
        return why(t, ERR_IO, "bind: Address already in use");
    s = sock_new(sim, t->process, at->kind != ENDPOINT_UNIX);
    s->listener = true;
    s->own = *at;
    *out = &s->s;
    return OK;
}

static err park_on(struct task *t, struct task **slot, when until)
{
    err e;

    must(!*slot);
    *slot = t;
    e = task_park(t, until);
    *slot = NULL;
    return e;
}

err sim_accept(struct task *t, struct sock *listener, when until,
               struct sock **out, struct endpoint *peer)
{
    struct sim_sock *s = sim_sock_of(listener), *got;

    while (list_empty(&s->backlog))
        TRY(park_on(t, &s->reader, until));
    if (t->stopped)
        return ERR_STOPPED;
    got = container_of(list_pop(&s->backlog), struct sim_sock, waiting);
    s->n_backlog--;
    *peer = got->peer;
    *out = &got->s;
    return OK;
}

/* The address a connection comes from when nobody says. */
static struct endpoint own_address(struct sim *sim, const struct endpoint *to)
{
    struct endpoint e = { .kind = to->kind };

    if (to->kind == ENDPOINT_IP4)
        memcpy(e.ip, (const unsigned char[]){ 127, 0, 0, 1 }, 4);
    else if (to->kind == ENDPOINT_IP6)
        e.ip[15] = 1;
    e.port = (uint16_t)(1024 + ++sim->last_port % 60000);
    return e;
}

err sim_connect(struct task *t, const struct endpoint *to,
                const struct endpoint *from, when until, struct sock **out)
{
    struct sim *sim = sim_of(t->world);
    bool wide = to->kind != ENDPOINT_UNIX;
    when arrives = t->world->now + 1
                   + (when)sim_below(sim, wide ? WIDE_US : LOCAL_US);
    struct sim_sock *l, *ours, *theirs;
    err e;

    if (wide && t->process && sim_chance(sim, sim->faults.refuse))
        arrives = t->world->now + LATE_US * 4; /* packets are lost */
    e = task_sleep(t, arrives < until ? arrives : until);
    TRY(e);
    if (arrives > until)
        return why(t, ERR_LATE, "Connection timed out");
    l = listener_find(sim, to);
    if (!l || l->n_backlog >= BACKLOG_MAX)
        return why(t, ERR_PEER, "Connection refused");
    ours = sock_new(sim, t->process, wide);
    theirs = sock_new(sim, l->process, wide);
    pair_up(ours, theirs);
    ours->peer = theirs->own = *to;
    ours->own = theirs->peer = from ? *from : own_address(sim, to);
    list_add_last(&l->backlog, &theirs->waiting);
    l->n_backlog++;
    wake(l->reader);
    sim->counts.connections++;
    sim_mark(sim, MARK_CONNECT, to->port, l->process);
    *out = &ours->s;
    return OK;
}

err sim_pair(struct task *t, struct sock **a, int *b)
{
    struct sim *sim = sim_of(t->world);
    struct sim_sock *ours = sock_new(sim, t->process, false);
    struct sim_sock *theirs = sock_new(sim, t->process, false);

    pair_up(ours, theirs);
    *a = &ours->s;
    *b = sim_ticket_new(sim, theirs, NULL);
    return OK;
}

err sim_sock_adopt(struct task *t, int fd, struct sock **out)
{
    struct sim_ticket *k = sim_ticket_find(sim_of(t->world), fd);

    if (!k || !k->sock)
        return why(t, ERR_IO, "descriptor %d stands for no socket", fd);
    close(fd);
    k->sock->process = t->process;
    *out = &k->sock->s;
    list_del(&k->link);
    heap_free(k);
    return OK;
}

err sim_sock_name(struct sock *sock, bool peer, struct endpoint *out)
{
    *out = peer ? sim_sock_of(sock)->peer : sim_sock_of(sock)->own;
    return OK;
}

/* --- reading ------------------------------------------------------------- */

bool sim_readable(const struct sock *sock)
{
    const struct sim_sock *s = sim_sock_of(sock);

    return s->listener ? !list_empty(&s->backlog)
                       : s->in->visible > 0 || s->in->ended || s->in->broken;
}

/* The descriptor at the stream's next byte; how far a read may go. */
static size_t take_attached(struct pipe *p, size_t max, int *fd)
{
    struct attached *a = p->fds;

    if (a && a->at == p->base) {
        p->fds = a->next;
        if (fd)
            *fd = a->fd;
        else
            close(a->fd);
        heap_free(a);
        a = p->fds;
    }
    return a && a->at - p->base < max ? (size_t)(a->at - p->base) : max;
}

static err read_once(struct sim_sock *s, void *to, size_t max, size_t *n,
                     int *fd)
{
    struct pipe *p = s->in;
    size_t k = p->visible < max ? p->visible : max;

    *n = 0;
    if (fd)
        *fd = -1;
    if (k == 0)
        return p->ended || p->broken ? ERR_END : OK;
    if (k > 1 && sim_below(s->sim, 4) == 0)
        k = 1 + sim_below(s->sim, k);
    k = take_attached(p, k, fd);
    memcpy(to, p->data.p, k);
    buf_shift(&p->data, k);
    p->base += k;
    p->visible -= k;
    *n = k;
    sim_mark(s->sim, MARK_READ, k, p->visible);
    if (p->from)
        wake(p->from->writer);
    return OK;
}

err sim_read(struct task *t, struct sock *sock, void *p, size_t max,
             when until, size_t *n, int *fd)
{
    struct sim_sock *s = sim_sock_of(sock);
    size_t got = 0;

    while (got == 0) {
        err e;
        if (t->stopped)
            return ERR_STOPPED;
        if (!sim_readable(sock))
            TRY(park_on(t, &s->reader, until));
        e = read_once(s, p, max, &got, fd);
        if (e)
            return why(t, e, "%s", s->in->broken ? "Connection reset by peer"
                                                 : "end of stream");
    }
    *n = got;
    return OK;
}

err sim_read_some(struct sock *sock, void *p, size_t max, size_t *n)
{
    return read_once(sim_sock_of(sock), p, max, n, NULL);
}

err sim_wait_readable(struct task *t, struct sock *sock, when until)
{
    if (t->stopped)
        return ERR_STOPPED;
    return sim_readable(sock) ? OK
         : park_on(t, &sim_sock_of(sock)->reader, until);
}

err sim_wait_either(struct task *t, struct sock *one, struct sock *other,
                    when until)
{
    struct sim_sock *a = sim_sock_of(one), *b = sim_sock_of(other);
    err e;

    if (t->stopped)
        return ERR_STOPPED;
    if (sim_readable(one) || sim_readable(other))
        return OK;
    must(a != b && !a->reader);
    a->reader = t;
    e = park_on(t, &b->reader, until);
    a->reader = NULL;
    return e;
}

/* --- writing ------------------------------------------------------------- */

static size_t room(const struct pipe *p)
{
    if (!p->to) /* nobody reads: it goes nowhere, or fails */
        return SIZE_MAX;
    return p->data.n < p->size ? p->size - p->data.n : 0;
}

err sim_wait_writable(struct task *t, struct sock *sock, when until)
{
    struct sim_sock *s = sim_sock_of(sock);

    if (t->stopped)
        return ERR_STOPPED;
    return room(s->out) > 0 || s->in->broken
               ? OK : park_on(t, &s->writer, until);
}

static void attach(struct pipe *p, int fd)
{
    struct attached *a = heap_new(struct attached), **at = &p->fds;

    a->at = p->base + p->data.n;
    a->fd = dup(fd);
    must(a->fd >= 0);
    while (*at)
        at = &(*at)->next;
    *at = a;
}

static void copy_in(struct pipe *p, const struct iovec *iov, int n_iov,
                    size_t n)
{
    for (int i = 0; i < n_iov && n > 0; i++) {
        size_t k = iov[i].iov_len < n ? iov[i].iov_len : n;
        if (p->to)
            buf_add(&p->data, str_of(iov[i].iov_base, k));
        n -= k;
    }
    must(!p->data.over);
}

/* A fault of the net: both sides lose what is under way. */
static void break_both(struct sim_sock *s)
{
    s->sim->counts.resets++;
    pipe_end(s->out, ARRIVE_BREAK, delay(s));
    pipe_end(s->in, ARRIVE_BREAK, delay(s));
}

err sim_write_some(struct sock *sock, const struct iovec *iov, int n_iov,
                   int fd, size_t *n)
{
    struct sim_sock *s = sim_sock_of(sock);
    struct pipe *p = s->out;
    size_t all = 0, k;

    *n = 0;
    for (int i = 0; i < n_iov; i++)
        all += iov[i].iov_len;
    if (p->broken || s->in->broken || (p->closing && p->to))
        return ERR_END;
    if (!p->to && (s->in->ended || !s->wide))
        return ERR_END;
    if (s->wide && sim_chance(s->sim, s->sim->faults.reset))
        break_both(s);
    k = room(p) < all ? room(p) : all;
    if (k > 1 && sim_below(s->sim, 4) == 0)
        k = 1 + sim_below(s->sim, k);
    if (k == 0)
        return OK;
    if (fd >= 0 && p->to)
        attach(p, fd);
    copy_in(p, iov, n_iov, k);
    if (p->to && !p->closing)
        send_off(p, ARRIVE_BYTES, k, delay(s));
    sim_mark(s->sim, MARK_WRITE, k, all);
    *n = k;
    return OK;
}
