/* SPDX-License-Identifier: ISC
 *
 * The real world: clock, chance, the poll, the log's descriptor.
 */
#include "rt/epoll/real.h"

#include "rt/world.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    SYSLOG_BATCH = 64,
    LARGE = 128 * 1024,
    TASKS_MAX = 20500,          /* a stack and its guard are two mappings, of
                                   65,530 by default; others need some too */
    FDS_MAX = 128 * 1024,
    FDS_KEPT = 64,
    FDS_ASKED_MAX = 128,
};

static when clock_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (when)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_wall(struct world *w)
{
    struct real_world *rw = real_of(w);

    if (!rw->wall_us)
        rw->wall_us = clock_us(CLOCK_REALTIME);
    return rw->wall_us;
}

static when real_clock(struct world *w)
{
    (void)w;
    return clock_us(CLOCK_MONOTONIC) + 1;
}

static void real_random(struct world *w, void *p, size_t n)
{
    char *to = p;

    (void)w;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        must(got > 0);
        to += got;
        n -= (size_t)got;
    }
}

static void sock_event(struct real_sock *s, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->hung_up = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        s->readable = true;
        if (s->reader)
            task_wake(s->reader, OK);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        s->writable = true;
        if (s->writer)
            task_wake(s->writer, OK);
    }
}

static int timeout_ms(const struct world *w, when until)
{
    when left;

    if (until == NEVER)
        return -1;
    if (until <= w->now)
        return 0;
    left = (until - w->now + 999) / 1000;
    return left > 60 * 60 * 1000 ? 60 * 60 * 1000 : (int)left;
}

static void real_poll(struct world *w, when until)
{
    struct real_world *rw = real_of(w);
    struct epoll_event events[EVENTS_MAX];
    int n;

    do
        n = epoll_wait(rw->epoll_fd, events, EVENTS_MAX,
                       timeout_ms(w, until));
    while (n < 0 && errno == EINTR);
    must(n >= 0);
    w->now = clock_us(CLOCK_MONOTONIC) + 1;
    rw->wall_us = 0;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            sock_event(events[i].data.ptr, events[i].events);
        else
            helpers_poll(rw);
    }
}

static void syslog_write(int fd, str lines)
{
    struct mmsghdr messages[SYSLOG_BATCH];
    struct iovec iov[SYSLOG_BATCH];
    str line;

    while (lines.n > 0) {
        unsigned n = 0, sent = 0;
        while (n < SYSLOG_BATCH && lines.n > 0
               && str_cut(&lines, '\n', &line)) {
            iov[n] = (struct iovec){ (void *)(uintptr_t)line.p, line.n };
            messages[n] = (struct mmsghdr){
                .msg_hdr = { .msg_iov = &iov[n], .msg_iovlen = 1 },
            };
            n++;
        }
        while (sent < n) {
            int more = sendmmsg(fd, messages + sent, n - sent, MSG_NOSIGNAL);
            if (more <= 0)
                return; /* syslog is away: nobody to tell */
            sent += (unsigned)more;
        }
    }
}

static void real_log_write(struct world *w, str lines)
{
    if (w->log.sink == LOG_SINK_SYSLOG) {
        syslog_write(w->log.fd, lines);
        return;
    }
    while (lines.n > 0) {
        ssize_t n = write(w->log.fd, lines.p, lines.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        lines = str_skip(lines, (size_t)n);
    }
}

/* Whether n descriptors can be had, by having them. */
static bool fds_left(int fd, uint32_t n)
{
    int copies[FDS_ASKED_MAX];
    uint32_t got = 0;

    must(n <= FDS_ASKED_MAX);
    while (got < n && (copies[got] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        got++;
    for (uint32_t i = 0; i < got; i++)
        close(copies[i]);
    return got == n;
}

bool rt_room(struct task *t, uint32_t n_fds)
{
    struct real_world *rw = real_of(t->world);
    struct rlimit limit;
    int fd, want;

    if (t->world->ops != &real_ops)
        return true;
    if (t->world->n_tasks >= TASKS_MAX)
        return false;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return true;
    if (limit.rlim_cur > FDS_MAX)
        limit.rlim_cur = FDS_MAX; /* we never need more, and the kernel's
                                     table grows to the one we ask for */
    n_fds += FDS_KEPT;
    if (limit.rlim_cur <= n_fds)
        return false;
    /* The lowest free one is given out first: while the one so far from the
     * end is free, so are most likely those behind it. */
    want = (int)(limit.rlim_cur - n_fds);
    fd = fcntl(rw->epoll_fd, F_DUPFD_CLOEXEC, want);
    fd_close(fd);
    return fd == want || fds_left(rw->epoll_fd, n_fds);
}

int world_zone_s(struct task *t, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;

    if (t->world->ops != &real_ops)
        return 0;
    localtime_r(&seconds, &tm);
    return (int)tm.tm_gmtoff;
}

err world_run(const char *log_name, err (*fn)(struct task *t, void *arg),
              void *arg)
{
    struct real_world rw = { .wall_us = 0 };
    uint64_t keys[2];
    err e;

    signal(SIGPIPE, SIG_IGN);
    /* large arrays are mappings of their own, always: once freed they leave
     * no holes in a heap of long-lived small objects */
    mallopt(M_MMAP_THRESHOLD, LARGE);
    tzset();
    world_init(&rw.w, &real_ops);
    rw.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    must(rw.epoll_fd >= 0); /* nothing is open yet */
    helpers_open(&rw);
    real_random(&rw.w, keys, sizeof(keys));
    map_seed(keys[0], keys[1]);
    e = world_loop(&rw.w, log_name, fn, arg);
    helpers_stop(&rw);
    close(rw.epoll_fd);
    world_done(&rw.w);
    return e;
}

err err_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
        return ERR_ABSENT;
    case EACCES:
    case EPERM:
    case EROFS:
    case EEXIST:
    case ENOTEMPTY:
    case ELOOP:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
        return ERR_LIMIT;
    case EPIPE:
    case ECONNRESET:
        return ERR_END;
    case ETIMEDOUT:
        return ERR_LATE;
    default:
        return ERR_IO;
    }
}

const struct world_ops real_ops = {
    .poll = real_poll,
    .wall = real_wall,
    .clock = real_clock,
    .random = real_random,
    .offload = real_offload,
    .log_write = real_log_write,
    .listen = real_listen,
    .accept = real_accept,
    .connect = real_connect,
    .pair = real_pair,
    .sock_adopt = real_sock_adopt,
    .sock_close = real_sock_close,
    .read = real_read,
    .read_some = real_read_some,
    .wait_readable = real_wait_readable,
    .wait_either = real_wait_either,
    .wait_writable = real_wait_writable,
    .write_some = real_write_some,
    .readable = real_readable,
    .shutdown = real_shutdown,
    .sock_name = real_sock_name,
    .dir_open = real_dir_open,
    .dir_close = real_dir_close,
    .dir_make = real_dir_make,
    .dir_remove = real_dir_remove,
    .dir_sync = real_dir_sync,
    .dir_list = real_dir_list,
    .dir_space = real_dir_space,
    .file_open = real_file_open,
    .file_adopt = real_file_adopt,
    .file_fd = real_file_fd,
    .file_close = real_file_close,
    .file_read = real_file_read,
    .file_write = real_file_write,
    .file_append = real_file_append,
    .file_sync = real_file_sync,
    .file_reread = real_file_reread,
    .file_size_set = real_file_size_set,
    .file_stat = real_file_stat,
    .file_rename = real_file_rename,
    .file_link = real_file_link,
    .file_unlink = real_file_unlink,
};
