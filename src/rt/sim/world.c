/* SPDX-License-Identifier: ISC
 *
 * The simulated world: its clock, its chance, its events, its processes.
 *
 * I1  Time goes on only in poll, and never past the next event or timer.
 * I2  Everything random comes from sim->random, in an order that depends on
 *     nothing but the seed.
 */
#include "rt/sim/local.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURNS_MAX = 50 * 1000 * 1000, MILLION = 1000 * 1000 };

/* 2026-01-05 08:00:00 UTC, at the world's first moment. */
static const int64_t WALL_START_US = (int64_t)1767600000 * 1000000;

/* splitmix64 */
static uint64_t next(struct sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim *sim, uint64_t below)
{
    must(below > 0);
    return next(sim) % below;
}

bool sim_chance(struct sim *sim, uint32_t in_a_million)
{
    return in_a_million && sim_below(sim, MILLION) < in_a_million;
}

void sim_fill(struct sim *sim, void *p, size_t n)
{
    char *to = p;

    while (n > 0) {
        uint64_t r = next(sim);
        size_t k = n < sizeof(r) ? n : sizeof(r);
        memcpy(to, &r, k);
        to += k;
        n -= k;
    }
}

void sim_mark(struct sim *sim, uint32_t what, uint64_t a, uint64_t b)
{
    uint64_t h = sim->hash;

    h = (h ^ what ^ (uint64_t)sim->w.now) * 0x9e3779b97f4a7c15;
    h = (h ^ h >> 29 ^ a) * 0xbf58476d1ce4e5b9;
    h = (h ^ h >> 32 ^ b) * 0x94d049bb133111eb;
    sim->hash = h ^ h >> 31;
}

static void trace_line(struct sim *sim, const char *format, va_list ap)
{
    char text[512];
    int at = snprintf(text, sizeof(text), "%12.6f ",
                      (double)sim->w.now / (double)MILLION);
    int n = vsnprintf(text + at, sizeof(text) - (size_t)at, format, ap);

    must(at > 0 && n >= 0);
    n += at;
    if ((size_t)n >= sizeof(text))
        n = sizeof(text) - 1;
    sim->o.trace(sim->o.self, str_of(text, (size_t)n));
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list ap;

    if (!sim->o.trace)
        return;
    va_start(ap, format);
    trace_line(sim, format, ap);
    va_end(ap);
}

void sim_say(struct task *t, const char *format, ...)
{
    struct sim *sim = sim_of(t->world);
    va_list ap;

    if (!sim->o.trace)
        return;
    va_start(ap, format);
    trace_line(sim, format, ap);
    va_end(ap);
}

void sim_event_at(struct sim *sim, struct sim_event *e, when at,
                  void (*fn)(struct sim_event *))
{
    e->fn = fn;
    heap_put(&sim->events, &e->node, at);
}

static void events_run(struct sim *sim)
{
    struct heap_node *first;

    while ((first = heap_first(&sim->events)) && first->key <= sim->w.now) {
        struct sim_event *e = container_of(first, struct sim_event, node);
        heap_del(&sim->events, first);
        e->fn(e);
    }
}

static void say_stuck(struct sim *sim)
{
    list_each(l, &sim->w.tasks) {
        const struct task *t = container_of(l, struct task, all);
        fprintf(stderr, "task %s of process %u waits for ever\n", t->name,
                t->process);
    }
    must_not_reach() /* the simulated world stands still */;
}

/* I1: no computation is long here. */
static when sim_clock(struct world *w)
{
    return w->now;
}

static void sim_poll(struct world *w, when until)
{
    struct sim *sim = sim_of(w);
    struct heap_node *first = heap_first(&sim->events);
    when to = w->now + 1 + (when)sim_below(sim, 20);

    must(sim->counts.turns++ < TURNS_MAX);
    if (until > w->now) { /* nobody is ready: on to what comes next (I1) */
        if (until == NEVER && !first)
            say_stuck(sim);
        to = until;
    }
    if (first && first->key < to)
        to = first->key;
    if (to > w->now)
        w->now = to;
    events_run(sim);
}

static int64_t sim_wall(struct world *w)
{
    return WALL_START_US + w->now;
}

static void sim_random(struct world *w, void *p, size_t n)
{
    sim_fill(sim_of(w), p, n);
}

void sim_pause(struct task *t, when until)
{
    while (task_park_through(t, until) == ERR_STOPPED)
        ;
}

/* The work is done at once; that it took a while is seen by the others. */
static void sim_offload(struct task *t, void (*fn)(void *), void *arg)
{
    struct sim *sim = sim_of(t->world);

    fn(arg);
    sim_pause(t, t->world->now + 1 + (when)sim_below(sim, 5000));
}

static void sim_log_write(struct world *w, str lines)
{
    struct sim *sim = sim_of(w);
    str line;

    while (lines.n > 0 && str_cut(&lines, '\n', &line)) {
        sim_mark(sim, MARK_LOG, crc32c(0, line), line.n);
        sim_trace(sim, "%.*s", STR(line));
    }
}

static size_t sim_choose(struct world *w, size_t n)
{
    size_t i = sim_below(sim_of(w), n);

    sim_mark(sim_of(w), MARK_RUN, n, i);
    return i;
}

/* --- tickets ------------------------------------------------------------- */

int sim_ticket_new(struct sim *sim, struct sim_sock *s, struct sim_inode *f)
{
    struct sim_ticket *k = heap_new(struct sim_ticket);
    struct stat st;
    int fd = memfd_create("ticket", MFD_CLOEXEC);

    must(fd >= 0 && fstat(fd, &st) == 0);
    k->inode = st.st_ino;
    k->sock = s;
    k->file = f;
    list_add_first(&sim->tickets, &k->link); /* the newest of its inode */
    return fd;
}

struct sim_ticket *sim_ticket_find(struct sim *sim, int fd)
{
    struct stat st;

    if (fstat(fd, &st))
        return NULL;
    list_each(l, &sim->tickets) {
        struct sim_ticket *k = container_of(l, struct sim_ticket, link);
        if (k->inode == st.st_ino)
            return k;
    }
    return NULL;
}

void sim_tickets_forget(struct sim *sim, const struct sim_sock *s)
{
    list_each(l, &sim->tickets) {
        struct sim_ticket *k = container_of(l, struct sim_ticket, link);
        if (k->sock == s) {
            list_del(l);
            heap_free(k);
        }
    }
}

/* --- processes ----------------------------------------------------------- */

struct sim_faults *sim_faults(struct task *t)
{
    return &sim_of(t->world)->faults;
}

const struct sim_counts *sim_counts(struct task *t)
{
    return &sim_of(t->world)->counts;
}

uint32_t sim_process_new(struct task *t)
{
    return ++sim_of(t->world)->last_process;
}

uint32_t sim_act_as(struct task *t, uint32_t process)
{
    uint32_t was = t->process;

    t->process = process;
    return was;
}

void sim_process_go(struct task *t, struct task_group *g, uint32_t process,
                    const char *name, err (*fn)(struct task *, void *),
                    void *arg)
{
    uint32_t was = sim_act_as(t, process);

    must(g->parent == t);
    group_go(g, name, fn, arg);
    sim_act_as(t, was);
}

static void drop_process(struct sim *sim, uint32_t process, bool late)
{
    must(process > 0);
    sim_mark(sim, MARK_KILL, process, late);
    sim_socks_drop(sim, process, late);
    tasks_vanish(&sim->w, process);
}

void sim_process_kill(struct task *t, uint32_t process)
{
    struct sim *sim = sim_of(t->world);

    sim_trace(sim, "--- process %u is killed", process);
    drop_process(sim, process, false);
}

void sim_power_loss(struct task *t)
{
    struct sim *sim = sim_of(t->world);

    sim_trace(sim, "--- the power fails");
    for (uint32_t i = 1; i <= sim->last_process; i++)
        drop_process(sim, i, true);
    sim_disk_crash(sim);
    sim_mark(sim, MARK_POWER, sim->counts.sectors_lost, 0);
}

err sim_run(const struct sim_options *o, err (*fn)(struct task *, void *),
            void *arg, uint64_t *hash)
{
    struct sim *sim = heap_new(struct sim);
    err e;

    world_init(&sim->w, &sim_ops);
    sim->w.choose = sim_choose;
    sim->w.log.sink = LOG_SINK_FILE;
    memcpy(sim->w.log.host, "sim", 4);
    sim->w.log.pid = 1;
    sim->o = *o;
    sim->random = o->seed * 0x2545f4914f6cdd1d;
    list_init(&sim->socks);
    list_init(&sim->tickets);
    sim_disk_init(sim);
    map_seed(next(sim), next(sim));
    e = world_loop(&sim->w, "sim", fn, arg);
    log_flush(&sim->w);
    if (hash)
        *hash = sim->hash;
    sim_socks_done(sim);
    sim_disk_done(sim);
    heap_done(&sim->events);
    world_done(&sim->w);
    heap_free(sim);
    return e;
}

const struct world_ops sim_ops = {
    .simulated = true,
    .poll = sim_poll,
    .wall = sim_wall,
    .clock = sim_clock,
    .random = sim_random,
    .offload = sim_offload,
    .log_write = sim_log_write,
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .pair = sim_pair,
    .sock_adopt = sim_sock_adopt,
    .sock_close = sim_sock_close,
    .read = sim_read,
    .read_some = sim_read_some,
    .wait_readable = sim_wait_readable,
    .wait_either = sim_wait_either,
    .wait_writable = sim_wait_writable,
    .write_some = sim_write_some,
    .readable = sim_readable,
    .shutdown = sim_shutdown,
    .sock_name = sim_sock_name,
    .dir_open = sim_dir_open,
    .dir_close = sim_dir_close,
    .dir_make = sim_dir_make,
    .dir_remove = sim_dir_remove,
    .dir_sync = sim_dir_sync,
    .dir_list = sim_dir_list,
    .dir_space = sim_dir_space,
    .file_open = sim_file_open,
    .file_adopt = sim_file_adopt,
    .file_fd = sim_file_fd,
    .file_close = sim_file_close,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_append = sim_file_append,
    .file_sync = sim_file_sync,
    .file_reread = sim_file_reread,
    .file_size_set = sim_file_size_set,
    .file_stat = sim_file_stat,
    .file_rename = sim_file_rename,
    .file_link = sim_file_link,
    .file_unlink = sim_file_unlink,
};
