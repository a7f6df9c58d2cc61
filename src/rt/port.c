/* SPDX-License-Identifier: ISC
 *
 * Ports.  Output is one buffer; frames that carry a descriptor remember where
 * in it their first byte lies, so that the descriptor leaves with that byte.
 *
 * I1  Frames arrive in the order they were sent, each whole.
 * I2  A port that broke stays broken: every send and receive says ERR_END.
 *     It breaks, too, when the other side does not read: what waits for it has
 *     a bound, and somebody else's fault must not be our end.
 * I3  A closed port's memory lives until the last sender that waited on it
 *     has been told.
 */
#include "rt/port.h"

#include "rt/sched.h"

#include <fcntl.h>
#include <unistd.h>

enum {
    HEAD = 16,
    MARK = 512 * 1024,          /* senders wait above this */
    OUT_MAX = 64 * 1024 * 1024, /* answers may go so far */
    READ_SIZE = 64 * 1024,
    FRAME_HAS_FD = 0x8000,
    FLUSH_RANK = 100,
};

struct attached {
    struct attached *next;
    uint64_t at; /* counted from the port's first byte ever */
    int fd;
};

struct port {
    struct sock *sock;
    struct turn_hook hook;
    struct buf out;
    size_t out_at;          /* bytes of out that have left */
    uint64_t out_base;      /* place of out's first byte */
    struct attached *fds, **fds_end;
    struct bell room;
    unsigned n_senders;     /* waiting for room */
    bool broken, closed;
    const char *fault;      /* why we broke it, or NULL */

    char *in;
    size_t in_n, in_at, in_cap;
    int in_fds[8];
    size_t n_in_fds;
};

static void port_flush(void *arg);

err port_open(struct task *t, struct sock *s, struct port **out)
{
    struct port *p = heap_new(struct port);

    p->sock = s;
    p->fds_end = &p->fds;
    buf_init(&p->out, NULL, OUT_MAX);
    turn_hook_add(t, &p->hook, FLUSH_RANK, port_flush, p);
    *out = p;
    return OK;
}

static void drop_attached(struct port *p)
{
    struct attached *first = p->fds;

    close(first->fd);
    p->fds = first->next;
    if (!p->fds)
        p->fds_end = &p->fds;
    heap_free(first);
}

void port_close(struct port *p)
{
    if (!p)
        return;
    turn_hook_del(&p->hook);
    while (p->fds)
        drop_attached(p);
    for (size_t i = 0; i < p->n_in_fds; i++)
        close(p->in_fds[i]);
    sock_close(p->sock);
    buf_free(&p->out);
    heap_free(p->in);
    p->broken = p->closed = true;
    bell_ring_all(&p->room);
    if (p->n_senders == 0)
        heap_free(p);
}

void port_end(struct port *p)
{
    port_flush(p);
    sock_shutdown(p->sock);
}

size_t port_backlog(const struct port *p)
{
    return p->out.n - p->out_at;
}

/* One write; up to the next byte that carries a descriptor. */
static err flush_some(struct port *p, size_t *n)
{
    str left = str_skip(buf_str(&p->out), p->out_at);
    struct iovec iov = { (void *)(uintptr_t)left.p, left.n };
    uint64_t place = p->out_base + p->out_at;
    int fd = -1;

    if (p->fds && p->fds->at == place)
        fd = p->fds->fd;
    if (p->fds && fd >= 0 && p->fds->next
        && p->fds->next->at - place < left.n)
        iov.iov_len = p->fds->next->at - place;
    else if (p->fds && fd < 0 && p->fds->at - place < left.n)
        iov.iov_len = p->fds->at - place;
    TRY(p->sock->ops->write_some(p->sock, &iov, 1, fd, n));
    if (fd >= 0 && *n > 0)
        drop_attached(p);
    p->out_at += *n;
    return OK;
}

static void port_flush(void *arg)
{
    struct port *p = arg;
    size_t n = 0;

    while (!p->broken && port_backlog(p) > 0) {
        if (flush_some(p, &n)) {
            p->broken = true;
            sock_shutdown(p->sock);
        }
        if (n == 0)
            break;
    }
    if (p->broken || port_backlog(p) == 0) {
        p->out_base += p->out.n;
        buf_clear(&p->out);
        p->out_at = 0;
    } else if (p->out_at > MARK) {
        buf_shift(&p->out, p->out_at);
        p->out_base += p->out_at;
        p->out_at = 0;
    }
    if (p->out.cap > 2 * MARK && p->out.n == 0)
        buf_free(&p->out);
    if (port_backlog(p) < MARK && bell_waited(&p->room))
        bell_ring_all(&p->room);
}

/* The other side has the fault: only this port ends. */
static void port_break(struct port *p, const char *fault)
{
    p->fault = fault;
    p->broken = true;
    sock_shutdown(p->sock);
    bell_ring_all(&p->room);
}

/* Takes a copy of the descriptor along; false when there is no more room. */
static bool attach(struct port *p, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct attached *a;

    if (copy < 0)
        return false;
    a = heap_new(struct attached);
    a->at = p->out_base + p->out.n;
    a->fd = copy;
    *p->fds_end = a;
    p->fds_end = &a->next;
    return true;
}

/* False, with nothing done, if the descriptor cannot be taken along. */
static bool frame_put(struct port *p, const struct frame *f)
{
    uint16_t flags = f->fd >= 0 ? FRAME_HAS_FD : 0;

    must(!(f->flags & FRAME_HAS_FD));
    if (f->body.n > PORT_BODY_MAX)
        port_break(p, "a frame would be too large");
    else if (p->out.n + HEAD + f->body.n > OUT_MAX)
        port_break(p, "the other process does not read what it is told");
    if (p->broken)
        return true;
    if (f->fd >= 0 && !attach(p, f->fd))
        return false;
    pack_u32(&p->out, (uint32_t)f->body.n);
    pack_u16(&p->out, f->type);
    pack_u16(&p->out, (uint16_t)(f->flags | flags));
    pack_u64(&p->out, f->id);
    buf_add(&p->out, f->body);
    return true;
}

void port_answer(struct port *p, const struct frame *f)
{
    struct frame bare = *f;

    if (p->broken || frame_put(p, f))
        return;
    bare.fd = -1;
    frame_put(p, &bare);
}

err port_wait(struct task *t, struct port *p)
{
    err e = OK;
    bool broken;

    p->n_senders++;
    while (!e && !p->broken && port_backlog(p) > MARK)
        e = bell_wait(t, &p->room, NEVER);
    p->n_senders--;
    broken = p->broken;
    if (p->closed && p->n_senders == 0)
        heap_free(p); /* I3 */
    TRY(e);
    return broken ? why(t, ERR_END, "the other process is gone") : OK;
}

err port_send(struct task *t, struct port *p, const struct frame *f)
{
    TRY(port_wait(t, p));
    if (f->body.n > PORT_BODY_MAX)
        return why(t, ERR_LIMIT, "a frame of %zu bytes", f->body.n);
    if (!frame_put(p, f))
        return why(t, ERR_LIMIT, "no more descriptors");
    return p->broken ? why(t, ERR_END, "%s", p->fault) : OK;
}

/* Makes room for a frame of size bytes behind in_at. */
static void in_room(struct port *p, size_t size)
{
    size_t left = p->in_n - p->in_at;
    size_t want = size > READ_SIZE ? size : READ_SIZE;

    if (p->in_at > 0) {
        if (left)
            memmove(p->in, p->in + p->in_at, left);
        p->in_n = left;
        p->in_at = 0;
    }
    if (p->in_cap < want) {
        p->in = heap_resize(p->in, want);
        p->in_cap = want;
    }
}

static err fill(struct task *t, struct port *p, size_t need, when until)
{
    size_t n;
    int fd = -1;

    if (p->in_at + need > p->in_cap || p->in_n == p->in_at)
        in_room(p, need);
    TRY(sock_read_fd(t, p->sock, p->in + p->in_n, p->in_cap - p->in_n, until,
                     &n, &fd));
    p->in_n += n;
    if (fd < 0)
        return OK;
    if (p->n_in_fds == sizeof(p->in_fds) / sizeof(*p->in_fds)) {
        close(fd);
        return why(t, ERR_PEER, "too many descriptors");
    }
    p->in_fds[p->n_in_fds++] = fd;
    return OK;
}

static err receive(struct task *t, struct port *p, when until,
                   struct frame *out)
{
    uint32_t size;
    const char *head;

    while (p->in_n - p->in_at < HEAD)
        TRY(fill(t, p, HEAD, until));
    size = get_u32(p->in + p->in_at);
    if (size > PORT_BODY_MAX)
        return why(t, ERR_PEER, "frame of %u bytes", size);
    while (p->in_n - p->in_at < HEAD + size)
        TRY(fill(t, p, HEAD + size, until));
    head = p->in + p->in_at;
    *out = (struct frame){
        .type = (uint16_t)(get_u32(head + 4) & 0xffff),
        .flags = (uint16_t)(get_u32(head + 4) >> 16),
        .id = get_u64(head + 8),
        .body = { head + HEAD, size },
        .fd = -1,
    };
    if (out->flags & FRAME_HAS_FD) {
        if (p->n_in_fds == 0)
            return why(t, ERR_PEER, "a descriptor is missing");
        out->fd = p->in_fds[0];
        p->n_in_fds--;
        memmove(p->in_fds, p->in_fds + 1, p->n_in_fds * sizeof(int));
        out->flags &= (uint16_t)~FRAME_HAS_FD;
    }
    p->in_at += HEAD + size;
    return OK;
}

err port_recv(struct task *t, struct port *p, when until, struct frame *out)
{
    err e;

    if (p->in_n == p->in_at && p->in_cap > READ_SIZE) {
        heap_free(p->in); /* a large frame was an exception */
        p->in = NULL;
        p->in_cap = p->in_n = p->in_at = 0;
    }
    e = receive(t, p, until, out);
    if (e && p->fault && e != ERR_STOPPED)
        e = why(t, ERR_PEER, "%s", p->fault);
    if (e && e != ERR_LATE && e != ERR_STOPPED) {
        p->broken = true;
        bell_ring_all(&p->room);
    }
    return e;
}
