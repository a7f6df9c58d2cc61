/* SPDX-License-Identifier: ISC
 *
 * Sockets over epoll, edge-triggered, one registration each.  After a short
 * read the socket counts as exhausted and the next read parks without asking
 * the kernel for EAGAIN, unless the peer has hung up: that edge comes once.
 */
#include "rt/epoll/real.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS_PER_MESSAGE_MAX = 4 };

/* The kernel limits how much one user may watch (fs.epoll): then a
 * connection is over at once, and a listener is tried again. */
static bool poll_add(struct real_sock *s)
{
    struct epoll_event ev = {
        .events = s->listener
                      ? (uint32_t)EPOLLIN | (uint32_t)EPOLLEXCLUSIVE
                      : (uint32_t)(EPOLLIN | EPOLLOUT | EPOLLRDHUP)
                            | (uint32_t)EPOLLET,
        .data.ptr = s,
    };

    s->polled = epoll_ctl(s->rw->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) == 0;
    if (s->polled)
        return true;
    must(errno == ENOMEM || errno == ENOSPC);
    if (!s->listener)
        shutdown(s->fd, SHUT_RDWR);
    s->readable = !s->listener;
    return false;
}

static void poll_del(struct real_sock *s)
{
    epoll_ctl(s->rw->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->polled = false;
}

struct real_sock *real_sock_new(struct real_world *rw, int fd, bool listener)
{
    struct real_sock *s = heap_new(struct real_sock);

    s->s.ops = &real_ops;
    s->rw = rw;
    s->fd = fd;
    s->listener = listener;
    s->readable = !listener;
    s->writable = true;
    if (!listener)
        poll_add(s);
    return s;
}

void real_sock_close(struct sock *sock)
{
    struct real_sock *s = real_sock_of(sock);

    must(!s->reader && !s->writer);
    if (s->shared && s->polled)
        poll_del(s);
    close(s->fd);
    heap_free(s);
}

void endpoint_to_sockaddr(const struct endpoint *e,
                          struct sockaddr_storage *out, socklen_t *size)
{
    memset(out, 0, sizeof(*out));
    if (e->kind == ENDPOINT_UNIX) {
        struct sockaddr_un *un = (void *)out;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, e->path, sizeof(un->sun_path));
        *size = sizeof(*un);
    } else if (e->kind == ENDPOINT_IP6) {
        struct sockaddr_in6 *in6 = (void *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(e->port);
        in6->sin6_scope_id = e->scope;
        memcpy(&in6->sin6_addr, e->ip, 16);
        *size = sizeof(*in6);
    } else {
        struct sockaddr_in *in = (void *)out;
        must(e->kind == ENDPOINT_IP4);
        in->sin_family = AF_INET;
        in->sin_port = htons(e->port);
        memcpy(&in->sin_addr, e->ip, 4);
        *size = sizeof(*in);
    }
}

/* An IPv4 client of an IPv6 socket counts as what it is: IPv4. */
void endpoint_from_sockaddr(const struct sockaddr_storage *in,
                            socklen_t size, struct endpoint *out)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

    *out = (struct endpoint){ .kind = ENDPOINT_UNIX };
    if (size < sizeof(sa_family_t))
        return;
    if (in->ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const void *)in;
        out->kind = ENDPOINT_IP4;
        out->port = ntohs(in4->sin_port);
        memcpy(out->ip, &in4->sin_addr, 4);
    } else if (in->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)in;
        bool is_mapped = memcmp(&in6->sin6_addr, mapped, 12) == 0;
        out->kind = is_mapped ? ENDPOINT_IP4 : ENDPOINT_IP6;
        out->port = ntohs(in6->sin6_port);
        out->scope = in6->sin6_scope_id;
        memcpy(out->ip, (const char *)&in6->sin6_addr + (is_mapped ? 12 : 0),
               is_mapped ? 4 : 16);
    } else if (in->ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const void *)in;
        memcpy(out->path, un->sun_path, sizeof(out->path) - 1);
    }
}

static int family_of(const struct endpoint *e)
{
    return e->kind == ENDPOINT_UNIX ? AF_UNIX
         : e->kind == ENDPOINT_IP6  ? AF_INET6 : AF_INET;
}

/* A stale socket file is replaced; any other file is not touched. */
static void unlink_stale(const struct endpoint *at)
{
    struct stat st;

    if (at->kind == ENDPOINT_UNIX && lstat(at->path, &st) == 0
        && S_ISSOCK(st.st_mode))
        unlink(at->path);
}

err sock_listen_fd(struct task *t, const struct endpoint *at, int backlog,
                   uint32_t mode, int *out)
{
    struct sockaddr_storage sa;
    socklen_t size;
    int one = 1;
    int fd = socket(family_of(at), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    0);

    if (fd < 0)
        return why(t, err_of_errno(errno), "socket: %s", strerror(errno));
    if (at->kind != ENDPOINT_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (at->kind == ENDPOINT_IP6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    unlink_stale(at);
    endpoint_to_sockaddr(at, &sa, &size);
    if (bind(fd, (struct sockaddr *)&sa, size)
        || (at->kind == ENDPOINT_UNIX && chmod(at->path, mode))
        || listen(fd, backlog)) {
        int number = errno;
        close(fd);
        return why(t, err_of_errno(number), "bind: %s", strerror(number));
    }
    *out = fd;
    return OK;
}

err real_listen(struct task *t, const struct endpoint *at, int backlog,
                struct sock **out)
{
    int fd;

    TRY(sock_listen_fd(t, at, backlog, 0666, &fd));
    *out = &real_sock_new(real_of(t->world), fd, true)->s;
    return OK;
}

/* Parks the task as the socket's reader or writer. */
static err park_on(struct task *t, struct task **slot, when until)
{
    err e;

    must(!*slot);
    *slot = t;
    e = task_park(t, until);
    *slot = NULL;
    return e;
}

/* Several processes wait at the same listener, and the kernel wakes the one
 * that has waited longest.  A listener is on the poll only while a task waits
 * for it: so each connection puts its process last in that line, which shares
 * the work; what came before is seen when the waiting begins; and nobody is
 * woken who will not accept, while others sleep. */
static err wait_connection(struct task *t, struct real_sock *l, when until)
{
    err e;

    l->readable = false;
    if (!poll_add(l))
        return why(t, ERR_LIMIT, "listener cannot be watched");
    e = park_on(t, &l->reader, until);
    poll_del(l);
    return l->readable ? OK : e; /* woken, it has to be taken, even if late */
}

err real_accept(struct task *t, struct sock *listener, when until,
                struct sock **out, struct endpoint *peer)
{
    struct real_sock *l = real_sock_of(listener);

    for (;;) {
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);
        int fd, one = 1;

        if (t->stopped)
            return ERR_STOPPED;
        TRY(wait_connection(t, l, until));
        fd = accept4(l->fd, (struct sockaddr *)&sa, &size,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            endpoint_from_sockaddr(&sa, size, peer);
            if (peer->kind != ENDPOINT_UNIX)
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            *out = &real_sock_new(l->rw, fd, false)->s;
            return OK;
        }
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            return why(t, err_of_errno(errno), "accept: %s", strerror(errno));
    }
}

static err connect_finish(struct task *t, struct real_sock *s, when until)
{
    int number = 0;
    socklen_t size = sizeof(number);
    err e;

    s->writable = false;
    e = park_on(t, &s->writer, until);
    if (e == ERR_LATE)
        return why(t, e, "%s", strerror(ETIMEDOUT));
    TRY(e);
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &size);
    if (number)
        return why(t, number == ETIMEDOUT ? ERR_LATE : ERR_PEER, "%s",
                   strerror(number));
    return OK;
}

static err connect_socket(struct task *t, const struct endpoint *to,
                          const struct endpoint *from, int fd)
{
    struct sockaddr_storage sa;
    socklen_t size;
    int one = 1;

    if (from) {
        endpoint_to_sockaddr(from, &sa, &size);
        if (bind(fd, (struct sockaddr *)&sa, size))
            return why(t, err_of_errno(errno), "bind: %s", strerror(errno));
    }
    if (to->kind != ENDPOINT_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    endpoint_to_sockaddr(to, &sa, &size);
    if (connect(fd, (struct sockaddr *)&sa, size) && errno != EINPROGRESS)
        return why(t, errno == ENOENT ? ERR_ABSENT : ERR_PEER, "%s",
                   strerror(errno));
    return OK;
}

err real_connect(struct task *t, const struct endpoint *to,
                 const struct endpoint *from, when until, struct sock **out)
{
    struct real_sock *s;
    err e;
    int fd = socket(family_of(to), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    0);

    if (fd < 0)
        return why(t, err_of_errno(errno), "socket: %s", strerror(errno));
    e = connect_socket(t, to, from, fd);
    if (e) {
        close(fd);
        return e;
    }
    s = real_sock_new(real_of(t->world), fd, false);
    if (to->kind != ENDPOINT_UNIX)
        e = connect_finish(t, s, until);
    if (e) {
        real_sock_close(&s->s);
        return e;
    }
    *out = &s->s;
    return OK;
}

err real_sock_adopt(struct task *t, int fd, struct sock **out)
{
    struct real_sock *s;
    int flags = fcntl(fd, F_GETFL);
    int listening = 0;
    socklen_t size = sizeof(listening);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return why(t, ERR_IO, "descriptor %d: %s", fd, strerror(errno));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
    s = real_sock_new(real_of(t->world), fd, listening != 0);
    s->shared = true;
    *out = &s->s;
    return OK;
}

err sock_pair_fds(struct task *t, int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return why(t, err_of_errno(errno), "socketpair: %s", strerror(errno));
    return OK;
}

err real_pair(struct task *t, struct sock **a, int *b)
{
    int fds[2];
    err e;

    TRY(sock_pair_fds(t, fds));
    e = real_sock_adopt(t, fds[0], a);
    if (e) {
        close(fds[0]);
        close(fds[1]);
        return e;
    }
    *b = fds[1];
    return OK;
}

/* The message's descriptor; all but the first are closed. */
static int fd_of(struct msghdr *m)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
            if (fd < 0)
                fd = one;
            else
                close(one);
        }
    }
    return fd;
}

static ssize_t receive(int from, void *p, size_t max, int *fd)
{
    char control[CMSG_SPACE(FDS_PER_MESSAGE_MAX * sizeof(int))]
        __attribute__((aligned(8)));
    struct iovec iov = { p, max };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);

    *fd = n > 0 ? fd_of(&m) : -1;
    return n;
}

/* One try; *n is 0 when it would wait. */
static err read_once(struct real_sock *s, void *p, size_t max, size_t *n,
                     int *fd)
{
    ssize_t got;

    *n = 0;
    do
        got = fd ? receive(s->fd, p, max, fd) : read(s->fd, p, max);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return ERR_END;
    if (got > 0) {
        /* with descriptors a read ends at each of them */
        if ((size_t)got < max && !(fd && *fd >= 0))
            s->readable = false;
        *n = (size_t)got;
        return OK;
    }
    if (errno != EAGAIN)
        return err_of_errno(errno);
    s->readable = false;
    s->hung_up = false; /* the edge of an error that left nothing */
    return OK;
}

err real_read(struct task *t, struct sock *sock, void *p, size_t max,
              when until, size_t *n, int *fd)
{
    struct real_sock *s = real_sock_of(sock);
    size_t got = 0;

    while (got == 0) {
        err e;
        if (t->stopped)
            return ERR_STOPPED;
        if (!s->readable && !s->hung_up)
            TRY(park_on(t, &s->reader, until));
        e = read_once(s, p, max, &got, fd);
        if (e)
            return why(t, e, "%s", e == ERR_END ? "end of stream"
                                                : strerror(errno));
    }
    *n = got;
    return OK;
}

err real_read_some(struct sock *sock, void *p, size_t max, size_t *n)
{
    struct real_sock *s = real_sock_of(sock);

    *n = 0;
    return s->readable || s->hung_up ? read_once(s, p, max, n, NULL) : OK;
}

err real_wait_readable(struct task *t, struct sock *sock, when until)
{
    struct real_sock *s = real_sock_of(sock);

    if (t->stopped)
        return ERR_STOPPED;
    return s->readable || s->hung_up ? OK : park_on(t, &s->reader, until);
}

err real_wait_either(struct task *t, struct sock *one, struct sock *other,
                     when until)
{
    struct real_sock *a = real_sock_of(one), *b = real_sock_of(other);
    err e;

    if (t->stopped)
        return ERR_STOPPED;
    if (a->readable || a->hung_up || b->readable || b->hung_up)
        return OK;
    must(a != b && !a->reader);
    a->reader = t;
    e = park_on(t, &b->reader, until);
    a->reader = NULL;
    return e;
}

err real_wait_writable(struct task *t, struct sock *sock, when until)
{
    struct real_sock *s = real_sock_of(sock);

    if (t->stopped)
        return ERR_STOPPED;
    return s->writable ? OK : park_on(t, &s->writer, until);
}

bool real_readable(const struct sock *sock)
{
    const struct real_sock *s = real_sock_of(sock);

    return s->readable || s->hung_up;
}

static ssize_t transmit(int to, const struct iovec *iov, int n_iov, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
                        .msg_iovlen = (size_t)n_iov,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c;

    memset(control, 0, sizeof(control));
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL);
}

err real_write_some(struct sock *sock, const struct iovec *iov, int n_iov,
                    int fd, size_t *n)
{
    struct real_sock *s = real_sock_of(sock);
    ssize_t sent;

    *n = 0;
    if (!s->writable)
        return OK;
    do
        sent = fd >= 0 ? transmit(s->fd, iov, n_iov, fd)
                       : writev(s->fd, iov, n_iov);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *n = (size_t)sent;
        return OK;
    }
    if (errno != EAGAIN)
        return err_of_errno(errno);
    s->writable = false;
    return OK;
}

void real_shutdown(struct sock *sock)
{
    shutdown(real_sock_of(sock)->fd, SHUT_WR);
}

err real_sock_name(struct sock *sock, bool peer, struct endpoint *out)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    int fd = real_sock_of(sock)->fd;

    if (peer ? getpeername(fd, (struct sockaddr *)&sa, &size)
             : getsockname(fd, (struct sockaddr *)&sa, &size))
        return err_of_errno(errno);
    endpoint_from_sockaddr(&sa, size, out);
    return OK;
}

void sock_abort(struct sock *sock)
{
    if (sock->ops->simulated)
        sock->ops->shutdown(sock);
    else
        shutdown(real_sock_of(sock)->fd, SHUT_RDWR);
}

err sock_peer_uid(struct sock *sock, uint32_t *uid)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (sock->ops->simulated)
        return ERR_ABSENT;
    if (getsockopt(real_sock_of(sock)->fd, SOL_SOCKET, SO_PEERCRED, &cred,
                   &size))
        return err_of_errno(errno);
    *uid = cred.uid;
    return OK;
}

int sock_fd(const struct sock *sock)
{
    if (sock->ops != &real_ops)
        return -1;
    real_sock_of(sock)->shared = true; /* whoever asks may pass it on */
    return real_sock_of(sock)->fd;
}

void fd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
