/* SPDX-License-Identifier: ISC
 *
 * The sandbox.  Door to libseccomp and Landlock.
 */
#include "role/sandbox.h"

#include "role/events.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_powers(enum role_kind k)
{
    switch (k) {
    case ROLE_smtpd:
        return 0;
    case ROLE_qmgr:
        return POWER_FILES;
    case ROLE_smtpc:
        return POWER_CONNECT;
    case ROLE_imapd:
        return 0;
    case ROLE_reader:
        return POWER_ALL_FILES;
    case ROLE_authd:
    case ROLE_lookup:
    case ROLE_deliver: /* its planner: the spawner came before (spawner.c) */
        return POWER_READ_ALL | POWER_CONNECT;
    default:
        return POWER_ALL_FILES | POWER_CONNECT | POWER_PROCESSES;
    }
}

/* What every role does all day. */
static const int common_calls[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto), SCMP_SYS(close), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(accept),
    SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(socketpair),
    SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
    SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek),
    SCMP_SYS(ioctl), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect),
    SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getppid),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(signalfd4),
    SCMP_SYS(eventfd2), SCMP_SYS(clone), SCMP_SYS(clone3),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(prlimit64), SCMP_SYS(sysinfo),
    SCMP_SYS(uname), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(tgkill),
    SCMP_SYS(restart_syscall), SCMP_SYS(getcpu), SCMP_SYS(membarrier),
    SCMP_SYS(prctl),
};

static const int file_calls[] = {
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat),
    SCMP_SYS(lstat), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),
    SCMP_SYS(linkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utimensat),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(flock), SCMP_SYS(getcwd),
    SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch), SCMP_SYS(umask), SCMP_SYS(syncfs),
    SCMP_SYS(sync_file_range), SCMP_SYS(fadvise64), SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
};

static const int connect_calls[] = {
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
    SCMP_SYS(pipe2), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(recvmmsg),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
    int failed = 0;

    for (size_t i = 0; i < n; i++)
        if (calls[i] >= 0) /* those this machine has */
            failed |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    return failed;
}

#define ALLOW(ctx, list) allow(ctx, list, sizeof(list) / sizeof(*(list)))

static err enter_seccomp(struct task *t, int powers)
{
    scmp_filter_ctx ctx;
    int failed;

    if (powers & POWER_PROCESSES)
        return OK;
    ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return why(t, ERR_LIMIT, "seccomp: no memory");
    failed = ALLOW(ctx, common_calls);
    if (powers & (POWER_FILES | POWER_ALL_FILES | POWER_READ_ALL))
        failed |= ALLOW(ctx, file_calls);
    if (powers & POWER_CONNECT)
        failed |= ALLOW(ctx, connect_calls);
    if (!failed)
        failed = seccomp_load(ctx);
    seccomp_release(ctx);
    if (failed)
        say(t, role_sandbox, "seccomp");
    return OK;
}

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ALL_ACCESS                                                            \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE               \
     | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR             \
     | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE         \
     | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR             \
     | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK             \
     | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK           \
     | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define DIR_ACCESS                                                            \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE             \
     | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE           \
     | LANDLOCK_ACCESS_FS_MAKE_REG)

static int allow_dirs(int ruleset, const struct role *r)
{
    int failed = 0;

    for (size_t i = 0; i < N_ROLE_DIRS; i++) {
        struct landlock_path_beneath_attr rule = {
            .allowed_access = DIR_ACCESS,
        };
        if (!r->dirs[i])
            continue;
        rule.parent_fd = dir_fd(r->dirs[i]);
        failed |= (int)syscall(SYS_landlock_add_rule, ruleset,
                               LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    return failed;
}

static err enter_landlock(struct task *t, int powers, const struct role *r)
{
    struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_ACCESS };
    int ruleset, failed = 0;

    if (powers & POWER_ALL_FILES)
        return OK;
    if (powers & POWER_READ_ALL)
        attr.handled_access_fs &= ~(uint64_t)READ_ACCESS;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
                           0);
    if (ruleset < 0) {
        say(t, role_sandbox, "Landlock");
        return OK;
    }
    if (powers & POWER_FILES)
        failed = allow_dirs(ruleset, r);
    failed |= (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    if (failed)
        return why(t, ERR_DENIED, "Landlock: %s", strerror(errno));
    return OK;
}

err sandbox_enter(struct task *t, const struct role *r)
{
    int powers = sandbox_powers(r->kind);

    if (prctl(PR_SET_NO_NEW_PRIVS, powers & POWER_PROCESSES ? 0 : 1, 0, 0, 0)
        && !(powers & POWER_PROCESSES))
        return why(t, ERR_DENIED, "no_new_privs: %s", strerror(errno));
    TRY(enter_landlock(t, powers, r));
    return enter_seccomp(t, powers);
}
