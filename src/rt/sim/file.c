/* SPDX-License-Identifier: ISC
 *
 * Files and directories of the simulated world: names, handles, and the
 * faults and waits of a disk.  See disk.h for what they stand on.
 */
#include "rt/sim/disk.h"

#include <unistd.h>

enum { SYNC_US = 3000, SYNC_SLOW_US = 3 * 1000 * 1000 };

struct sim_file {
    struct file f;
    struct sim *sim;
    struct sim_inode *inode;
};

struct sim_dir {
    struct dir d;
    struct sim_inode *inode;
};

static struct sim_inode *inode_of(const struct file *f)
{
    return container_of(f, const struct sim_file, f)->inode;
}

static struct sim_inode *dir_of(struct sim *sim, const struct dir *d)
{
    return d ? container_of(d, const struct sim_dir, d)->inode
             : sim->disk.root;
}

/* The directory that holds the path's last name. */
static err walk(struct task *t, struct dir *at, str path,
                struct sim_inode **dir, str *last)
{
    struct sim *sim = sim_of(t->world);
    struct sim_inode *d = dir_of(sim, at);
    str part;

    if (path.n == 0)
        return why(t, ERR_SYNTAX, "bad path name");
    if (path.p[0] == '/')
        d = sim->disk.root;
    *last = S("");
    while (path.n > 0) {
        if (!str_cut(&path, '/', &part)) {
            part = path;
            path = S("");
        }
        if (part.n == 0 || str_eq(part, S(".")))
            continue;
        if (last->n) {
            d = sim_names_get(&d->names, *last);
            if (!d || !d->is_dir)
                return why(t, ERR_ABSENT, "open %.*s: No such file or "
                           "directory", STR(*last));
        }
        *last = part;
    }
    *dir = d;
    return OK;
}

static err find(struct task *t, struct dir *at, str path,
                struct sim_inode **out)
{
    struct sim_inode *dir;
    str last;

    TRY(walk(t, at, path, &dir, &last));
    *out = last.n ? sim_names_get(&dir->names, last) : dir;
    return *out ? OK : why(t, ERR_ABSENT, "open %.*s: No such file or "
                           "directory", STR(path));
}

static bool hurt(struct task *t, uint32_t chance)
{
    return t->process && sim_chance(sim_of(t->world), chance);
}

/* --- directories --------------------------------------------------------- */

err sim_dir_open(struct task *t, struct dir *at, str path, struct dir **out)
{
    struct sim_inode *f;
    struct sim_dir *d;

    TRY(find(t, at, path, &f));
    if (!f->is_dir)
        return why(t, ERR_ABSENT, "open directory %.*s: Not a directory",
                   STR(path));
    d = heap_new(struct sim_dir);
    d->d.ops = &sim_ops;
    d->inode = f;
    *out = &d->d;
    return OK;
}

void sim_dir_close(struct dir *d)
{
    heap_free(container_of(d, struct sim_dir, d));
}

err sim_dir_make(struct task *t, struct dir *at, str path, uint32_t mode)
{
    struct sim *sim = sim_of(t->world);
    struct sim_op op = { 0 };

    TRY(walk(t, at, path, &op.dir, &op.name));
    if (!op.name.n || sim_names_get(&op.dir->names, op.name))
        return why(t, ERR_DENIED, "mkdir %.*s: File exists", STR(path));
    op.inode = sim_inode_new(sim, true);
    op.inode->mode = mode;
    sim_op_do(sim, &op);
    return OK;
}

static err remove_name(struct task *t, struct dir *at, str path, bool is_dir)
{
    struct sim *sim = sim_of(t->world);
    struct sim_op op = { 0 };
    struct sim_inode *f;

    TRY(find(t, at, path, &f));
    TRY(walk(t, at, path, &op.dir, &op.name));
    if (f->is_dir != is_dir || f->names.n > 0)
        return why(t, ERR_DENIED, "remove %.*s: not empty, or another kind",
                   STR(path));
    sim_op_do(sim, &op);
    return OK;
}

err sim_dir_remove(struct task *t, struct dir *at, str path)
{
    return remove_name(t, at, path, true);
}

err sim_file_unlink(struct task *t, struct dir *at, str path)
{
    return remove_name(t, at, path, false);
}

static void sync_pause(struct task *t)
{
    struct sim *sim = sim_of(t->world);
    uint64_t us = hurt(t, sim->faults.sync_slow) ? SYNC_SLOW_US : SYNC_US;

    if (t->process)
        sim_pause(t, t->world->now + 50 + (when)sim_below(sim, us));
}

err sim_dir_sync(struct task *t, struct dir *d)
{
    struct sim *sim = sim_of(t->world);

    sync_pause(t);
    if (hurt(t, sim->faults.sync_fails))
        return why(t, ERR_IO, "fsync directory: Input/output error");
    if (!sim->faults.sync_lies)
        sim_ops_sync(sim, dir_of(sim, d));
    return OK;
}

err sim_dir_list(struct task *t, struct dir *d, struct arena *a,
                 struct names *out)
{
    const struct sim_names *n = &dir_of(sim_of(t->world), d)->names;
    str *p = arena_array(a, str, n->n);

    for (size_t i = 0; i < n->n; i++)
        p[i] = arena_str(a, n->p[i].name);
    *out = (struct names){ p, n->n };
    return OK;
}

err sim_dir_space(struct task *t, struct dir *d, uint64_t *bytes_free,
                  uint64_t *inodes_free)
{
    struct sim *sim = sim_of(t->world);
    uint64_t size = sim->faults.capacity;

    (void)d;
    *inodes_free = 1000000;
    *bytes_free = !size ? (uint64_t)1 << 40
                : size > sim->disk.used ? size - sim->disk.used : 0;
    return OK;
}

static err move_name(struct task *t, struct dir *at, str from,
                     struct sim_op *op)
{
    TRY(find(t, at, from, &op->inode));
    if (op->from_dir)
        TRY(walk(t, at, from, &op->from_dir, &op->from_name));
    sim_op_do(sim_of(t->world), op);
    return OK;
}

err sim_file_rename(struct task *t, struct dir *at, str from,
                    struct dir *at_to, str to)
{
    struct sim_op op = { .from_dir = sim_of(t->world)->disk.root };

    TRY(walk(t, at_to, to, &op.dir, &op.name));
    return move_name(t, at, from, &op);
}

err sim_file_link(struct task *t, struct dir *at, str from,
                  struct dir *at_to, str to)
{
    struct sim_op op = { 0 };

    TRY(walk(t, at_to, to, &op.dir, &op.name));
    if (sim_names_get(&op.dir->names, op.name))
        return why(t, ERR_DENIED, "link %.*s: File exists", STR(to));
    return move_name(t, at, from, &op);
}

/* --- files --------------------------------------------------------------- */

static err create(struct task *t, struct dir *at, str path, uint32_t mode,
                  struct sim_inode **out)
{
    struct sim *sim = sim_of(t->world);
    struct sim_op op = { 0 };

    TRY(walk(t, at, path, &op.dir, &op.name));
    op.inode = *out = sim_inode_new(sim, false);
    op.inode->mode = mode;
    sim_op_do(sim, &op);
    return OK;
}

static struct file *handle(struct sim *sim, struct sim_inode *inode)
{
    struct sim_file *f = heap_new(struct sim_file);

    f->f.ops = &sim_ops;
    f->sim = sim;
    f->inode = inode;
    inode->n_open++;
    return &f->f;
}

err sim_file_open(struct task *t, struct dir *at, str path, int flags,
                  uint32_t mode, struct file **out)
{
    struct sim_inode *f;
    err e = find(t, at, path, &f);

    if (!e && flags & FILE_EXCLUSIVE)
        return why(t, ERR_DENIED, "open %.*s: File exists", STR(path));
    if (e == ERR_ABSENT && flags & FILE_CREATE)
        e = create(t, at, path, mode, &f);
    TRY(e);
    if (f->is_dir)
        return why(t, ERR_IO, "open %.*s: Is a directory", STR(path));
    if (flags & FILE_TRUNCATE)
        TRY(sim_size_set(sim_of(t->world), f, 0));
    *out = handle(sim_of(t->world), f);
    return OK;
}

/* A file's ticket is one of the inode's, for all its handles. */
int sim_file_fd(const struct file *file)
{
    const struct sim_file *f = container_of(file, const struct sim_file, f);

    if (f->inode->ticket < 0)
        f->inode->ticket = sim_ticket_new(f->sim, NULL, f->inode);
    return f->inode->ticket;
}

err sim_file_adopt(struct task *t, int fd, struct file **out)
{
    struct sim_ticket *k = sim_ticket_find(sim_of(t->world), fd);

    if (!k || !k->file)
        return why(t, ERR_IO, "descriptor %d stands for no file", fd);
    close(fd);
    *out = handle(sim_of(t->world), k->file);
    return OK;
}

void sim_file_close(struct file *file)
{
    struct sim_file *f = container_of(file, struct sim_file, f);

    if (f->inode->n_open > 0 && --f->inode->n_open == 0)
        sim_inode_leave(f->sim, f->inode);
    heap_free(f);
}

err sim_file_read(struct task *t, struct file *file, uint64_t offset, void *p,
                  size_t max, size_t *n)
{
    struct sim_inode *f = inode_of(file);
    uint64_t left = offset < f->size ? f->size - offset : 0;

    *n = left < max ? (size_t)left : max;
    if (t->process && sim_bytes_bad(f, offset, *n))
        return why(t, ERR_IO, "read: Input/output error");
    sim_bytes_read(f, offset, p, *n);
    return OK;
}

err sim_file_write(struct task *t, struct file *file, uint64_t offset,
                   str bytes)
{
    struct sim *sim = sim_of(t->world);
    struct sim_inode *f = inode_of(file);

    sim_mark(sim, MARK_DISK_WRITE, f->number, offset ^ bytes.n << 32);
    if (hurt(t, sim->faults.write_fails)) {
        str some = str_head(bytes, sim_below(sim, bytes.n + 1));
        err_ignore(sim_bytes_write(sim, f, offset, some)); /* failed anyway */
        return why(t, ERR_IO, "write: Input/output error");
    }
    if (sim_bytes_write(sim, f, offset, bytes))
        return why(t, ERR_LIMIT, "write: No space left on device");
    return OK;
}

void sim_page_break(struct file *file, uint64_t offset)
{
    struct sim_inode *f = inode_of(file);

    if (offset / SIM_PAGE < f->n_pages)
        f->pages[offset / SIM_PAGE].bad = true;
}

err sim_file_append(struct task *t, struct file *f, str bytes)
{
    return sim_file_write(t, f, inode_of(f)->size, bytes);
}

err sim_file_sync(struct task *t, struct file *file)
{
    struct sim *sim = sim_of(t->world);
    struct sim_inode *f = inode_of(file);
    bool fails = hurt(t, sim->faults.sync_fails);

    sync_pause(t);
    sim->counts.syncs++;
    sim_mark(sim, MARK_SYNC, f->number, fails);
    if (!sim->faults.sync_lies)
        sim_pages_sync(sim, f, fails);
    return fails ? why(t, ERR_IO, "fdatasync: Input/output error") : OK;
}

err sim_file_reread(struct task *t, struct file *file)
{
    TRY(sim_file_sync(t, file));
    if (!sim_of(t->world)->faults.sync_lies)
        sim_pages_reread(inode_of(file));
    return OK;
}

err sim_file_size_set(struct task *t, struct file *file, uint64_t size)
{
    if (sim_size_set(sim_of(t->world), inode_of(file), size))
        return why(t, ERR_LIMIT, "truncate: No space left on device");
    return OK;
}

err sim_file_stat(struct task *t, struct file *file, struct dir *at, str path,
                  struct file_stat *out)
{
    struct sim_inode *f = file ? inode_of(file) : NULL;

    if (!f)
        TRY(find(t, at, path, &f));
    *out = (struct file_stat){
        .size = f->size, .inode = f->number, .device = 1,
        .mtime_us = f->mtime_us, .ctime_us = f->mtime_us,
        .mode = f->mode, .n_links = f->n_links,
        .is_dir = f->is_dir, .is_regular = !f->is_dir,
    };
    return OK;
}
