/* SPDX-License-Identifier: ISC
 *
 * Files and directories: the only door to the disk.  Paths are taken relative
 * to an open directory, symbolic links are not followed in the last
 * component.  In the simulated world writes are volatile until file_sync.
 */
#ifndef RT_FILE_H
#define RT_FILE_H

#include "rt/task.h"

struct dir;
struct file;

enum file_flags {
    FILE_READ = 1,
    FILE_WRITE = 2,
    FILE_CREATE = 4,
    FILE_EXCLUSIVE = 8,  /* with FILE_CREATE: must not exist */
    FILE_TRUNCATE = 16,
    FILE_APPEND = 32,
    FILE_FOLLOW = 64,    /* follow a symbolic link (an admin's path) */
};

struct file_stat {
    uint64_t size, inode, device;
    int64_t mtime_us, ctime_us;
    uint32_t mode, uid, gid, n_links;
    bool is_dir, is_regular, is_link;
};

/* at NULL: path is absolute or relative to the working directory. */
err dir_open(struct task *t, struct dir *at, str path, struct dir **out);
void dir_close(struct dir *d); /* NULL is fine */
err dir_make(struct task *t, struct dir *at, str path, uint32_t mode);
/* The same with what is missing above it; each name is on stable storage when
 * it returns OK.  OK as well if it is there already. */
err dir_make_path(struct task *t, struct dir *at, str path, uint32_t mode);
err dir_remove(struct task *t, struct dir *at, str path);
err dir_sync(struct task *t, struct dir *d);
/* A new name on stable storage: syncs the directory that path is in.  One
 * that may be written and not read is left to the system. */
err dir_sync_above(struct task *t, struct dir *at, str path);

/* The names in it but . and .., in byte order, allocated in a. */
struct names { str *p; size_t n; };
err dir_list(struct task *t, struct dir *d, struct arena *a,
             struct names *out);

err file_open(struct task *t, struct dir *at, str path, int flags,
              uint32_t mode, struct file **out);
/* Takes a descriptor over. */
err dir_adopt(struct task *t, int fd, struct dir **out);
err file_adopt(struct task *t, int fd, struct file **out);
void file_close(struct file *f); /* NULL is fine */
void file_close_any(void *f);    /* the same, for arena_own */
void dir_close_any(void *d);

/* Reads up to max bytes at offset; *n < max only at the end of the file. */
err file_read(struct task *t, struct file *f, uint64_t offset, void *p,
              size_t max, size_t *n);
/* Writes all of it at offset; file_append at the end. */
err file_write(struct task *t, struct file *f, uint64_t offset, str bytes);
err file_append(struct task *t, struct file *f, str bytes);

/* Data on stable storage when it returns OK.  file_sync_aside does the same
 * on a helper thread, so that other tasks go on meanwhile. */
err file_sync(struct task *t, struct file *f);
err file_sync_aside(struct task *t, struct file *f);

/* Syncs, and drops what the system caches of it: from now on reads tell what
 * the disk holds, not what an earlier process wrote and could not sync. */
err file_reread(struct task *t, struct file *f);

/* Everything on the file system that d stands on, on a helper thread (not in
 * the simulated world). */
err dir_sync_all_aside(struct task *t, struct dir *d);

err file_size_set(struct task *t, struct file *f, uint64_t size);
err file_stat_open(struct task *t, struct file *f, struct file_stat *out);
err file_stat_path(struct task *t, struct dir *at, str path,
                   struct file_stat *out);
err file_mode_set(struct task *t, struct file *f, uint32_t mode);
err file_owner_set(struct task *t, struct file *f, uint32_t uid,
                   uint32_t gid);
err file_times_set(struct task *t, struct file *f, int64_t mtime_us);

/* ERR_ABSENT when from is missing; file_link: ERR_DENIED when to exists. */
err file_rename(struct task *t, struct dir *at, str from, struct dir *at_to,
                str to);
err file_link(struct task *t, struct dir *at, str from, struct dir *at_to,
              str to);
err file_unlink(struct task *t, struct dir *at, str path);

/* An advisory lock on the whole file (fcntl, open-file-description), polled
 * until the deadline; ends with the file. */
err file_lock(struct task *t, struct file *f, bool exclusive, when until);
void file_unlock(struct file *f);

/* The whole file in memory: file_map shares pages and lives until
 * file_unmap; file_load copies into the arena, at most max bytes. */
err file_map(struct task *t, struct file *f, str *out);
void file_unmap(str mapped);
err file_load(struct task *t, struct dir *at, str path, struct arena *a,
              size_t max, str *out);

/* Replaces path by bytes atomically and durably: temporary file, sync,
 * rename, sync of the directory. */
err file_replace(struct task *t, struct dir *at, str path, str bytes,
                 uint32_t mode);

/* Free bytes and inodes of the file system dir stands on. */
err dir_space(struct task *t, struct dir *d, uint64_t *bytes_free,
              uint64_t *inodes_free);

/* The descriptor, for handing over; in the simulated world a ticket that only
 * file_adopt understands. */
int file_fd(const struct file *f);
int dir_fd(const struct dir *d);

#endif
