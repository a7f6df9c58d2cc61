/* SPDX-License-Identifier: ISC
 *
 * Files of the real world: one system call each, relative to a directory's
 * descriptor.
 */
#include "rt/epoll/real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A path as libc wants it: NUL-ended, and refused if it holds one. */
struct path {
    char p[PATH_MAX];
};

static err path_of(struct task *t, str s, struct path *out)
{
    if (s.n == 0 || s.n >= sizeof(out->p) || str_chr(s, 0) != STR_NONE)
        return why(t, ERR_SYNTAX, "bad path name");
    memcpy(out->p, s.p, s.n);
    out->p[s.n] = 0;
    return OK;
}

static int at_fd(const struct dir *at)
{
    return at ? container_of(at, struct real_dir, d)->fd : AT_FDCWD;
}

static int fd_of(const struct file *f)
{
    return container_of(f, struct real_file, f)->fd;
}

static err failed(struct task *t, const char *verb, const char *what)
{
    int number = errno;

    return why(t, err_of_errno(number), "%s %s: %s", verb, what,
               strerror(number));
}

err real_dir_open(struct task *t, struct dir *at, str path, struct dir **out)
{
    struct path p;
    struct real_dir *d;
    int fd;

    TRY(path_of(t, path, &p));
    fd = openat(at_fd(at), p.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC
                                    | (at ? O_NOFOLLOW : 0));
    if (fd < 0)
        return failed(t, "open directory", p.p);
    d = heap_new(struct real_dir);
    d->d.ops = &real_ops;
    d->fd = fd;
    *out = &d->d;
    return OK;
}

err dir_adopt(struct task *t, int fd, struct dir **out)
{
    struct real_dir *d;

    if (fcntl(fd, F_SETFD, FD_CLOEXEC))
        return failed(t, "descriptor", "adopted");
    d = heap_new(struct real_dir);
    d->d.ops = &real_ops;
    d->fd = fd;
    *out = &d->d;
    return OK;
}

void real_dir_close(struct dir *dir)
{
    struct real_dir *d = container_of(dir, struct real_dir, d);

    close(d->fd);
    heap_free(d);
}

err real_dir_make(struct task *t, struct dir *at, str path, uint32_t mode)
{
    struct path p;

    TRY(path_of(t, path, &p));
    return mkdirat(at_fd(at), p.p, mode) ? failed(t, "mkdir", p.p) : OK;
}

err real_dir_remove(struct task *t, struct dir *at, str path)
{
    struct path p;

    TRY(path_of(t, path, &p));
    return unlinkat(at_fd(at), p.p, AT_REMOVEDIR) ? failed(t, "rmdir", p.p)
                                                  : OK;
}

err real_dir_sync(struct task *t, struct dir *d)
{
    return fsync(at_fd(d)) ? failed(t, "fsync", "directory") : OK;
}

static int name_order(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

enum { SORT_ASIDE_MIN = 4096 };

static void names_sort(void *arg)
{
    const struct names *names = arg;

    qsort((str *)(uintptr_t)names->p, names->n, sizeof(str), name_order);
}

err real_dir_list(struct task *t, struct dir *d, struct arena *a,
                  struct names *out)
{
    vec_of(str) names = { 0 };
    int fd = openat(at_fd(d), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!stream)
        return failed(t, "open directory", ".");
    while ((entry = readdir(stream))) {
        str name = str_from(entry->d_name);
        if (!str_eq(name, S(".")) && !str_eq(name, S("..")))
            vec_push(a, &names, arena_str(a, name));
        task_breathe(t);
    }
    closedir(stream);
    *out = (struct names){ names.p, names.n };
    if (names.n > SORT_ASIDE_MIN)
        offload(t, names_sort, out);
    else if (names.n)
        names_sort(out);
    return OK;
}

err real_dir_space(struct task *t, struct dir *d, uint64_t *bytes,
                   uint64_t *inodes)
{
    struct statvfs st;

    if (fstatvfs(at_fd(d), &st))
        return failed(t, "statvfs", "directory");
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *inodes = st.f_favail;
    return OK;
}

static int open_flags(int flags)
{
    int o = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

    o |= (flags & FILE_READ) && (flags & FILE_WRITE) ? O_RDWR
       : flags & FILE_WRITE ? O_WRONLY : O_RDONLY;
    if (flags & FILE_CREATE)
        o |= O_CREAT;
    if (flags & FILE_EXCLUSIVE)
        o |= O_EXCL;
    if (flags & FILE_TRUNCATE)
        o |= O_TRUNC;
    if (flags & FILE_APPEND)
        o |= O_APPEND;
    if (!(flags & FILE_FOLLOW))
        o |= O_NOFOLLOW;
    return o;
}

static struct file *file_new(int fd)
{
    struct real_file *f = heap_new(struct real_file);

    f->f.ops = &real_ops;
    f->fd = fd;
    return &f->f;
}

err real_file_open(struct task *t, struct dir *at, str path, int flags,
                   uint32_t mode, struct file **out)
{
    struct path p;
    int fd;

    TRY(path_of(t, path, &p));
    fd = openat(at_fd(at), p.p, open_flags(flags), mode);
    if (fd < 0)
        return failed(t, "open", p.p);
    *out = file_new(fd);
    return OK;
}

err real_file_adopt(struct task *t, int fd, struct file **out)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC))
        return failed(t, "descriptor", "adopted");
    *out = file_new(fd);
    return OK;
}

void real_file_close(struct file *file)
{
    struct real_file *f = container_of(file, struct real_file, f);

    close(f->fd);
    heap_free(f);
}

err real_file_read(struct task *t, struct file *f, uint64_t offset, void *p,
                   size_t max, size_t *n)
{
    size_t done = 0;

    while (done < max) {
        ssize_t got = pread(fd_of(f), (char *)p + done, max - done,
                            (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(t, "read", "file");
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *n = done;
    return OK;
}

err real_file_write(struct task *t, struct file *f, uint64_t offset,
                    str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(fd_of(f), bytes.p, bytes.n, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(t, "write", "file");
        bytes = str_skip(bytes, (size_t)n);
        offset += (size_t)n;
    }
    return OK;
}

err real_file_append(struct task *t, struct file *f, str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd_of(f), bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(t, "write", "file");
        bytes = str_skip(bytes, (size_t)n);
    }
    return OK;
}

err real_file_sync(struct task *t, struct file *f)
{
    return fdatasync(fd_of(f)) ? failed(t, "fdatasync", "file") : OK;
}

err real_file_reread(struct task *t, struct file *f)
{
    int number;

    TRY(real_file_sync(t, f));
    number = posix_fadvise(fd_of(f), 0, 0, POSIX_FADV_DONTNEED);
    return number ? why(t, err_of_errno(number), "fadvise: %s",
                        strerror(number)) : OK;
}

err real_file_size_set(struct task *t, struct file *f, uint64_t size)
{
    return ftruncate(fd_of(f), (off_t)size) ? failed(t, "truncate", "file")
                                            : OK;
}

static int64_t time_us(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * 1000000 + ts->tv_nsec / 1000;
}

err real_file_stat(struct task *t, struct file *f, struct dir *at, str path,
                   struct file_stat *out)
{
    struct stat st;
    struct path p = { "file" };

    if (f) {
        if (fstat(fd_of(f), &st))
            return failed(t, "stat", p.p);
    } else {
        TRY(path_of(t, path, &p));
        /* an administrator's absolute path may be a link, ours may not */
        if (fstatat(at_fd(at), p.p, &st, at ? AT_SYMLINK_NOFOLLOW : 0))
            return failed(t, "stat", p.p);
    }
    *out = (struct file_stat){
        .size = (uint64_t)st.st_size,
        .inode = st.st_ino,
        .device = st.st_dev,
        .mtime_us = time_us(&st.st_mtim),
        .ctime_us = time_us(&st.st_ctim),
        .mode = st.st_mode & 07777,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .n_links = (uint32_t)st.st_nlink,
        .is_dir = S_ISDIR(st.st_mode),
        .is_regular = S_ISREG(st.st_mode),
        .is_link = S_ISLNK(st.st_mode),
    };
    return OK;
}

err file_mode_set(struct task *t, struct file *f, uint32_t mode)
{
    if (f->ops != &real_ops)
        return OK;
    return fchmod(fd_of(f), mode) ? failed(t, "chmod", "file") : OK;
}

err file_owner_set(struct task *t, struct file *f, uint32_t uid, uint32_t gid)
{
    if (f->ops != &real_ops)
        return OK;
    return fchown(fd_of(f), uid, gid) ? failed(t, "chown", "file") : OK;
}

err file_times_set(struct task *t, struct file *f, int64_t mtime_us)
{
    struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
                              { .tv_sec = (time_t)(mtime_us / 1000000),
                                .tv_nsec = (mtime_us % 1000000) * 1000 } };

    if (f->ops != &real_ops)
        return OK;
    return futimens(fd_of(f), ts) ? failed(t, "utimens", "file") : OK;
}

err real_file_rename(struct task *t, struct dir *at, str from,
                     struct dir *at_to, str to)
{
    struct path p, q;

    TRY(path_of(t, from, &p));
    TRY(path_of(t, to, &q));
    return renameat(at_fd(at), p.p, at_fd(at_to), q.p)
               ? failed(t, "rename", p.p) : OK;
}

err real_file_link(struct task *t, struct dir *at, str from,
                   struct dir *at_to, str to)
{
    struct path p, q;

    TRY(path_of(t, from, &p));
    TRY(path_of(t, to, &q));
    return linkat(at_fd(at), p.p, at_fd(at_to), q.p, 0)
               ? failed(t, "link", p.p) : OK;
}

err real_file_unlink(struct task *t, struct dir *at, str path)
{
    struct path p;

    TRY(path_of(t, path, &p));
    return unlinkat(at_fd(at), p.p, 0) ? failed(t, "unlink", p.p) : OK;
}

int real_file_fd(const struct file *f)
{
    return fd_of(f);
}

int dir_fd(const struct dir *d)
{
    return d->ops == &real_ops
               ? container_of(d, const struct real_dir, d)->fd : -1;
}
