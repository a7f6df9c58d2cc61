/* SPDX-License-Identifier: ISC
 *
 * The simulated disk: pages, entries, and crashes.  See disk.h.
 */
#include "rt/sim/disk.h"

#include <unistd.h>

enum { KEPT_OF_10 = 5, LOST_OF_10 = 9 }; /* the rest is garbage */

/* --- entries ------------------------------------------------------------- */

static size_t names_find(const struct sim_names *n, str name, bool *there)
{
    size_t i = 0;

    while (i < n->n && str_cmp(n->p[i].name, name) < 0)
        i++;
    *there = i < n->n && str_eq(n->p[i].name, name);
    return i;
}

struct sim_inode *sim_names_get(const struct sim_names *n, str name)
{
    bool there;
    size_t i = names_find(n, name, &there);

    return there ? n->p[i].inode : NULL;
}

static void names_put(struct arena *a, struct sim_names *n, str name,
                      struct sim_inode *inode)
{
    bool there;
    size_t i = names_find(n, name, &there);

    if (!there) {
        vec_push(a, n, ((struct sim_name){ 0 }));
        memmove(n->p + i + 1, n->p + i, (n->n - 1 - i) * sizeof(*n->p));
        n->p[i].name = arena_str(a, name);
    }
    n->p[i].inode = inode;
}

static void names_del(struct sim_names *n, str name)
{
    bool there;
    size_t i = names_find(n, name, &there);

    if (!there)
        return;
    n->n--;
    memmove(n->p + i, n->p + i + 1, (n->n - i) * sizeof(*n->p));
}

struct sim_inode *sim_inode_new(struct sim *sim, bool is_dir)
{
    struct sim_inode *f = heap_new(struct sim_inode);

    arena_init(&f->memory, 0);
    f->number = ++sim->disk.last_number;
    f->is_dir = is_dir;
    f->ticket = -1;
    f->mtime_us = sim_ops.wall(&sim->w);
    list_add_last(&sim->disk.inodes, &f->link);
    return f;
}

static void apply(const struct sim_op *op, bool disk)
{
    struct sim_names *n = disk ? &op->dir->disk_names : &op->dir->names;

    if (op->from_dir)
        names_del(disk ? &op->from_dir->disk_names : &op->from_dir->names,
                  op->from_name);
    if (op->inode)
        names_put(&op->dir->memory, n, op->name, op->inode);
    else
        names_del(n, op->name);
}

void sim_op_do(struct sim *sim, const struct sim_op *op)
{
    struct sim_inode *before = sim_names_get(&op->dir->names, op->name);
    struct sim_op *kept = heap_new(struct sim_op);

    *kept = *op;
    kept->link = (struct link){ 0 };
    kept->name = arena_str(&op->dir->memory, op->name);
    kept->from_name = arena_str(&op->dir->memory, op->from_name);
    list_add_last(&sim->disk.ops, &kept->link);
    apply(op, false);
    if (op->inode && !op->from_dir)
        op->inode->n_links++;
    if (before && before != op->inode) {
        before->n_links--;
        sim_inode_leave(sim, before);
    }
}

void sim_ops_sync(struct sim *sim, const struct sim_inode *dir)
{
    list_each(l, &sim->disk.ops) {
        struct sim_op *op = container_of(l, struct sim_op, link);
        if (op->dir != dir && op->from_dir != dir)
            continue;
        apply(op, true);
        list_del(l);
        heap_free(op);
    }
}

/* --- pages --------------------------------------------------------------- */

static bool all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static uint64_t rounded(uint64_t size)
{
    return (size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
}

static void pages_reach(struct sim_inode *f, uint64_t size)
{
    size_t n = (size_t)(rounded(size) / SIM_PAGE);

    if (n <= f->n_pages)
        return;
    f->pages = heap_resize(f->pages, n * sizeof(*f->pages));
    memset(f->pages + f->n_pages, 0, (n - f->n_pages) * sizeof(*f->pages));
    f->n_pages = n;
}

static void page_write(struct sim_page *p, size_t at, str s)
{
    p->bad = false;
    if (!p->cache && all_zero(s.p, s.n)) {
        if (!p->disk) /* nothing changes that a crash could bring back */
            return;
        p->cache = heap_alloc(SIM_PAGE);
    }
    if (!p->cache)
        p->cache = heap_alloc(SIM_PAGE);
    memcpy(p->cache + at, s.p, s.n);
    for (size_t i = at / SIM_SECTOR; i * SIM_SECTOR < at + s.n; i++)
        p->dirty |= (uint8_t)(1u << i);
}

err sim_size_set(struct sim *sim, struct sim_inode *f, uint64_t size)
{
    uint64_t before = rounded(f->size), after = rounded(size);

    if (after > before && sim->faults.capacity
        && sim->disk.used + (after - before) > sim->faults.capacity)
        return ERR_LIMIT;
    for (uint64_t at = size; at < f->size && at / SIM_PAGE < f->n_pages;
         at = (at / SIM_PAGE + 1) * SIM_PAGE) {
        size_t in = at % SIM_PAGE;
        static const char zeroes[SIM_PAGE];
        page_write(&f->pages[at / SIM_PAGE], in,
                   str_of(zeroes, SIM_PAGE - in));
    }
    sim->disk.used = sim->disk.used + after - before;
    f->size = size;
    pages_reach(f, size);
    return OK;
}

err sim_bytes_write(struct sim *sim, struct sim_inode *f, uint64_t at, str s)
{
    if (s.n > 0 && at + s.n > f->size)
        TRY(sim_size_set(sim, f, at + s.n));
    f->mtime_us = sim_ops.wall(&sim->w);
    while (s.n > 0) {
        size_t in = at % SIM_PAGE;
        size_t k = SIM_PAGE - in < s.n ? SIM_PAGE - in : s.n;
        page_write(&f->pages[at / SIM_PAGE], in, str_head(s, k));
        s = str_skip(s, k);
        at += k;
    }
    return OK;
}

void sim_bytes_read(const struct sim_inode *f, uint64_t at, char *to,
                    size_t n)
{
    while (n > 0) {
        size_t in = at % SIM_PAGE;
        size_t k = SIM_PAGE - in < n ? SIM_PAGE - in : n;
        const struct sim_page *p = &f->pages[at / SIM_PAGE];
        if (p->cache)
            memcpy(to, p->cache + in, k);
        else
            memset(to, 0, k);
        to += k;
        at += k;
        n -= k;
    }
}

bool sim_bytes_bad(const struct sim_inode *f, uint64_t at, size_t n)
{
    for (uint64_t i = at / SIM_PAGE; i * SIM_PAGE < at + n; i++)
        if (i < f->n_pages && f->pages[i].bad)
            return true;
    return false;
}

/* One sector reaches the disk, or garbage does. */
static void sector_store(struct sim *sim, struct sim_page *p, int i,
                         bool garbage)
{
    if (!p->disk)
        p->disk = heap_alloc(SIM_PAGE);
    if (garbage)
        sim_fill(sim, p->disk + i * SIM_SECTOR, SIM_SECTOR);
    else
        memcpy(p->disk + i * SIM_SECTOR, p->cache + i * SIM_SECTOR,
               SIM_SECTOR);
}

void sim_pages_sync(struct sim *sim, struct sim_inode *f, bool fails)
{
    for (size_t i = 0; i < f->n_pages; i++) {
        struct sim_page *p = &f->pages[i];
        for (int k = 0; p->dirty && k < SIM_PAGE / SIM_SECTOR; k++)
            if (p->dirty >> k & 1 && !(fails && sim_below(sim, 2)))
                sector_store(sim, p, k, false);
        p->dirty = 0;
    }
    if (!fails || sim_below(sim, 2))
        f->disk_size = f->size;
}

static void page_reread(struct sim_page *p)
{
    if (!p->disk) {
        heap_free(p->cache);
        p->cache = NULL;
    } else {
        if (!p->cache)
            p->cache = heap_alloc(SIM_PAGE);
        memcpy(p->cache, p->disk, SIM_PAGE);
    }
    p->dirty = 0;
}

void sim_pages_reread(struct sim_inode *f)
{
    for (size_t i = 0; i < f->n_pages; i++)
        if (!f->pages[i].dirty && (f->pages[i].cache || f->pages[i].disk))
            page_reread(&f->pages[i]);
}

void sim_inode_leave(struct sim *sim, struct sim_inode *f)
{
    if (f->n_links > 0 || f->n_open > 0 || f->is_dir)
        return;
    sim->disk.used -= rounded(f->size);
    f->size = 0; /* the pages stay: a crash may bring the name back */
}

/* --- crashes ------------------------------------------------------------- */

static void file_crash(struct sim *sim, struct sim_inode *f)
{
    bool whole = f->size > f->disk_size && sim_below(sim, 2);

    for (size_t i = 0; i < f->n_pages; i++) {
        struct sim_page *p = &f->pages[i];
        for (int k = 0; p->dirty && k < SIM_PAGE / SIM_SECTOR; k++) {
            uint64_t fate = sim_below(sim, 10);
            if (!(p->dirty >> k & 1))
                continue;
            if (fate < KEPT_OF_10 || fate >= LOST_OF_10)
                sector_store(sim, p, k, fate >= LOST_OF_10);
            else
                sim->counts.sectors_lost++;
        }
        if (p->cache || p->disk)
            page_reread(p);
    }
    if (!whole)
        f->size = f->disk_size;
    f->disk_size = f->size;
    pages_reach(f, f->size);
}

static void count_links(struct sim *sim)
{
    list_each(l, &sim->disk.inodes)
        container_of(l, struct sim_inode, link)->n_links = 0;
    list_each(l, &sim->disk.inodes) {
        struct sim_inode *d = container_of(l, struct sim_inode, link);
        for (size_t i = 0; i < d->names.n; i++)
            d->names.p[i].inode->n_links++;
    }
}

void sim_disk_crash(struct sim *sim)
{
    struct link *l;

    while ((l = list_pop(&sim->disk.ops))) {
        struct sim_op *op = container_of(l, struct sim_op, link);
        if (sim_below(sim, 2))
            apply(op, true);
        heap_free(op);
    }
    sim->disk.used = 0;
    list_each(each, &sim->disk.inodes) {
        struct sim_inode *f = container_of(each, struct sim_inode, link);
        f->names.n = 0;
        for (size_t i = 0; i < f->disk_names.n; i++)
            names_put(&f->memory, &f->names, f->disk_names.p[i].name,
                      f->disk_names.p[i].inode);
        f->n_open = 0;
        file_crash(sim, f);
    }
    count_links(sim);
    list_each(each, &sim->disk.inodes) {
        struct sim_inode *f = container_of(each, struct sim_inode, link);
        sim->disk.used += rounded(f->size);
        sim_inode_leave(sim, f);
    }
}

void sim_disk_init(struct sim *sim)
{
    list_init(&sim->disk.inodes);
    list_init(&sim->disk.ops);
    sim->disk.root = sim_inode_new(sim, true);
}

void sim_disk_done(struct sim *sim)
{
    struct link *l;

    while ((l = list_pop(&sim->disk.ops)))
        heap_free(container_of(l, struct sim_op, link));
    while ((l = list_pop(&sim->disk.inodes))) {
        struct sim_inode *f = container_of(l, struct sim_inode, link);
        for (size_t i = 0; i < f->n_pages; i++) {
            heap_free(f->pages[i].cache);
            heap_free(f->pages[i].disk);
        }
        heap_free(f->pages);
        if (f->ticket >= 0)
            close(f->ticket);
        arena_reset(&f->memory);
        heap_free(f);
    }
    while ((l = list_pop(&sim->tickets)))
        heap_free(container_of(l, struct sim_ticket, link));
}
