/* SPDX-License-Identifier: ISC
 *
 * The real world, inside: epoll, file descriptors, helper threads.
 */
#ifndef RT_EPOLL_REAL_H
#define RT_EPOLL_REAL_H

#include "rt/sched.h"

#include <sys/socket.h>

struct helpers;

struct real_world {
    struct world w;
    int epoll_fd;
    int64_t wall_us;        /* the wall clock as of this turn; 0: not read */
    struct helpers *helpers;
};

/* A socket: registered once, edge-triggered.  A listener is level-triggered
 * and exclusive, and registered while somebody accepts on it (sock.c).
 * readable and writable mean "not known to be exhausted"; hung_up is sticky,
 * since its edge comes only once. */
struct real_sock {
    struct sock s;
    struct real_world *rw;
    int fd;
    bool readable, writable, hung_up, listener, polled;
    bool shared;            /* other descriptors lead to the same: closing
                               ours would not end the registration */
    struct task *reader, *writer;
};

struct real_file {
    struct file f;
    int fd;
};

struct real_dir {
    struct dir d;
    int fd;
};

static inline struct real_world *real_of(struct world *w)
{
    return container_of(w, struct real_world, w);
}

static inline struct real_sock *real_sock_of(const struct sock *s)
{
    return container_of(s, struct real_sock, s);
}

extern const struct world_ops real_ops;

/* errno as an err. */
err err_of_errno(int number);

/* A registered sock over fd, which must be non-blocking. */
struct real_sock *real_sock_new(struct real_world *rw, int fd, bool listener);

err real_listen(struct task *, const struct endpoint *, int, struct sock **);
err real_accept(struct task *, struct sock *, when, struct sock **,
                struct endpoint *);
err real_connect(struct task *, const struct endpoint *,
                 const struct endpoint *, when, struct sock **);
err real_pair(struct task *, struct sock **, int *);
err real_sock_adopt(struct task *, int, struct sock **);
void real_sock_close(struct sock *);
err real_read(struct task *, struct sock *, void *, size_t, when, size_t *,
              int *);
err real_read_some(struct sock *, void *, size_t, size_t *);
err real_wait_readable(struct task *, struct sock *, when);
err real_wait_either(struct task *t, struct sock *one, struct sock *other,
                    when until);
err real_wait_writable(struct task *, struct sock *, when);
err real_write_some(struct sock *, const struct iovec *, int, int, size_t *);
bool real_readable(const struct sock *);
void real_shutdown(struct sock *);
err real_sock_name(struct sock *, bool peer, struct endpoint *);

err real_dir_open(struct task *, struct dir *, str, struct dir **);
void real_dir_close(struct dir *);
err real_dir_make(struct task *, struct dir *, str, uint32_t);
err real_dir_remove(struct task *, struct dir *, str);
err real_dir_sync(struct task *, struct dir *);
err real_dir_list(struct task *, struct dir *, struct arena *,
                  struct names *);
err real_dir_space(struct task *, struct dir *, uint64_t *, uint64_t *);
err real_file_open(struct task *, struct dir *, str, int, uint32_t,
                   struct file **);
err real_file_adopt(struct task *, int, struct file **);
int real_file_fd(const struct file *);
void real_file_close(struct file *);
err real_file_read(struct task *, struct file *, uint64_t, void *, size_t,
                   size_t *);
err real_file_write(struct task *, struct file *, uint64_t, str);
err real_file_append(struct task *, struct file *, str);
err real_file_sync(struct task *, struct file *);
err real_file_reread(struct task *, struct file *);
err real_file_size_set(struct task *, struct file *, uint64_t);
err real_file_stat(struct task *, struct file *, struct dir *, str,
                   struct file_stat *);
err real_file_rename(struct task *, struct dir *, str, struct dir *, str);
err real_file_link(struct task *, struct dir *, str, struct dir *, str);
err real_file_unlink(struct task *, struct dir *, str);

void real_offload(struct task *, void (*)(void *), void *);
void helpers_open(struct real_world *rw);
void helpers_poll(struct real_world *rw);
void helpers_stop(struct real_world *rw);

void endpoint_to_sockaddr(const struct endpoint *e,
                          struct sockaddr_storage *out, socklen_t *size);
void endpoint_from_sockaddr(const struct sockaddr_storage *in,
                            socklen_t size, struct endpoint *out);

#endif
