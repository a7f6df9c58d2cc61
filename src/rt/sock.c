/* SPDX-License-Identifier: ISC
 *
 * Sockets, the part that both worlds share.
 */
#include "rt/sock.h"

#include "rt/sched.h"

err sock_listen(struct task *t, const struct endpoint *at, int backlog,
                struct sock **out)
{
    return t->world->ops->listen(t, at, backlog, out);
}

err sock_accept(struct task *t, struct sock *listener, when until,
                struct sock **out, struct endpoint *peer)
{
    return listener->ops->accept(t, listener, until, out, peer);
}

err sock_connect(struct task *t, const struct endpoint *to,
                 const struct endpoint *from, when until, struct sock **out)
{
    return t->world->ops->connect(t, to, from, until, out);
}

err sock_pair(struct task *t, struct sock **a, int *b)
{
    return t->world->ops->pair(t, a, b);
}

err sock_adopt(struct task *t, int fd, struct sock **out)
{
    return t->world->ops->sock_adopt(t, fd, out);
}

err sock_local(struct sock *s, struct endpoint *out)
{
    return s->ops->sock_name(s, false, out);
}

err sock_peer(struct sock *s, struct endpoint *out)
{
    return s->ops->sock_name(s, true, out);
}

void sock_close(struct sock *s)
{
    if (s)
        s->ops->sock_close(s);
}

void sock_close_any(void *s)
{
    sock_close(s);
}

err sock_read(struct task *t, struct sock *s, void *p, size_t max, when until,
              size_t *n)
{
    return s->ops->read(t, s, p, max, until, n, NULL);
}

err sock_read_fd(struct task *t, struct sock *s, void *p, size_t max,
                 when until, size_t *n, int *fd)
{
    return s->ops->read(t, s, p, max, until, n, fd);
}

err sock_wait_readable(struct task *t, struct sock *s, when until)
{
    return s->ops->wait_readable(t, s, until);
}

err sock_wait_either(struct task *t, struct sock *a, struct sock *b,
                     when until)
{
    return a->ops->wait_either(t, a, b, until);
}

err sock_read_some(struct sock *s, void *p, size_t max, size_t *n)
{
    return s->ops->read_some(s, p, max, n);
}

err sock_wait_writable(struct task *t, struct sock *s, when until)
{
    return s->ops->wait_writable(t, s, until);
}

bool sock_readable(const struct sock *s)
{
    return s->ops->readable(s);
}

err sock_write(struct task *t, struct sock *s, const struct iovec *iov,
               int n_iov, when until)
{
    for (int i = 0; i < n_iov; i++) {
        str left = str_of(iov[i].iov_base, iov[i].iov_len);
        if (i == 0 && n_iov > 1) {
            size_t n;
            TRY(s->ops->write_some(s, iov, n_iov, -1, &n));
            while (i < n_iov && n >= iov[i].iov_len)
                n -= iov[i++].iov_len;
            if (i == n_iov)
                return OK;
            left = str_skip(str_of(iov[i].iov_base, iov[i].iov_len), n);
        }
        TRY(sock_write_str(t, s, left, until));
    }
    return OK;
}

err sock_write_str(struct task *t, struct sock *s, str bytes, when until)
{
    while (bytes.n > 0) {
        size_t n;
        err e = sock_write_some(s, bytes, &n);
        if (e)
            return why(t, e, "connection lost");
        bytes = str_skip(bytes, n);
        if (bytes.n > 0)
            TRY(s->ops->wait_writable(t, s, until));
    }
    return OK;
}

err sock_write_some(struct sock *s, str bytes, size_t *n)
{
    struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };

    return s->ops->write_some(s, &iov, 1, -1, n);
}

err sock_write_fd(struct task *t, struct sock *s, str bytes, int fd,
                  when until)
{
    size_t n = 0;

    must(bytes.n > 0);
    while (n == 0) {
        struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };
        TRY(s->ops->write_some(s, &iov, 1, fd, &n));
        if (n == 0)
            TRY(s->ops->wait_writable(t, s, until));
    }
    return sock_write_str(t, s, str_skip(bytes, n), until);
}

void sock_shutdown(struct sock *s)
{
    s->ops->shutdown(s);
}
