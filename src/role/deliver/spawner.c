/* SPDX-License-Identifier: ISC
 *
 * The spawner, and how the planner asks it.  It is forked and not executed:
 * what it holds is what this process held at its very start, which is
 * nothing.  It has no world and no tasks; it blocks.
 */
#include "role/deliver/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x6e617073, REQUEST_SIZE = 16, ANSWER_SIZE = 128,
       ASK_S = 30 };

struct request {
    uint32_t uid, gid;
    size_t n_root;
    char root[SPAWN_ROOT_MAX + 1];
};

const char *spawner_refuses(const struct spawner_self *self, uint32_t uid,
                            uint32_t gid, bool has_root_dir)
{
    if (uid == 0 || gid == 0 || uid == UINT32_MAX || gid == UINT32_MAX)
        return "no delivery with the rights of root";       /* I1 */
    if (self->root)
        return NULL;
    if (has_root_dir)
        return "chroot needs a system that was started by root";
    if (uid != self->uid || gid != self->gid)               /* I2 */
        return "another user's mail needs a system that was started by root";
    return NULL;
}

/* --- the process that becomes the user ----------------------------------- */

static void reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Rights go for good; false: not all of them went. */
static bool become(const struct request *r)
{
    if (r->n_root
        && (chroot(r->root) || chdir("/")
            || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
        return false;
    if (setgroups(0, NULL) || setresgid(r->gid, r->gid, r->gid)
        || setresuid(r->uid, r->uid, r->uid))
        return false;
    return setuid(0) && getuid() == r->uid && geteuid() == r->uid
           && getgid() == r->gid && getegid() == r->gid;
}

_Noreturn static void child(const struct request *r,
                            const struct spawner_self *self, int fd,
                            void (*body)(int fd))
{
    char status = 0;

    reset_signals();
    setsid();
    umask(077);
    if (self->root && !become(r))
        status = (char)(errno ? errno : EPERM);
    if (write(fd, &status, 1) != 1 || status)
        _exit(1);
    body(fd);
    _exit(0);
}

/* --- the spawner ---------------------------------------------------------- */

static bool read_all(int fd, void *p, size_t n)
{
    char *to = p;

    while (n > 0) {
        ssize_t got = read(fd, to, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

static bool read_request(int fd, struct request *out)
{
    char head[REQUEST_SIZE];

    if (!read_all(fd, head, sizeof(head)) || get_u32(head) != MAGIC)
        return false;
    out->uid = get_u32(head + 4);
    out->gid = get_u32(head + 8);
    out->n_root = get_u32(head + 12);
    if (out->n_root > SPAWN_ROOT_MAX || !read_all(fd, out->root, out->n_root))
        return false;
    out->root[out->n_root] = 0;
    return true;
}

static bool answer(int fd, const char *reason, int passed)
{
    char text[ANSWER_SIZE] = { 0 };
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { text, sizeof(text) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (reason) {
        size_t n = strlen(reason);
        n = n < SPAWN_WHY_MAX ? n : SPAWN_WHY_MAX;
        text[0] = 1;
        text[1] = (char)n;
        memcpy(text + 2, reason, n);
    } else {
        struct cmsghdr *c;
        m.msg_control = control;
        m.msg_controllen = sizeof(control);
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed, sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL) == sizeof(text);
}

/* The child says by its first byte whether it became the user. */
static const char *spawn(const struct request *r,
                         const struct spawner_self *self, int mine,
                         void (*body)(int fd), int *out)
{
    int pair[2];
    char status;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return strerror(errno);
    pid = fork();
    if (pid == 0) {
        close(mine);
        close(pair[0]);
        child(r, self, pair[1], body);
    }
    close(pair[1]);
    if (pid > 0 && read_all(pair[0], &status, 1) && status == 0) {
        *out = pair[0];
        return NULL;
    }
    close(pair[0]);
    return pid < 0 ? strerror(errno)
                   : "the process could not become that user";
}

_Noreturn static void serve(int fd, void (*body)(int fd))
{
    struct spawner_self self = { geteuid() == 0, geteuid(), getegid() };
    struct request r;

    signal(SIGCHLD, SIG_IGN);   /* nobody waits for hands */
    while (read_request(fd, &r)) {
        const char *reason = spawner_refuses(&self, r.uid, r.gid,
                                             r.n_root > 0);
        int passed = -1;
        if (!reason)
            reason = spawn(&r, &self, fd, body, &passed);
        if (!answer(fd, reason, passed))
            break;
        if (passed >= 0)
            close(passed);
    }
    _exit(0);                   /* I3 */
}

/* Descriptors but the standard ones and fd are not the spawner's. */
static int keep_only(int fd)
{
    int mine = dup2(fd, 3);

    if (mine < 0 || fcntl(mine, F_SETFD, FD_CLOEXEC))
        _exit(1);
    close_range(4, ~0u, 0);
    return mine;
}

/* --- the planner's side --------------------------------------------------- */

err spawner_start(struct task *t, void (*body)(int fd), struct sock **out)
{
    int theirs;
    pid_t pid;

    TRY(sock_pair(t, out, &theirs));
    pid = fork();
    if (pid == 0)
        serve(keep_only(theirs), body);
    fd_close(theirs);
    if (pid < 0) {
        sock_close(*out);
        return why(t, ERR_LIMIT, "fork: %s", strerror(errno));
    }
    return OK;
}

err spawner_ask(struct task *t, struct sock *spawner, uint32_t uid,
                uint32_t gid, str chroot_path, int *fd)
{
    char head[REQUEST_SIZE], text[ANSWER_SIZE];
    struct iovec iov[2] = {
        { head, sizeof(head) },
        { (void *)(uintptr_t)chroot_path.p, chroot_path.n },
    };
    size_t got = 0;

    if (chroot_path.n > SPAWN_ROOT_MAX)
        return why(t, ERR_DENIED, "chroot path too long");
    put_u32(head, MAGIC);
    put_u32(head + 4, uid);
    put_u32(head + 8, gid);
    put_u32(head + 12, (uint32_t)chroot_path.n);
    TRY(sock_write(t, spawner, iov, chroot_path.n ? 2 : 1,
                   after_s(t, ASK_S)));
    *fd = -1;
    while (got < sizeof(text)) {
        size_t n;
        int one = -1;
        err e = sock_read_fd(t, spawner, text + got, sizeof(text) - got,
                             after_s(t, ASK_S), &n, &one);
        if (one >= 0)
            *fd = one;
        if (e) {
            fd_close(*fd);
            return e;
        }
        got += n;
    }
    if (text[0] == 0 && *fd >= 0)
        return OK;
    fd_close(*fd);
    return why(t, ERR_DENIED, "%.*s", (unsigned char)text[1] & 127,
               text + 2);
}
