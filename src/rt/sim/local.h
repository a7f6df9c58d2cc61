/* SPDX-License-Identifier: ISC
 *
 * The simulated world, inside.
 *
 * A descriptor to be handed over (sock_pair's second half, file_fd) is a
 * ticket: a real but empty descriptor, told by its inode, that stands for the
 * simulated thing.  So it can be duplicated, put into frames and closed like
 * any other; sock_adopt and file_adopt take it back.
 */
#ifndef RT_SIM_LOCAL_H
#define RT_SIM_LOCAL_H

#include "rt/sched.h"
#include "rt/sim.h"

struct sim_event {
    struct heap_node node;
    void (*fn)(struct sim_event *e);
};

struct sim_ticket {
    struct link link;
    uint64_t inode;
    struct sim_sock *sock;
    struct sim_inode *file;
};

struct sim_disk {
    struct link inodes, ops;
    struct sim_inode *root;
    uint64_t used, last_number;
};

struct sim {
    struct world w;
    struct sim_options o;
    uint64_t random;
    uint64_t hash;
    struct heap events;
    struct link socks, tickets;
    uint32_t last_process;
    uint16_t last_port;
    struct sim_disk disk;
    struct sim_faults faults;
    struct sim_counts counts;
};

static inline struct sim *sim_of(struct world *w)
{
    return container_of(w, struct sim, w);
}

extern const struct world_ops sim_ops;

uint64_t sim_below(struct sim *sim, uint64_t below);
bool sim_chance(struct sim *sim, uint32_t in_a_million);
void sim_fill(struct sim *sim, void *p, size_t n);

/* Mixes numbers into the hash. */
void sim_mark(struct sim *sim, uint32_t what, uint64_t a, uint64_t b);
enum { MARK_RUN = 1, MARK_READ, MARK_WRITE, MARK_ARRIVE, MARK_SYNC,
       MARK_DISK_WRITE, MARK_KILL, MARK_POWER, MARK_CONNECT, MARK_LOG };
void sim_trace(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void sim_event_at(struct sim *sim, struct sim_event *e, when at,
                  void (*fn)(struct sim_event *));

/* Waits until then, cancelled or not. */
void sim_pause(struct task *t, when until);

/* Makes the ticket's descriptor; finds what one stands for, or NULL. */
int sim_ticket_new(struct sim *sim, struct sim_sock *s, struct sim_inode *f);
struct sim_ticket *sim_ticket_find(struct sim *sim, int fd);
void sim_tickets_forget(struct sim *sim, const struct sim_sock *s);

/* sock.c */
err sim_listen(struct task *, const struct endpoint *, int, struct sock **);
err sim_accept(struct task *, struct sock *, when, struct sock **,
               struct endpoint *);
err sim_connect(struct task *, const struct endpoint *,
                const struct endpoint *, when, struct sock **);
err sim_pair(struct task *, struct sock **, int *);
err sim_sock_adopt(struct task *, int, struct sock **);
void sim_sock_close(struct sock *);
err sim_read(struct task *, struct sock *, void *, size_t, when, size_t *,
             int *);
err sim_read_some(struct sock *, void *, size_t, size_t *);
err sim_wait_readable(struct task *, struct sock *, when);
err sim_wait_either(struct task *t, struct sock *one, struct sock *other,
                    when until);
err sim_wait_writable(struct task *, struct sock *, when);
err sim_write_some(struct sock *, const struct iovec *, int, int, size_t *);
bool sim_readable(const struct sock *);
void sim_shutdown(struct sock *);
err sim_sock_name(struct sock *, bool peer, struct endpoint *);

/* A process is gone; late: its peers hear of it after a while. */
void sim_socks_drop(struct sim *sim, uint32_t process, bool late);
void sim_socks_done(struct sim *sim);

/* disk.c: what the disk is and what a crash does to it. */
void sim_disk_init(struct sim *sim);
void sim_disk_crash(struct sim *sim);
void sim_disk_done(struct sim *sim);

/* file.c */
err sim_dir_open(struct task *, struct dir *, str, struct dir **);
void sim_dir_close(struct dir *);
err sim_dir_make(struct task *, struct dir *, str, uint32_t);
err sim_dir_remove(struct task *, struct dir *, str);
err sim_dir_sync(struct task *, struct dir *);
err sim_dir_list(struct task *, struct dir *, struct arena *, struct names *);
err sim_dir_space(struct task *, struct dir *, uint64_t *, uint64_t *);
err sim_file_open(struct task *, struct dir *, str, int, uint32_t,
                  struct file **);
err sim_file_adopt(struct task *, int, struct file **);
int sim_file_fd(const struct file *);
void sim_file_close(struct file *);
err sim_file_read(struct task *, struct file *, uint64_t, void *, size_t,
                  size_t *);
err sim_file_write(struct task *, struct file *, uint64_t, str);
err sim_file_append(struct task *, struct file *, str);
err sim_file_sync(struct task *, struct file *);
err sim_file_reread(struct task *, struct file *);
err sim_file_size_set(struct task *, struct file *, uint64_t);
err sim_file_stat(struct task *, struct file *, struct dir *, str,
                  struct file_stat *);
err sim_file_rename(struct task *, struct dir *, str, struct dir *, str);
err sim_file_link(struct task *, struct dir *, str, struct dir *, str);
err sim_file_unlink(struct task *, struct dir *, str);

#endif
