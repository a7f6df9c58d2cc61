/* SPDX-License-Identifier: ISC
 *
 * Processes by fork and execve, waited for by pidfd; signals by signalfd.
 */
#include "rt/process.h"

#include "rt/epoll/real.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES_MAX = 1 << 20, FDS_MAX = 64 };

static const char *program(const struct process_plan *plan)
{
    return plan->path ? plan->path : plan->argv[0];
}

/* Keeps the one capability over the change of user id and the execve. */
static bool keep_read_all(void)
{
    struct __user_cap_header_struct head = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    uint32_t bit = 1u << CAP_DAC_READ_SEARCH;
    struct __user_cap_data_struct data[2] = {
        { .effective = bit, .permitted = bit, .inheritable = bit },
    };

    return !syscall(SYS_capset, &head, data)
           && !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
                     CAP_DAC_READ_SEARCH, 0, 0);
}

static bool become(const struct process_plan *plan)
{
    bool keep = plan->read_all && geteuid() == 0;

    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        return false;
    if (setgroups(0, NULL) || setgid(plan->gid) || setuid(plan->uid))
        return false;
    return !keep || keep_read_all();
}

int process_self(void)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

    return fd < 0 ? 0 : fd;
}

static void execute(const struct process_plan *plan, int program_fd)
{
    char *const *argv = (char *const *)(uintptr_t)plan->argv;
    char *const *env = (char *const *)(uintptr_t)plan->env;

    if (program_fd > 0)
        syscall(SYS_execveat, program_fd, "", argv, env, AT_EMPTY_PATH);
    else
        execve(program(plan), argv, env);
}

/* In the child: only async-signal-safe calls from here on. */
_Noreturn static void child(const struct process_plan *plan, int report)
{
    int program_fd = plan->program;
    sigset_t none;
    int number;

    if (program_fd > 0
        && (program_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, FDS_MAX * 4)) < 0)
        goto failed;
    /* move everything out of the way first, then into place */
    for (int i = 0; i < plan->n_fds; i++) {
        int from = plan->fds[i] >= 0 ? plan->fds[i]
                                     : open("/dev/null", O_RDWR);
        int high = fcntl(from, F_DUPFD, FDS_MAX * 2);
        if (high < 0 || (i == 0 && (report = fcntl(report, F_DUPFD_CLOEXEC,
                                                   FDS_MAX * 4)) < 0))
            goto failed;
        ((int *)(uintptr_t)plan->fds)[i] = high; /* our copy of memory */
    }
    for (int i = 0; i < plan->n_fds; i++)
        if (dup2(plan->fds[i], i) < 0)
            goto failed;
    for (int i = 0; i < plan->n_fds; i++)
        close(plan->fds[i]);
    /* Whatever else is open here stays here: a copy of a socket in a process
     * that knows nothing of it would keep its other end from hearing of the
     * owner's death. */
    if (syscall(SYS_close_range, plan->n_fds, ~0U, CLOSE_RANGE_CLOEXEC))
        goto failed;
    if (plan->new_session)
        setsid();
    if (plan->set_ids && !become(plan))
        goto failed;
    if (plan->dir && chdir(plan->dir))
        goto failed;
    if (plan->file_size_max
        && setrlimit(RLIMIT_FSIZE, &(struct rlimit){ plan->file_size_max,
                                                     plan->file_size_max }))
        goto failed;
    if (plan->file_size_max)    /* writing says EFBIG */
        signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execute(plan, program_fd);
failed:
    number = errno;
    (void)!write(report, &number, sizeof(number));
    _exit(127);
}

err process_start(struct task *t, const struct process_plan *plan,
                  struct process *out)
{
    int report[2], number = 0;
    pid_t pid;

    must(plan->n_fds <= FDS_MAX);
    if (pipe2(report, O_CLOEXEC))
        return why(t, err_of_errno(errno), "pipe: %s", strerror(errno));
    log_flush(t->world);
    pid = fork();
    if (pid == 0)
        child(plan, report[1]);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return why(t, ERR_LIMIT, "fork: %s", strerror(errno));
    }
    if (read(report[0], &number, sizeof(number)) != sizeof(number))
        number = 0;
    close(report[0]);
    if (number) {
        waitpid(pid, NULL, 0);
        return why(t, err_of_errno(number), "execute %s: %s", program(plan),
                   strerror(number));
    }
    out->pid = pid;
    out->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return OK;
}

void process_files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    setrlimit(RLIMIT_NOFILE, &limit); /* else it stays as it is */
}

static err wait_pidfd(struct task *t, int pidfd, when until)
{
    struct sock *s;
    int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
    err e;

    if (fd < 0)
        return why(t, ERR_LIMIT, "dup: %s", strerror(errno));
    s = &real_sock_new(real_of(t->world), fd, false)->s;
    real_sock_of(s)->readable = false;
    real_sock_of(s)->shared = true; /* pidfd keeps what it stands for open */
    e = sock_wait_readable(t, s, until);
    sock_close(s);
    return e;
}

err process_wait(struct task *t, struct process *p, when until, int *status)
{
    for (;;) {
        pid_t got = waitpid(p->pid, status, WNOHANG);
        if (got == p->pid || (got < 0 && errno == ECHILD)) {
            if (p->pidfd >= 0)
                close(p->pidfd);
            p->pidfd = -1;
            return got == p->pid ? OK : ERR_ABSENT;
        }
        if (p->pidfd >= 0)
            TRY(wait_pidfd(t, p->pidfd, until));
        else if (rt_now(t) >= until)
            return ERR_LATE;
        else
            TRY(task_sleep(t, after_ms(t, 20)));
    }
}

err process_signal(struct process *p, int signo)
{
    return kill(p->pid, signo) ? err_of_errno(errno) : OK;
}

struct signals {
    struct sock *sock;
};

err signals_open(struct task *t, uint64_t mask, struct signals **out)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (int i = 1; i < 64; i++)
        if (mask >> i & 1)
            sigaddset(&set, i);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return why(t, err_of_errno(errno), "signalfd: %s", strerror(errno));
    *out = heap_new(struct signals);
    (*out)->sock = &real_sock_new(real_of(t->world), fd, false)->s;
    return OK;
}

err signals_wait(struct task *t, struct signals *s, when until, int *signo)
{
    struct signalfd_siginfo info;
    size_t n;

    TRY(sock_read(t, s->sock, &info, sizeof(info), until, &n));
    *signo = (int)info.ssi_signo;
    return OK;
}

void signals_close(struct signals *s)
{
    if (!s)
        return;
    sock_close(s->sock);
    heap_free(s);
}
