/* SPDX-License-Identifier: ISC
 *
 * Files, the part that both worlds share: dispatch, and what is made of the
 * primitives.
 */
#include "rt/file.h"

#include "rt/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LOCK_POLL_MS = 20 };

static const struct world_ops *ops(struct task *t)
{
    return t->world->ops;
}

err dir_open(struct task *t, struct dir *at, str path, struct dir **out)
{
    return ops(t)->dir_open(t, at, path, out);
}

void dir_close(struct dir *d)
{
    if (d)
        d->ops->dir_close(d);
}

void dir_close_any(void *d)
{
    dir_close(d);
}

err dir_make(struct task *t, struct dir *at, str path, uint32_t mode)
{
    return ops(t)->dir_make(t, at, path, mode);
}

err dir_remove(struct task *t, struct dir *at, str path)
{
    return ops(t)->dir_remove(t, at, path);
}

err dir_sync(struct task *t, struct dir *d)
{
    return d->ops->dir_sync(t, d);
}

err dir_list(struct task *t, struct dir *d, struct arena *a,
             struct names *out)
{
    return d->ops->dir_list(t, d, a, out);
}

err dir_space(struct task *t, struct dir *d, uint64_t *bytes_free,
              uint64_t *inodes_free)
{
    return d->ops->dir_space(t, d, bytes_free, inodes_free);
}

err file_open(struct task *t, struct dir *at, str path, int flags,
              uint32_t mode, struct file **out)
{
    return ops(t)->file_open(t, at, path, flags, mode, out);
}

void file_close(struct file *f)
{
    if (f)
        f->ops->file_close(f);
}

void file_close_any(void *f)
{
    file_close(f);
}

err file_read(struct task *t, struct file *f, uint64_t offset, void *p,
              size_t max, size_t *n)
{
    return f->ops->file_read(t, f, offset, p, max, n);
}

err file_write(struct task *t, struct file *f, uint64_t offset, str bytes)
{
    return f->ops->file_write(t, f, offset, bytes);
}

err file_append(struct task *t, struct file *f, str bytes)
{
    return f->ops->file_append(t, f, bytes);
}

err file_sync(struct task *t, struct file *f)
{
    return f->ops->file_sync(t, f);
}

struct sync_job {
    int fd;
    int number; /* errno */
};

static void sync_aside(void *arg)
{
    struct sync_job *job = arg;

    job->number = fdatasync(job->fd) ? errno : 0;
}

err file_sync_aside(struct task *t, struct file *f)
{
    struct sync_job job;

    if (f->ops->simulated)
        return file_sync(t, f);
    job = (struct sync_job){ .fd = file_fd(f) };
    offload(t, sync_aside, &job);
    if (job.number)
        return why(t, ERR_IO, "fdatasync: %s", strerror(job.number));
    return OK;
}

static void sync_all_aside(void *arg)
{
    struct sync_job *job = arg;

    job->number = syncfs(job->fd) ? errno : 0;
}

err dir_sync_all_aside(struct task *t, struct dir *d)
{
    struct sync_job job = { .fd = dir_fd(d) };

    must(job.fd >= 0);
    offload(t, sync_all_aside, &job);
    if (job.number)
        return why(t, ERR_IO, "syncfs: %s", strerror(job.number));
    return OK;
}

err file_reread(struct task *t, struct file *f)
{
    return f->ops->file_reread(t, f);
}

int file_fd(const struct file *f)
{
    return f->ops->file_fd(f);
}

err file_adopt(struct task *t, int fd, struct file **out)
{
    return ops(t)->file_adopt(t, fd, out);
}

err file_size_set(struct task *t, struct file *f, uint64_t size)
{
    return f->ops->file_size_set(t, f, size);
}

err file_stat_open(struct task *t, struct file *f, struct file_stat *out)
{
    return f->ops->file_stat(t, f, NULL, S(""), out);
}

err file_stat_path(struct task *t, struct dir *at, str path,
                   struct file_stat *out)
{
    return ops(t)->file_stat(t, NULL, at, path, out);
}

err file_rename(struct task *t, struct dir *at, str from, struct dir *at_to,
                str to)
{
    return ops(t)->file_rename(t, at, from, at_to, to);
}

err file_link(struct task *t, struct dir *at, str from, struct dir *at_to,
              str to)
{
    return ops(t)->file_link(t, at, from, at_to, to);
}

err file_unlink(struct task *t, struct dir *at, str path)
{
    return ops(t)->file_unlink(t, at, path);
}

err file_lock(struct task *t, struct file *f, bool exclusive, when until)
{
    int fd;
    struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK };

    if (f->ops->simulated)
        return OK; /* one process, one world */
    fd = file_fd(f);
    while (fcntl(fd, F_OFD_SETLK, &lock)) {
        err e;
        if (errno != EAGAIN && errno != EACCES)
            return why(t, ERR_IO, "lock: %s", strerror(errno));
        if (rt_now(t) >= until)
            return why(t, ERR_LATE, "lock: held by another process");
        e = task_sleep(t, after_ms(t, LOCK_POLL_MS));
        TRY(e);
    }
    return OK;
}

void file_unlock(struct file *f)
{
    struct flock lock = { .l_type = F_UNLCK };

    if (!f->ops->simulated)
        fcntl(file_fd(f), F_OFD_SETLK, &lock);
}

err file_map(struct task *t, struct file *f, str *out)
{
    struct file_stat st;
    void *p;

    TRY(file_stat_open(t, f, &st));
    if (st.size == 0) {
        *out = S("");
        return OK;
    }
    p = mmap(NULL, st.size, PROT_READ, MAP_SHARED, file_fd(f), 0);
    if (p == MAP_FAILED)
        return why(t, ERR_IO, "mmap: %s", strerror(errno));
    *out = str_of(p, st.size);
    return OK;
}

void file_unmap(str mapped)
{
    if (mapped.n)
        munmap((void *)(uintptr_t)mapped.p, mapped.n);
}

static err load_open(struct task *t, struct file *f, struct arena *a,
                     size_t max, str *out)
{
    struct buf b;
    size_t n;

    buf_init(&b, a, max + 1);
    do {
        size_t want = b.n < 4096 ? 4096 : b.n;
        char *to;
        if (want > max + 1 - b.n)
            want = max + 1 - b.n;
        to = want ? buf_room(&b, want) : NULL;
        if (!to || b.n > max)
            return why(t, ERR_LIMIT, "file is larger than %zu bytes", max);
        TRY(file_read(t, f, b.n, to, want, &n));
        b.n += n;
    } while (n > 0);
    *out = buf_str(&b);
    return OK;
}

err file_load(struct task *t, struct dir *at, str path, struct arena *a,
              size_t max, str *out)
{
    struct file *f;
    err e;

    TRY(file_open(t, at, path, FILE_READ | (at ? 0 : FILE_FOLLOW), 0, &f));
    e = load_open(t, f, a, max, out);
    file_close(f);
    return e;
}

static err replace_write(struct task *t, struct dir *at, str path, str bytes,
                         uint32_t mode)
{
    struct file *f;
    err e;

    TRY(file_open(t, at, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
                  mode, &f));
    e = file_mode_set(t, f, mode);
    if (!e)
        e = file_append(t, f, bytes);
    if (!e)
        e = file_sync(t, f);
    file_close(f);
    return e;
}

/* The directory part of a path, "." if it has none. */
static str dir_of(str path)
{
    size_t slash = str_rchr(path, '/');

    return slash == STR_NONE ? S(".") : slash == 0 ? S("/")
                                      : str_head(path, slash);
}

err dir_sync_above(struct task *t, struct dir *at, str path)
{
    struct dir *d;
    err e = dir_open(t, at, dir_of(path), &d);

    if (e)
        return e == ERR_DENIED ? OK : e;
    e = dir_sync(t, d);
    dir_close(d);
    return e;
}

static err make_lasting(struct task *t, struct dir *at, str path,
                        uint32_t mode)
{
    err e = dir_make(t, at, path, mode);

    return e ? e : dir_sync_above(t, at, path);
}

err dir_make_path(struct task *t, struct dir *at, str path, uint32_t mode)
{
    err e;

    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    e = make_lasting(t, at, path, mode);
    if (e == ERR_ABSENT) {
        for (size_t i = 1; i < path.n; i++)
            if (path.p[i] == '/')   /* the last one tells */
                err_ignore(make_lasting(t, at, str_head(path, i), mode));
        e = make_lasting(t, at, path, mode);
    }
    if (e == ERR_DENIED) {
        struct file_stat st;        /* there already, or no right */
        bool there = !file_stat_path(t, at, path, &st)
                     && (st.is_dir || st.is_link);
        /* asked again, so that the reason is the right one */
        return there ? OK : dir_make(t, at, path, mode);
    }
    return e;
}

err file_replace(struct task *t, struct dir *at, str path, str bytes,
                 uint32_t mode)
{
    struct arena a;
    struct dir *d = NULL;
    uint64_t token;
    str temporary;
    err e;

    arena_init(&a, 0);
    rt_random(t, &token, sizeof(token));
    temporary = arena_fmt(&a, "%.*s.%016" PRIx64 ".tmp", STR(path), token);
    e = replace_write(t, at, temporary, bytes, mode);
    if (!e)
        e = file_rename(t, at, temporary, at, path);
    if (e) { /* leave no litter; the first reason is the one to tell */
        str said = arena_str(&a, str_from(task_why(t)));
        err_ignore(file_unlink(t, at, temporary));
        e = why(t, e, "%.*s", STR(said));
    }
    if (!e)
        e = dir_open(t, at, dir_of(path), &d);
    if (!e)
        e = dir_sync(t, d);
    dir_close(d);
    arena_reset(&a);
    return e;
}
