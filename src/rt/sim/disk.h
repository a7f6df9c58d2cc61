/* SPDX-License-Identifier: ISC
 *
 * The simulated disk, inside: what is cached, what is durable, and how a
 * crash makes one the other.
 *
 * A file has two images in pages of 4096: the cache, which everybody sees,
 * and the disk.  A page that was never written is NULL and reads as zero.
 * Writes change the cache and mark 512-byte sectors dirty; a sync makes them
 * durable.  Directories have the same two images of their entries; what
 * happened to entries and is not durable yet stands in one list of
 * operations, in order.
 *
 * I1  A sector that is not dirty is the same in both images, but where a sync
 *     failed: then the cache shows what the disk may not hold, until somebody
 *     says file_reread or the machine stops.
 * I2  A crash keeps any subset of the dirty sectors, as they are or as
 *     garbage, and any subset of the operations.
 */
#ifndef RT_SIM_DISK_H
#define RT_SIM_DISK_H

#include "rt/sim/local.h"

enum { SIM_PAGE = 4096, SIM_SECTOR = 512 };

struct sim_name {
    str name;
    struct sim_inode *inode;
};
struct sim_names {
    struct sim_name *p;     /* in byte order */
    size_t n, cap;
};

struct sim_page {
    char *cache, *disk;
    uint8_t dirty;          /* a bit a sector */
    bool bad;               /* cannot be read; heals when it is written */
};

struct sim_inode {
    struct link link;       /* disk->inodes */
    struct arena memory;
    uint64_t number;
    bool is_dir;
    uint32_t mode, n_links, n_open;
    int64_t mtime_us;
    uint64_t size, disk_size;
    struct sim_page *pages;
    size_t n_pages;
    struct sim_names names, disk_names;
    int ticket;             /* a descriptor, -1: none */
};

/* What happened to entries: name appears (inode) in dir, or disappears
 * (inode NULL); a rename takes from_name out of from_dir in the same step. */
struct sim_op {
    struct link link;
    struct sim_inode *dir, *inode, *from_dir;
    str name, from_name;
};

struct sim_inode *sim_inode_new(struct sim *sim, bool is_dir);
struct sim_inode *sim_names_get(const struct sim_names *n, str name);

/* Does op to the cache now, and to the disk when its directory is synced. */
void sim_op_do(struct sim *sim, const struct sim_op *op);
void sim_ops_sync(struct sim *sim, const struct sim_inode *dir);

/* ERR_LIMIT when the disk is full; what fitted is written. */
err sim_bytes_write(struct sim *sim, struct sim_inode *f, uint64_t at, str s);
void sim_bytes_read(const struct sim_inode *f, uint64_t at, char *to,
                    size_t n);
/* Whether a page of them cannot be read. */
bool sim_bytes_bad(const struct sim_inode *f, uint64_t at, size_t n);
err sim_size_set(struct sim *sim, struct sim_inode *f, uint64_t size);

/* Dirty sectors become durable; fails: any subset of them, and the cache
 * forgets that they were dirty. */
void sim_pages_sync(struct sim *sim, struct sim_inode *f, bool fails);
void sim_pages_reread(struct sim_inode *f);

/* Nobody can reach it any more: its room is free. */
void sim_inode_leave(struct sim *sim, struct sim_inode *f);

#endif
