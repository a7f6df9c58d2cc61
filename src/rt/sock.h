/* SPDX-License-Identifier: ISC
 *
 * Stream sockets and where they lead.  The only door to the network.
 */
#ifndef RT_SOCK_H
#define RT_SOCK_H

#include "rt/task.h"

#include <netinet/in.h>
#include <sys/uio.h>

/* Where a socket is or leads: an address and port, or a path. */
enum endpoint_kind { ENDPOINT_NONE, ENDPOINT_IP4, ENDPOINT_IP6,
                     ENDPOINT_UNIX };
struct endpoint {
    enum endpoint_kind kind;
    uint16_t port;
    unsigned char ip[16];   /* network order; 4 bytes for IP4 */
    uint32_t scope;
    char path[108];         /* ENDPOINT_UNIX, NUL-ended */
};

/* Reads a numeric address ("192.0.2.1", "2001:db8::1", with or without
 * brackets); the port is given apart. */
err endpoint_parse(str address, uint16_t port, struct endpoint *out);
err endpoint_unix(str path, struct endpoint *out);

/* The address without port as Postfix logs it: "192.0.2.1", "2001:db8::1",
 * "unknown" for a UNIX socket. */
str endpoint_address(const struct endpoint *e, struct arena *a);
/* With the port: "[192.0.2.1]:25", or the path. */
str endpoint_text(const struct endpoint *e, struct arena *a);

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);

struct sock;

/* A listening socket.  backlog: connections not yet accepted. */
err sock_listen(struct task *t, const struct endpoint *at, int backlog,
                struct sock **out);
/* The same as a plain descriptor, for a process that hands it on; mode: of a
 * UNIX socket's file. */
err sock_listen_fd(struct task *t, const struct endpoint *at, int backlog,
                   uint32_t mode, int *fd);
err sock_accept(struct task *t, struct sock *listener, when until,
                struct sock **out, struct endpoint *peer);

/* from may be NULL or name the local address to use. */
err sock_connect(struct task *t, const struct endpoint *to,
                 const struct endpoint *from, when until, struct sock **out);

/* Takes a descriptor over (passed by another role, a pipe's end); it is made
 * non-blocking and closed with the sock. */
err sock_adopt(struct task *t, int fd, struct sock **out);

/* A connected pair; b stays a plain descriptor to hand to another process. */
err sock_pair(struct task *t, struct sock **a, int *b);

/* A connected pair for two other processes. */
err sock_pair_fds(struct task *t, int fds[2]);

void sock_close(struct sock *s); /* NULL is fine */
void sock_close_any(void *s);    /* the same, for arena_own */

/* At least one byte, at most max; ERR_END when the peer closed. */
err sock_read(struct task *t, struct sock *s, void *p, size_t max, when until,
              size_t *n);

/* What is there without waiting; *n is 0 when nothing is. */
err sock_read_some(struct sock *s, void *p, size_t max, size_t *n);

/* Waits until there is something to read (or the end). */
err sock_wait_readable(struct task *t, struct sock *s, when until);

/* The same, or until the bell rings; OK in both cases. */
err sock_wait_bell(struct task *t, struct sock *s, struct bell *b,
                   when until);

/* Waits until there is something to read (or the end) at one of two. */
err sock_wait_either(struct task *t, struct sock *a, struct sock *b,
                     when until);

/* Whether a read would probably not wait. */
bool sock_readable(const struct sock *s);

/* Writes all of it.  After an error the stream is unusable. */
err sock_write(struct task *t, struct sock *s, const struct iovec *iov,
               int n_iov, when until);
err sock_write_str(struct task *t, struct sock *s, str bytes, when until);

/* What fits without waiting; *n may be 0. */
err sock_write_some(struct sock *s, str bytes, size_t *n);
err sock_wait_writable(struct task *t, struct sock *s, when until);

/* No more writes from this side; the peer reads an end. */
void sock_shutdown(struct sock *s);

/* Cuts the connection in both directions: whoever waits for it, a task of
 * another visit perhaps, finds its end. */
void sock_abort(struct sock *s);

err sock_local(struct sock *s, struct endpoint *out);
err sock_peer(struct sock *s, struct endpoint *out);

/* Reads with descriptors: *fd is -1 or a descriptor the caller now owns. */
err sock_read_fd(struct task *t, struct sock *s, void *p, size_t max,
                 when until, size_t *n, int *fd);
/* Writes bytes (at least one) with a descriptor attached to the first. */
err sock_write_fd(struct task *t, struct sock *s, str bytes, int fd,
                  when until);

/* The peer's identity on a UNIX socket. */
err sock_peer_uid(struct sock *s, uint32_t *uid);

/* Closes a descriptor that was received and is not wanted; -1 is fine. */
void fd_close(int fd);

/* The descriptor itself, for OpenSSL's sake and for handing over; -1 in the
 * simulated world. */
int sock_fd(const struct sock *s);

#endif
